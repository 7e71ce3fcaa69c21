// Package parameters says what an environment stands for to those who are not layerd:
// under a name for each layer, the version that is applied and proven there.
//
//	want := parameters.Want(env, standing)         // of one Region
//	diff := parameters.Compare(want, have)         // have: as the account has them
//	for _, p := range diff.Put { … }
//
//	/layerd/prod/makoto-common/arn      arn:aws:lambda:…:layer:makoto-common-prod:13
//	/layerd/prod/makoto-common/version  1.4.2
//
// What is promised:
//
//   - A parameter names what came through a rollout and was not taken back, as
//     plan.Past.StandingOf has it: never what is newest, or on its way.
//   - What stands and has no semantic version has that of its number: 13. It never
//     keeps the version of another number.
//   - Once the diff is carried out, comparing again finds nothing.
//   - A parameter goes only where Git says version: none of its layer and no selected
//     function has it any more. One whose layer, environment or file is gone from Git stays, and
//     so does one with parameters: false: whoever reads it is not ours to break.
//   - Tags that others gave a parameter stay.
//
// It is pure: ssm, below, reads and writes.
package parameters
