package contract_test

// motoDeviations is where moto 5.2.1 is wrong, fact by fact. A fact that comes
// true with a newer moto fails the suite until it is taken off.
func motoDeviations() map[string]string {
	const (
		noRevision   = "RevisionId is missing on create and update, and never compared"
		noProgress   = "creates and updates are over at once, so nothing is ever in progress"
		noPaging     = "MaxItems and Marker are ignored for this list"
		noLayerRules = "a list of layers is not checked beyond existence"
		noShapes     = "the shapes of requests are not checked"
		noRouting    = "the rules of weighted routing are not enforced"
		otherWords   = "404 in other words"
		noCBOR       = "CloudWatch is there only in its old protocols, which the SDK no longer speaks"
		noProvision  = "provisioned concurrency is not implemented"
		noRuntimes   = "customer-managed runtimes are not implemented"
		noSigning    = "code signing is not implemented"
		noTrail      = "LookupEvents is not implemented"
		noRegions    = "one bucket is in all Regions"
		noCopy       = "Lambda does not look at the object when a layer is published, whatever is there"
		noReference  = "S3ObjectStorageMode is ignored"
		policyAsSent = "policies are stored as sent and have no conditions, no unique ids and no revisions"
	)
	return map[string]string{
		"a created function has a RevisionId at once and another when it is active": noRevision,
		"the RevisionId of an update is stale once it has settled":                  noRevision,
		"an update with a stale RevisionId is refused and changes nothing":          noRevision,
		"tagging changes the RevisionId of the function":                            noRevision,
		"every update of an alias changes its RevisionId":                           "an alias keeps its RevisionId for life",
		"a stale RevisionId of an alias is refused":                                 "an alias's RevisionId is never compared",

		"a created function is Pending first":            noProgress,
		"an update is InProgress first":                  noProgress,
		"a second update during an update is a conflict": noProgress,
		"tagging during an update is a conflict":         noProgress,

		"a function without layers has none, not an empty list":             "Layers is [] instead of null",
		"LastModified has a zone without a colon":                           "the time ends in 000Z, which is no zone",
		"ListFunctions has layers and RevisionId but no states":             "lists have State and LastUpdateStatus",
		"publishing with the wrong CodeSha256 is refused":                   "CodeSha256 is ignored on publish",
		"the account settings tell the quota and what is used":              "GetAccountSettings is not implemented",
		"a deleted layer version cannot be named even where it is attached": "404 ResourceNotFoundException instead of 400",
		"a layer version that never was is refused as invalid":              "404 ResourceNotFoundException instead of 400",

		"ListFunctions gives no more than asked for":      noPaging,
		"ListFunctions refuses a marker that is none":     noPaging,
		"a list gives at most fifty on a page":            noPaging,
		"ListLayerVersions follows markers to the end":    noPaging,
		"ListLayerVersions refuses a marker that is none": noPaging,
		"ListLayerVersions refuses pages above fifty":     noPaging,

		"six layers are refused":                         noLayerRules,
		"two versions of one layer are refused":          noLayerRules,
		"one version named twice is refused":             noLayerRules,
		"an own layer of another Region is refused":      noLayerRules,
		"a refused update changes nothing":               noLayerRules,
		"a layer ARN without a version fails validation": "a 500 with a page of HTML",

		"a layer ARN is not a function name":                         noShapes,
		"a malformed layer ARN fails validation":                     "GetLayerVersionByArn is taken for ListLayers",
		"GetLayerVersionByArn is GetLayerVersion":                    "GetLayerVersionByArn is taken for ListLayers",
		"a layer version number below one is refused":                noShapes,
		"a Description of more than 256 characters fails validation": noShapes,
		"publishing what is no zip is refused":                       noShapes,
		"only GetLayerVersion can be granted":                        noShapes,
		"tagging a qualified function is refused":                    noShapes,
		"tagging by name fails validation":                           noShapes,
		"tagging a layer version fails validation":                   "the layer is looked for among the functions: 404",
		"the fifty-first tag is refused with the whole call":         noShapes,

		"an alias qualifier gives the ARN of the alias and the version behind it": "the ARN ends in the version",
		"an alias created twice is a conflict":                                    "the code is ConflictException",
		"an alias cannot route to its own version twice":                          noRouting,
		"an alias to LATEST cannot have weights":                                  noRouting,
		"a weight above one fails validation":                                     noRouting,
		"ListAliases by version does not see weights":                             "FunctionVersion is ignored",

		"an omitted Description is empty in publish and get and absent in lists": "it is absent everywhere",
		"omitted compatibility is absent and empty compatibility is empty":       "empty lists are dropped",
		"a missing layer version is 404":                                         otherWords,
		"list filters add up and leave out versions that say nothing":            "the filters of ListLayerVersions are ignored",
		"ListLayers filters by the newest version only":                          "filters are ignored",
		"deleting a version of a layer that never was succeeds":                  "404 instead of 204",

		"a layer version without a policy is 404":                                otherWords,
		"a layer version whose last statement was removed is 404 in other words": otherWords,
		"the policy of a layer version that is not there is 404":                 otherWords,
		"a grant to an account is stored as its root":                            policyAsSent,
		"a grant to an organization is a condition":                              policyAsSent,
		"a statement id used twice is a conflict":                                policyAsSent,
		"a stale RevisionId of a policy is refused":                              policyAsSent,

		"a version with SnapStart is Pending before it is Active":       noProgress,
		"a version with SnapStart cannot be called before it is Active": noProgress,
		"SnapStart leaves LATEST alone":                                 "SnapStart is not told",

		"an alias without provisioned concurrency is 404":                          noProvision,
		"provisioned concurrency is in progress and then ready":                    noProvision,
		"moving an alias provisions anew":                                          noProvision,
		"LATEST cannot have provisioned concurrency":                               noProvision,
		"an alias with weights cannot be given provisioned concurrency":            noProvision,
		"a list of provisioned concurrency names the ARNs of aliases and versions": noProvision,

		"publishing to LATEST.PUBLISHED without a capacity provider is refused": "PublishTo is ignored",
		"a weight for LATEST fails validation":                                  noRouting,
		"an alias with two weights is refused":                                  noRouting,
		"an alias cannot split between versions with other dead-letter queues":  noRouting,
		"an alias with a weight for a version that is not there is 404":         noRouting,

		"a customer-managed runtime is told with its alias, by reads and by lists":             noRuntimes,
		"the version of a function's runtime is told by reads, and not by a list of functions": noRuntimes,
		"a deleted runtime alias refuses updates with 409 and its own code":                    noRuntimes,
		"a function leaves a deleted runtime alias by an update that names another runtime":    noRuntimes,

		"a code signing configuration that is not there is 404":                   noSigning,
		"what is no ARN of a code signing configuration fails validation":         noSigning,
		"enforced code signing refuses layers nobody trusted has signed":          noSigning,
		"enforced code signing does not look at layers that are attached already": noSigning,
		"code signing that warns refuses nothing":                                 noSigning,
		"a code signing configuration is listed with its functions":               noSigning,
		"a signed layer tells who signed it":                                      noSigning,

		"CloudTrail has an update under its dated name and who made it": noTrail,
		"two lookup attributes are refused":                             noTrail,
		"more than fifty events on a page are refused":                  noTrail,
		"a StartTime of events after EndTime is refused":                noTrail,
		"a NextToken of events that is none is refused":                 noTrail,

		"an invocation of an alias that is not there is 404":      "the qualifier is ignored",
		"an invocation with a payload that is no JSON is refused": "a 500 with a page of HTML",
		"an invocation with more than six megabytes is refused":   "a 500 with a page of HTML",

		"a statement id has its shape":                                       noShapes,
		"a principal is an account, its root or everybody":                   noShapes,
		"an organization is granted with everybody only":                     noShapes,
		"a policy has the order of its grants and every change a RevisionId": policyAsSent,
		"removing with a stale RevisionId is refused and removes nothing":    "412 in other words",
		"what a layer version that is gone grants cannot be changed":         otherWords,
		"a policy of more than twenty kilobytes is refused":                  policyAsSent,

		"a new parameter needs a type and an old one does not": noShapes,
		"a tag of a parameter that begins with aws is refused": noShapes,
		"a parameter has at most fifty tags":                   "tags are not counted",
		"a parameter name has its shape":                       noShapes,
		"a parameter name has at most fifteen levels":          noShapes,
		"a parameter of more than 4096 characters is refused":  noShapes,
		"GetParametersByPath follows tokens to the end":        "a token that is none is a 500 with a page of HTML",
		"a page of more than ten parameters is refused":        noShapes,
		"a path that does not begin with a slash is refused":   noShapes,

		"an object whose checksum does not fit is refused":                          noShapes,
		"a bucket in another Region sends away":                                     noRegions,
		"a bucket name with capitals is refused":                                    noShapes,
		"a bucket whose policy denies reading is AccessDenied":                      "the code is Forbidden",
		"a layer published from a version of an object is that version":             "the newest is taken",
		"publishing from an object that is not there is refused in the words of S3": noCopy,
		"publishing from a bucket in another Region is refused":                     noRegions,
		"publishing from what is no zip in S3 is refused":                           noCopy,
		"publishing from S3 and from a zip at once is refused":                      noShapes,
		"publishing from a bucket that denies it is denied in the words of S3":      noCopy,
		"a layer cannot stay in a bucket without versions":                          noReference,
		"a layer that stays in S3 names the version and has no Location":            noReference,
		"a layer can stay in a bucket of another Region":                            noReference,

		"DescribeAlarms passes over names that do not exist":                   noCBOR,
		"DescribeAlarms tells the state and since when":                        noCBOR,
		"a composite alarm is found only by its type":                          noCBOR,
		"DescribeAlarms by prefix follows NextToken to the end":                noCBOR,
		"more than a hundred alarm names are refused":                          noCBOR,
		"alarm names together with a prefix are refused":                       noCBOR,
		"a NextToken of DescribeAlarms that is none is refused":                noCBOR,
		"a series without data is complete and empty":                          noCBOR,
		"StartTime is within and EndTime is not":                               noCBOR,
		"points come newest first unless asked otherwise":                      noCBOR,
		"a period adds up what it spans":                                       noCBOR,
		"dimensions match exactly or not at all":                               noCBOR,
		"a query without ReturnData is not answered":                           noCBOR,
		"more points than MaxDatapoints come in pages, partial until the end":  noCBOR,
		"more than 500 queries are refused":                                    noCBOR,
		"a query id with a capital first is refused":                           noCBOR,
		"a query id used twice is refused":                                     noCBOR,
		"a period that is no multiple of a minute is refused":                  noCBOR,
		"an EndTime before StartTime is refused":                               noCBOR,
		"DeleteMessageBatch takes at most ten entries":                         "two entries with one receipt are refused first, as if their ids were the same",
		"a percentile is one of the values of its period":                      noCBOR,
		"a metric is read as it was put, under the dimensions it was put with": noCBOR,
		"what is put twice adds up, and is no higher":                          noCBOR,
		"a value that is no number is refused, and all that came with it":      noCBOR,
		"a namespace of AWS is not written to":                                 noCBOR,
		"more than a thousand metrics are refused":                             noCBOR,
	}
}
