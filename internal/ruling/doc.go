// Package ruling holds what people and checks decided: that a plan may be
// carried out (Approval), that an environment which is in the repository no
// more was removed on purpose (Forgotten), and that a version of a layer was bad
// and must not come back (Quarantine).
//
// An approval names an environment and a digest. The digest is made of the
// lines of the plan's change steps (ApprovalLine), so that it is exact about what was
// approved, and whoever approved can recompute it:
//
//	lines := []string{ruling.ApprovalLine("ap-northeast-1", "attach", layer, "makoto-chat-handler-prod", "13")}
//	digest := ruling.Digest(lines)
//
// Whoever rules does it through a Registry, which first writes into a Journal who
// decided what. To add a ruling, declare its type and its kind (see approve.go);
// what is stored, found, listed and changed is the same for all.
//
// What it promises (DESIGN section 2, "Approval"):
//
//   - An approval covers the lines of its plan and nothing else. A step that
//     appears later needs its own.
//   - What is left of an approved plan stays covered after a part of it was
//     done: the lines are bound to the approval (Update) before the first step
//     of the plan starts.
//   - It lasts seven days or to the end of the next window, whichever is
//     later; and once its rollout has begun, until that ends.
//   - Deciding (Covers, Expires, Replaces) is pure. Only functions that take a store
//     touch one.
//   - An environment stays forgotten until its file is seen again (Recall); its
//     history and its past are not touched.
//   - A quarantine holds one number of one layer in one environment and Region
//     back, from all functions or from those that a glob matches, until it is
//     ended. The first word stays, but for a person who rolls back what a check
//     had quarantined.
//   - The rulings of two desired-state repositories that share a store never
//     meet, although both may have an environment prod.
//
// # What is kept
//
// REPO is the identity of the desired-state repository.
//
//	approval/REPO/ENVIRONMENT/DIGEST
//	offer/REPO/ENVIRONMENT/DIGEST
//	forgotten/REPO/ENVIRONMENT
//	quarantine/REPO/ENVIRONMENT/REGION/ARN/NUMBER           of all functions
//	quarantine/REPO/ENVIRONMENT/REGION/ARN/NUMBER/GLOB      of some
//	lines/REPO/ENVIRONMENT/SHA256           a chunk of the lines of those above
//
// The lines of a plan of more than some two hundred steps are compressed (gzip)
// and cut into chunks, which fit into any store. A chunk is written before what
// names it, and never changed. The rest are values in JSON with a version "v"; one
// that is newer than this program knows is store.ErrNewer.
package ruling
