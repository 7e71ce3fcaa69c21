// Package lease lets one layerd at a time act on an account, and lets it know
// when it no longer may.
//
// A lease is one value in a store: who has it, a fencing number, and a beat
// that the holder raises three times a term. Whoever wants it and finds it
// taken watches the beat. When that has not moved for a whole term of the
// watcher's own clock, the holder is gone and the lease may be taken over.
//
//	keeper := lease.New(s, lease.Holder{Name: "ip-10-0-1-7:1", Repository: "github.com/acme/layers"}, 0)
//	l, err := keeper.Try(ctx, "123456789012")
//	if held, ok := errors.AsType[*lease.HeldError](err); ok {
//		… held.By.Name has it; try again later …
//	}
//	defer l.Release(ctx)
//	ctx, cancel := l.Bind(ctx) // ends before the lease does
//	defer cancel()
//	… l.Fence() goes into every record …
//	if err := l.Check(); err != nil { … do not send … }
//
// # What is promised
//
//   - Two holders never overlap, however their machines' clocks are set. No
//     decision compares two machines' clocks: a holder counts from before it
//     asked the store to renew, a watcher from after it saw the beat, both on
//     their own machine. A term that the watcher has seen pass has passed for
//     the holder as well.
//   - Time in which the machine slept counts for the holder and not for the
//     watcher. A clock that is set to another time counts for neither.
//   - The fencing number grows with every change of hands and never goes back:
//     releasing keeps the value.
//   - What Bind returns ends a third of a term before the lease does, Check
//     fails from then on, and Until is when nothing may be on its way any more.
//   - An answer of the store that got lost is found out, not guessed. A caller
//     that does not want the lease any more when it has it leaves it to the next
//     one in the same process (Identity).
//   - A holder whose process provably has ended is no holder, and its lease is
//     free two seconds later: the same boot of the same kernel, the same
//     namespaces, and no process of that number and start; or an earlier boot of
//     the same EC2 instance. Whatever is not known proves nothing, and then it is
//     a term.
//   - A holder whose store was replaced (store.ErrReplaced) has lost its lease:
//     before the next change where the store can notice by itself, and at the
//     next renewal where the lease is missing or older than it was.
//
// # Sharing
//
// Several daemons on one store divide the accounts among themselves without
// knowing each other: Ask leaves a wish at a lease that somebody else has. The
// holder sees it (Asked), releases when it suits, and the lease is reserved for
// the one who asked. When to ask is the caller's business.
//
// # What is not
//
// A machine that is copied while it runs, memory and all, has copies with one boot
// and one name. Where those share a store that is not copied with them, a holder
// on one of them looks like a process that has ended on the other.
//
// AWS does not know the fencing number. Between Check and the arrival of a
// request there is a moment that nothing can guard; that is why every write but
// publish and delete names the revision that it was decided on, and why a
// request's deadline must not be after Until.
package lease
