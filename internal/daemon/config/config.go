package config

import (
	"encoding/json"
	"log/slog"
	"time"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
	"github.com/layerd/layerd/internal/strictyaml"
)

// Config is the daemon's configuration file. Each field says what it is, its
// unit, what stands for it when the file says nothing, and what goes wrong with
// a bad choice; an editor shows the same text (Schema).
//
// A SECRET is never written into the file: the file says where it is. See
// Secret for the five ways.
type Config struct {
	// Time between two rounds of one account: 10s to 1h, 60s by default. A
	// change by hand is seen, and a merge is begun, at most this much later. A
	// round that finds nothing to do costs one call per 50 functions, so a short
	// interval in a large account spends quota that others may need. A window
	// that opens earlier than the next round has a round of its own.
	Interval Duration `json:"interval"`
	// The desired-state repository. Required.
	Git Git `json:"git" jsonschema:"required"`
	// Where the past, approvals and the lease are kept: sqlite:PATH,
	// dynamodb:TABLE or memory:. By default a file of SQLite in the unit's
	// StateDirectory, else under $XDG_STATE_HOME. Several daemons, and a daemon
	// without a disk that stays (ECS), need dynamodb. memory: forgets at every
	// restart what was approved and what was applied.
	Store string `json:"store" jsonschema:"format=store"`
	// How fast AWS is asked.
	AWS AWS `json:"aws"`
	// The address that health checks, people and machines ask.
	HTTP HTTP `json:"http"`
	// Where figures are put of which alarms are made, besides /metrics of http.listen:
	// cloudwatch, which puts LayerErrors, LayerSize and Rounds into the namespace layerd
	// of each account and Region every five minutes; nowhere by default. AWS takes money
	// for it, by the function most of all. Namespace and period are what alarms name, so
	// that neither can be chosen. Whether they may be put is found out when they are: the
	// log says what AWS refuses.
	Metrics string `json:"metrics" jsonschema:"enum=cloudwatch"`
	// Who is told about drift, held work and outcomes; nobody by default, or
	// with an empty list, and then only the log and the command line say what happens.
	Notify []Notify `json:"notify"`
	// What an environment's own file in the repository may reach, by environment;
	// beyond it is a problem of that file, and its last good commit is followed.
	// It is like bounds in the repository's layerd.yaml and wins over it, list by
	// list: whoever may merge there cannot widen it. "*" is for environments
	// without an entry, or without such a list in theirs; they are free otherwise.
	// Too narrow a bound stops an environment from following Git.
	Bounds map[string]Bound `json:"bounds"`
	// What is logged to standard error: debug, info, warn or error; info by
	// default, which is a line per round and per change.
	LogLevel string `json:"log_level" jsonschema:"enum=debug,enum=info,enum=warn,enum=error"`
}

// CloudWatch is the one place for Config.Metrics.
const CloudWatch = "cloudwatch"

// Bound is what one environment's file may reach. A list that is left out is no
// bound, and an empty one allows nothing. ${ENVIRONMENT}, ${ACCOUNT}, ${REGION} and
// ${PARTITION} work in all but accounts and regions.
type Bound struct {
	// Accounts, 12 digits in quotes.
	Accounts []string `json:"accounts"`
	// Regions.
	Regions []string `json:"regions"`
	// ARNs of roles, with * and ?. An environment without a role is beyond them:
	// it would act with all that the daemon itself may.
	Roles []string `json:"roles"`
	// Globs on the names of functions. Nothing that a selector could match may be
	// beyond them, so that each selector needs a name; nor what smoke tests call.
	Functions []string `json:"functions"`
	// Globs on what layers of the environment's own account are called live, by
	// name or by arn.
	LayerNames []string `json:"layer_names"`
}

// Desired returns the bounds as package desired takes them.
func (c Config) Desired() desired.Bounds {
	all := desired.Bounds{}
	for name, b := range c.Bounds {
		all[name] = desired.Bound(b)
	}
	return all
}

// Git says which branch is followed and how it is reached.
type Git struct {
	// https://…, ssh://…, user@host:path, or the path of a repository on this
	// machine. Required. It holds no password and no token, which would appear
	// in logs and process lists: they belong into auth.
	URL string `json:"url" jsonschema:"required"`
	// The branch, main by default. What is merged into it is what layerd does.
	Branch string `json:"branch"`
	// The folder of the repository that holds environments/, slash-separated;
	// its root by default.
	Path string `json:"path"`
	// Time between two looks at the branch: 10s to 1h, 60s by default. When the
	// branch could not be read for 15 minutes no change begins, so more than a
	// few minutes leaves little room for a server that is away, and from 15m on
	// nothing begins for a part of the time.
	Interval Duration `json:"interval"`
	// How long one look may take: 1s to 10m, 60s by default. Too short for a
	// large repository over a slow line means that it is never read.
	Timeout Duration `json:"timeout"`
	// How many bytes a commit may have, as it comes and unpacked: 1048576 (1 MiB)
	// to 4294967296 (4 GiB), 67108864 (64 MiB) by default. layerd holds them in
	// memory for the moment in which it reads. Of a server that can leave files
	// out, as GitHub and GitLab can, only those that layerd reads count.
	MaxBytes int64 `json:"max_bytes" jsonschema:"minimum=1048576,maximum=4294967296"`
	// How layerd proves who it is; a public repository needs nothing.
	Auth GitAuth `json:"auth"`
	// Whose signatures a commit must bear. Not supported yet.
	Verify any `json:"verify"`
	// SECRET with which the server signs its webhooks. Not supported yet: the
	// branch is looked at every interval.
	WebhookSecret Secret `json:"webhook_secret"`
}

// GitAuth are the credentials for Git. What the scheme of the URL does not use
// is a warning.
type GitAuth struct {
	// SECRET sent as the password over https: a deploy token, or a personal one.
	// It is read before each use, so that it may be replaced at any time. It
	// needs to read the repository and nothing else.
	Token Secret `json:"token"`
	// The user that goes with token; x-access-token by default, which GitHub and
	// GitLab take.
	User string `json:"user"`
	// SECRET with the private key for ssh, in PEM or OpenSSH form. A file is read
	// before each use, the other forms when the configuration is loaded. Without
	// it the agent at SSH_AUTH_SOCK is asked.
	SSHKey Secret `json:"ssh_key"`
	// SECRET that unlocks ssh_key.
	SSHPassphrase Secret `json:"ssh_passphrase"`
	// A file in OpenSSH's known_hosts form; those of the user and of the machine
	// by default. There is no way to accept any host.
	KnownHosts string `json:"known_hosts" jsonschema:"format=path"`
}

// AWS says how fast the control plane of Lambda is asked, per account and
// Region, retries included. Credentials, Region and endpoints come from the
// SDK's usual chain.
type AWS struct {
	// Calls a second, above 0 and at most 15; 5 by default. Lambda allows an
	// account and Region 15 for all its deployments together: at 15 layerd
	// starves the others, and much below 1 a rollout does not fit its window.
	RequestsPerSecond float64 `json:"requests_per_second" jsonschema:"minimum=0.01,maximum=15"`
	// Calls of GetFunction a second, above 0 and at most 100; 60 by default. It
	// has a quota of its own, 100, which functions with an alias are read from.
	GetFunctionPerSecond float64 `json:"get_function_per_second" jsonschema:"minimum=0.01,maximum=100"`
	// Where it stands what happens in AWS, so that drift is seen in seconds; nowhere by
	// default, and then rounds alone see it. What events say is only where to look.
	Events *Events `json:"events"`
}

// Events is a queue to which EventBridge forwards what happens in Lambda.
type Events struct {
	// URL of a standard queue of SQS, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME.
	// Required. One for all accounts and Regions, and for this repository alone: what is
	// about no environment of it is deleted. It is read with the daemon's own credentials.
	Queue string `json:"queue" jsonschema:"required,format=queue"`
}

// HTTP is the address of /healthz, /readyz, /metrics and of what comes later.
type HTTP struct {
	// HOST:PORT, 127.0.0.1:8080 by default. On another address than loopback
	// whoever reaches it can read what runs where; nobody can change anything.
	Listen string `json:"listen" jsonschema:"format=listen"`
	// Who may approve, pause and roll back over HTTP. Not supported yet: the
	// command line does it.
	Tokens any `json:"tokens"`
}

// Notify is one place that is told. It has exactly one key.
type Notify struct {
	// A channel of Slack.
	Slack *Slack `json:"slack"`
	// Any HTTP address. Not supported yet.
	Webhook any `json:"webhook"`
	// A topic of SNS. Not supported yet.
	SNS any `json:"sns"`
}

// Slack is a channel of Slack.
type Slack struct {
	// SECRET with the address of an incoming webhook, which says the channel
	// too. Whoever knows the address can write to the channel. Required.
	WebhookURL Secret `json:"webhook_url"`
	// SECRET of a bot, with which messages can be updated. Not supported yet.
	Token Secret `json:"token"`
	// The channel to which the bot writes. Not supported yet.
	Channel string `json:"channel"`
	// How long after it was told something that is still so is told again: 10m
	// to 30d, 24h by default. Short ones teach people to look away.
	RepeatInterval Duration `json:"repeat_interval"`
}

// Duration is a length of time, written 90s, 30m, 24h or 7d; a day is 24
// hours. As a value it is used like a time.Duration.
type Duration struct{ time.Duration }

// UnmarshalJSON reads the form of the file.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	length, err := strictyaml.ParseDuration(text)
	d.Duration = length
	return err
}

// Level is log_level as slog counts it.
func (c Config) Level() slog.Level {
	var level slog.Level
	// Load admits only what slog reads; the zero Config is at info, as is slog's
	// zero.
	_ = level.UnmarshalText([]byte(c.LogLevel))
	return level
}

// withDefaults fills in what the file did not say. It is the only place with
// defaults, but for the store, whose place depends on the machine.
func (c Config) withDefaults() Config {
	duration := func(d *Duration, otherwise time.Duration) {
		if d.Duration == 0 {
			d.Duration = otherwise
		}
	}
	text := func(s *string, otherwise string) {
		if *s == "" {
			*s = otherwise
		}
	}
	rate := func(r *float64, otherwise float64) {
		if *r == 0 {
			*r = otherwise
		}
	}
	duration(&c.Interval, time.Minute)
	text(&c.Git.Branch, "main")
	text(&c.Git.Path, ".")
	duration(&c.Git.Interval, time.Minute)
	duration(&c.Git.Timeout, time.Minute)
	if c.Git.MaxBytes == 0 {
		c.Git.MaxBytes = gitrepo.DefaultMaxBytes
	}
	rate(&c.AWS.RequestsPerSecond, 5)
	rate(&c.AWS.GetFunctionPerSecond, 60)
	text(&c.HTTP.Listen, "127.0.0.1:8080")
	text(&c.LogLevel, "info")
	for _, n := range c.Notify {
		if n.Slack != nil {
			duration(&n.Slack.RepeatInterval, 24*time.Hour)
		}
	}
	return c
}
