// Package awssim is an AWS small enough to live in memory. It speaks the wire
// protocols of eight services on one door: Lambda (functions, versions,
// aliases, layers, policies, tags, invocations, provisioned concurrency, code
// signing), S3 (buckets and objects with their versions), SSM (Parameter Store), SQS
// (standard queues, which EventBridge forwards to: Forward), STS, the Resource Groups
// Tagging API, CloudWatch (alarms, and metrics) and
// CloudTrail (who changed what). The official Go SDK and the AWS
// CLI cannot tell it from the real one in what layerd does with it.
//
//	w := awssim.New(awssim.Options{Account: "123456789012", Region: "ap-northeast-1", Settle: 3 * time.Second})
//	w.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: "v1.4.2"})
//	w.PutFunction(awssim.Function{Name: "api", Runtime: "python3.12", Layers: []string{w.LayerARN("common", 1)}})
//
//	cfg := aws.Config{Region: "ap-northeast-1", BaseEndpoint: aws.String("http://aws.test"),
//		HTTPClient: &http.Client{Transport: w.Transport()}, // no socket: works in a synctest bubble
//		Credentials: credentials.NewStaticCredentialsProvider("AKIDTEST", "secret", "")}
//	lambda.NewFromConfig(cfg).ListFunctions(ctx, nil)
//
// # A World
//
// A World holds many accounts and Regions. The Region of a request is the one
// in the credential scope of its signature, the account is the one its access
// key belongs to: an unknown key belongs to Options.Account, a key made by
// AddKey to the account given there, and AssumeRole hands out keys of the
// role's account. Signatures are read, never verified.
//
// # What it promises
//
// It enforces the rules that hurt: RevisionId changes with every write and
// once more when an update settles; a second write during an update is a 409;
// five layers, one version of each; a deleted version stays attached and can
// never be named again; numbers are never reused; delete always answers 204;
// tags belong to unqualified functions only; calls run the old layers until an
// update has settled, and a version with SnapStart is Pending before it can be
// called; 15 requests a second for everything but GetFunction; metrics show
// late and only under the exact dimensions; a bucket answers in its own Region
// only, and Lambda copies from none but its own; explicit nulls, pages of at most
// 50, and empty pages with a marker when asked. Time is taken from package time
// alone and nothing runs in the background: an update is settled when somebody
// looks after Options.Settle has passed, so virtual time just works.
//
// It remembers every call (Calls, Count, Writes), and OnCall decides per call
// whether it is slow, fails before doing anything, or does the thing and then
// fails, which is the failure worth testing. Read names what a request asks for without
// doing it, for tests that stand between a client and an AWS of others.
//
// # What it does not
//
// No IAM policies (use OnCall with Denied) but those of buckets and layer
// versions, no objects of more than a gigabyte and no multipart uploads, no code that runs (use OnInvoke),
// no alarm that looks at metrics, no signature check. What is not built answers
// 501 and says so: a request member that would be ignored is refused instead.
package awssim
