// Package s3 reads archives of layers from S3, as one account in one Region.
//
//	c, err := s3.New(cfg, awscall.Options{Account: "123456789012", Region: "ap-northeast-1"})
//	o, err := c.Head(ctx, "makoto-artifacts", "layers/common/1.4.2.zip", "")
//	err = c.Read(ctx, o, file)
//
// What it promises:
//
//   - Every request is signed with credentials that AWS said to be those of
//     Options.Account; see internal/awscall. The bucket may be another account's.
//   - Head costs one call and brings no byte of the object. In a bucket with
//     versioning its answer names the version, and Read brings that one, whatever
//     was written since; elsewhere Read brings what has the same ETag, or fails with
//     state.LookAgain.
//   - Read hands on each byte once and holds none: memory does not grow with the
//     object. It brings what Head counted, not a byte less or more.
//   - Errors are *state.Error, sorted by what to do next, or *archive.RegionError for a
//     bucket that is not in the Region of the client. An object that is not there is
//     state.Gone. S3 answers 403 instead where the caller may not list the bucket.
//
// It writes nothing.
package s3
