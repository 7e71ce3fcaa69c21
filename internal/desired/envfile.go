package desired

// environmentFile is what one environment wants: environments/NAME.yaml, and
// the defaults of layerd.yaml.
//
// The comments of this file are what an editor shows for a key. Values are
// judged by the schema made from these types; what needs more than one value
// at a time is judged in build.go.
type environmentFile struct {
	// The account, 12 digits in quotes.
	Account string `json:"account" jsonschema:"pattern=^[0-9]{12}$"`
	// The Region.
	Region string `json:"region" jsonschema:"format=region"`
	// Several Regions, brought up to date in this order.
	Regions []regionName `json:"regions" jsonschema:"minItems=1"`
	// The ARN of the role to assume; without it the caller's own credentials are used.
	Role string `json:"role" jsonschema:"format=role"`
	// The external id the role asks for.
	ExternalID string `json:"external_id" jsonschema:"format=external-id"`
	// observe tells everything and changes nothing: no other key acts then. Default: apply.
	Mode string `json:"mode" jsonschema:"enum=apply,enum=observe"`
	// IANA time zone of windows, freezes and messages. Default: the window's, else UTC.
	Timezone string `json:"timezone" jsonschema:"format=timezone"`
	// What a layer is called here. Default: ${NAME}.
	LayerName string `json:"layer_name" jsonschema:"format=layer-name"`
	// Allows version ranges and latest; a layer without a version is at latest, whatever is published next.
	AutoUpdate bool `json:"auto_update"`
	// Changes wait until a person approves the plan. Default: false, nobody is asked.
	ApprovalRequired bool `json:"approval_required"`
	// Who may approve: teams, and how many people. Asks nobody without approval_required.
	Approvers approversEntry `json:"approvers"`
	// The author of a change may not approve it. Asks nobody without approval_required.
	FourEyes bool `json:"four_eyes"`
	// What is approved: the plan, or (review) the merged pull request. Asks nobody without approval_required.
	ApproveBy string `json:"approve_by" jsonschema:"enum=plan,enum=review"`
	// When changes may start: "Saturday 02:00-06:00 JST", "first Saturday 02:00-06:00", a cron window, or a list, which is a union. Default: always; so are windows that together cover the week. An end before the start is on the next day: Saturday 06:00-02:00 is open for 20 hours.
	ChangeWindow windowsEntry `json:"change_window"`
	// Start nothing this close to the end of the open time. In a window that is no longer nothing ever starts; without windows and freezes there is no end to keep away from. Default: 0.
	Cutoff durationEntry `json:"cutoff"`
	// Times in which no change may start; those of all files add up, so that an empty list takes none away. One that is over holds nothing; one of years holds for years.
	Freezes []freezeFile `json:"freezes"`
	// SSM Change Calendars, or an .ics file; one of them has to be named.
	ChangeCalendar calendarEntry `json:"change_calendar"`
	// What named layers may ignore for a while, and why.
	Overrides []overrideFile `json:"overrides"`
	// A version starts here only when it is applied and healthy there.
	After *afterFile `json:"after"`
	// What to do about changes made by hand: heal, or report, which changes nothing. Default: heal.
	Drift driftEntry `json:"drift"`
	// The functions' tag that names their owner: what layerd usage groups by. A function without the tag has no owner. Default: none is shown.
	OwnerTag string `json:"owner_tag" jsonschema:"minLength=1,maxLength=128"`
	// How many versions to keep; without it nothing is pruned. Fewer than 2 are 2: 0 versions does not prune all, and does not turn pruning off.
	Retention retentionEntry `json:"retention"`
	// Functions are served through this alias. Default: $LATEST.
	Alias string `json:"alias" jsonschema:"format=alias,maxLength=128"`
	// How a change spreads. Default: one wave, no bake, nothing looked at.
	Rollout *rolloutFile `json:"rollout"`
	// How many functions may get a layer for the first time in one plan. 0 holds each such plan until it is approved; a number above what the account has holds none. Default: 20.
	MaxNew *int `json:"max_new" jsonschema:"minimum=0,maximum=1000000"`
	// How many functions may be blocked, that is, cannot be changed; with more nothing new begins. 0 holds all for one. Default: no limit.
	MaxBlocked *int `json:"max_blocked" jsonschema:"minimum=0,maximum=1000000"`
	// When a new function gets its layers: in the window, or now, also while it is closed. Default: window.
	NewFunctions string `json:"new_functions" jsonschema:"enum=window,enum=now"`
	// ARNs or globs of layers that may be attached and are none of layerd's business. With * no layer is ever reported as extra.
	Unmanaged []layerGlob `json:"unmanaged"`
	// The layers, by the name in their layer.yaml.
	Layers map[string]layerEntry `json:"layers"`
	// Functions that stay at a version; each names its layer. One that has ended is an error, so that no function moves silently.
	Pins []pinFile `json:"pins"`
	// Whether SSM parameters say what is applied and proven: /layerd/ENVIRONMENT/LAYER/arn and …/version. Default: those of layers with an artifact do. With false none is written, and those that are there stay as they are.
	Parameters *bool `json:"parameters"`
}

// layerWishFile is one layer of an environment.
type layerWishFile struct {
	// 1.4.2, a layer version number, a range or latest (with auto_update), none to detach, or a map by Region.
	Version versionEntry `json:"version"`
	// Which functions get the layer; any selector may match. An empty list, and one that except takes away whole, selects none.
	Functions []selectorEntry `json:"functions"`
	// Functions taken away again; those of all files add up, so that an empty list takes none back.
	Except []selectorEntry `json:"except"`
	// Where a new layer goes in a function's list. Default: last.
	Position string `json:"position" jsonschema:"enum=last,enum=first"`
	// The ARN, without version, of a layer that others publish, or a map by Region where their account differs.
	ARN arnEntry `json:"arn"`
	// Functions that stay at a version.
	Pins []pinFile `json:"pins"`
	// How many versions to keep, field by field before the environment's.
	Retention retentionEntry `json:"retention"`
	// Who may use the layer's versions: accounts, organizations (o-…), or {public: REASON} for every AWS account. In place of those of layer.yaml; an empty list takes back what layerd granted.
	ShareWith []principalEntry `json:"share_with"`
	// How to try a function after a change of this layer; one, or a list.
	SmokeTest smokeTestsEntry `json:"smoke_test"`
	// Allows to detach from OS-only and customer-managed runtimes (provided.*, custom), whose layers may hold the runtime itself.
	AllowRuntime bool `json:"allow_runtime"`
	// Whether SSM parameters say what is applied and proven of this layer; before the environment's.
	Parameters *bool `json:"parameters"`
}

// publicFile shares a layer with every AWS account.
type publicFile struct {
	// Why every AWS account may use the layer: it stands in the plan.
	Public string `json:"public" jsonschema:"required,minLength=1"`
}

// selectorFile chooses functions; all keys must match, and one without a condition matches none.
type selectorFile struct {
	// Glob on the function's name, case-sensitive.
	Name string `json:"name" jsonschema:"format=function-glob"`
	// Tags: key to glob of the value.
	Tags map[string]string `json:"tags"`
	// Glob on the runtime.
	Runtime string `json:"runtime" jsonschema:"format=runtime-glob"`
	// The architecture.
	Architecture string `json:"architecture" jsonschema:"enum=x86_64,enum=arm64"`
	// Has any version of this layer now.
	Attached *bool `json:"attached"`
}

// pinFile keeps some functions at a version.
type pinFile struct {
	// The layer, in pins of an environment.
	Layer string `json:"layer" jsonschema:"format=plain"`
	// Which functions; those that the layer does not select are not pinned.
	Functions []selectorEntry `json:"functions" jsonschema:"required,minItems=1"`
	// An exact version or a number.
	Version pinVersion `json:"version" jsonschema:"required"`
	// The last day, or the instant at which the pin ends: 2026-12-28, "2026-12-28 18:00", 2026-12-28T18:00+09:00. Without it the pin does not end; one that has ended is an error.
	Until string `json:"until" jsonschema:"format=until"`
	// Why.
	Reason string `json:"reason"`
	// Whom to ask.
	Owner string `json:"owner"`
}

// freezeFile is a time in which no change may start.
type freezeFile struct {
	// First day or instant: 2026-12-28, "2026-12-28 18:00" in the environment's zone, 2026-12-28T18:00+09:00, or 12-28 with every.
	From string `json:"from" jsonschema:"required,format=freeze-date"`
	// Last day (included) or instant, in the same forms. It may be as far away as it has to be.
	Until string `json:"until" jsonschema:"required,format=freeze-date"`
	// year: comes every year.
	Every string `json:"every" jsonschema:"enum=year"`
	// Why.
	Reason string `json:"reason"`
	// Whom to ask.
	Owner string `json:"owner"`
}

// cronWindow is a window that opens by a cron expression.
type cronWindow struct {
	// Minute, hour, day of month, month, day of week; SAT#1 is the first Saturday of a month, SATL the last, and L the last day. With both day fields a day has to match one of them only.
	Cron string `json:"cron" jsonschema:"required,format=cron"`
	// How long it stays open, 1m to 744h. Longer than the time to the next start, the window never closes.
	Duration string `json:"duration" jsonschema:"required,format=window-length"`
	// Default: the environment's.
	Timezone string `json:"timezone" jsonschema:"format=timezone"`
}

// driftFile is what to do about changes made by hand.
type driftFile struct {
	// heal, or report.
	Action string `json:"action" jsonschema:"enum=heal,enum=report"`
	// Act only on drift seen this long; weeks of it are never, for most drift.
	After durationEntry `json:"after"`
}

// retentionFile is how much of a layer's past is kept.
type retentionFile struct {
	// The newest versions are kept, at least 2. A number above what a layer has prunes nothing.
	VersionsToKeep *int `json:"versions_to_keep" jsonschema:"minimum=0,maximum=1000000"`
	// Only older versions are deleted. 0 is as without the key: age does not count.
	DeleteOlderThanDays *int `json:"delete_older_than_days" jsonschema:"minimum=0,maximum=36500"`
	// How long a version must be a candidate. 0 deletes it at once, for good. Default: 24h.
	Grace durationEntry `json:"grace"`
	// How many of layerd's own function versions still protect what they use. 0 protects none of what a rollback of an alias may need. Default: 5.
	FunctionVersions *int `json:"function_versions" jsonschema:"minimum=0,maximum=1000000"`
}

// overrideFile lets named layers ignore something for a while.
type overrideFile struct {
	// Which layers.
	Layers []plainText `json:"layers" jsonschema:"required,minItems=1"`
	// What they may ignore.
	Ignore []ignorable `json:"ignore" jsonschema:"required,minItems=1"`
	// The last day, or the instant at which it ends; after it the override ignores nothing.
	Until string `json:"until" jsonschema:"required,format=until"`
	// Why.
	Reason string `json:"reason" jsonschema:"required"`
	// Whom to ask.
	Owner string `json:"owner"`
}

// afterFile names the environment that goes first.
type afterFile struct {
	// Its name.
	Environment string `json:"environment" jsonschema:"required,format=plain"`
	// How long a version must be healthy there. Default: 0, that it was applied is enough.
	HealthyFor durationEntry `json:"healthy_for"`
	// Open a pull request that raises the version here.
	OpenPullRequest bool `json:"open_pull_request"`
}

// approversFile is who may approve.
type approversFile struct {
	// Teams or people.
	Teams []string `json:"teams" jsonschema:"required,minItems=1"`
	// How many of them. Default: 1.
	Minimum *int `json:"minimum" jsonschema:"minimum=1,maximum=100"`
}

// changeCalendarFile names calendars in which changes may be closed.
type changeCalendarFile struct {
	// Names or ARNs of SSM Change Calendars.
	Calendars []plainText `json:"calendars"`
	// An .ics file in the repository.
	File string `json:"file" jsonschema:"format=plain"`
	// What a calendar counts as that cannot be read; open lets everything pass then. Default: closed.
	OnError string `json:"on_error" jsonschema:"enum=closed,enum=open"`
}

// rolloutFile is how a change spreads.
type rolloutFile struct {
	// How many functions have changed at the end of each wave: counts (1) or shares of all (10%), never less than before. What is left after the last one is a wave more, so [1, 10%] is three waves and the third has everything else. An empty list, and [100%], change all at once.
	Waves []waveEntry `json:"waves"`
	// How many functions change at once.
	MaxParallel *int `json:"max_parallel" jsonschema:"minimum=1,maximum=1000"`
	// How long to watch after each wave. Without alarms, smoke_test and max_error_rate it only lets time pass; with 0 alarms are looked at before they can ring. Default: 0.
	Bake durationEntry `json:"bake"`
	// How to try a function after a change; one, or a list. An empty list tries nothing.
	SmokeTest smokeTestsEntry `json:"smoke_test"`
	// Names of CloudWatch alarms, metric or composite, that stop the rollout. An empty list looks at none.
	Alarms []alarmName `json:"alarms"`
	// Share of failed calls that stops the rollout, 0 to 1 or a percentage; needs a bake. 1 and 100% never stop it.
	MaxErrorRate rateEntry `json:"max_error_rate"`
	// Throttled calls in a bake that the rollout survives; needs a bake. A number above what a bake has never stops it.
	MaxThrottles *int `json:"max_throttles" jsonschema:"minimum=0"`
	// What follows a failure. Default: rollback.
	OnFailure string `json:"on_failure" jsonschema:"enum=rollback,enum=halt"`
	// What follows when health cannot be known; continue lets the rollout pass unseen. Default: halt.
	OnUnknown string `json:"on_unknown" jsonschema:"enum=halt,enum=rollback,enum=continue"`
	// Share of an alias's calls that goes to the new version first; needs alias, and a check that can fail.
	Canary *canaryFile `json:"canary"`
	// How long to watch alarms after the last wave; nothing without alarms. Default: 0.
	Watch durationEntry `json:"watch"`
	// A rollout may go on in the next window; with false it starts only when it can end in this one. Default: true.
	SpanWindows *bool `json:"span_windows"`
}

// canaryFile sends a share of an alias's calls to the new version first.
type canaryFile struct {
	// The share, more than 0 and less than 1, or a percentage; 0 and 100% would be none.
	Weight weightEntry `json:"weight" jsonschema:"required"`
	// How long it lasts. Default: 0, smoke tests only.
	Bake durationEntry `json:"bake"`
}

// smokeTestFile is one invocation that shows whether a function works.
type smokeTestFile struct {
	// The name of a function that gets a layer here; no wildcards.
	Function string `json:"function" jsonschema:"required,format=function-name"`
	// Alias or version. Default: the environment's alias, else $LATEST.
	Qualifier string `json:"qualifier" jsonschema:"format=qualifier"`
	// What the function is called with: any value, sent as JSON. A text in quotes is sent as text: write {"ping": true} without them. Default: {}.
	Payload any `json:"payload"`
	// What the answer must contain; {} is in every object. Default: any answer that is no error.
	Expect any `json:"expect"`
	// How long the call may take, 1s to 15m. Default: 30s.
	Timeout timeoutEntry `json:"timeout"`
}
