package apply_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/apply"
	"github.com/layerd/layerd/internal/apply/applytest"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
)

func share(n int64, g state.Grant) plan.Step {
	return plan.Step{
		ID: fmt.Sprintf("share/makoto-common/%d/%s", n, g.Key()), Kind: plan.KindShare, Layer: "makoto-common", LayerARN: common,
		To: common.Version(n), Cause: plan.CauseChange, AnyTime: true, Sharing: new(plan.Sharing(g)),
	}
}

func unshare(n int64, g state.Grant) plan.Step {
	s := share(n, g)
	s.ID, s.From, s.To = "un"+s.ID, s.To, ""
	return s
}

var (
	account      = state.NewGrant("210987654321")
	organization = state.NewGrant("o-abc123def4")
	theirs       = state.Grant{Sid: "by-hand", Principal: "333333333333"}
	// disguised has a Sid of ours and is for somebody else.
	disguised = state.Grant{Sid: account.Sid, Principal: "333333333333"}
)

func TestShare(t *testing.T) {
	for name, tt := range map[string]struct {
		before []state.Grant
		steps  []plan.Step
		after  []state.Grant
		want   map[string]string
		calls  int // that change something
	}{
		"granted": {
			nil, []plan.Step{share(12, account), share(12, organization)}, []state.Grant{account, organization},
			map[string]string{"share/makoto-common/12/210987654321": "applied", "share/makoto-common/12/o-abc123def4": "applied"}, 2,
		},
		"there already": {
			[]state.Grant{theirs, account}, []plan.Step{share(12, account)}, []state.Grant{theirs, account},
			map[string]string{"share/makoto-common/12/210987654321": "applied"}, 1,
		},
		"there already, for somebody else": {
			[]state.Grant{disguised}, []plan.Step{share(12, account)}, []state.Grant{disguised},
			map[string]string{"share/makoto-common/12/210987654321": "failed"}, 1,
		},
		"taken back": {
			[]state.Grant{theirs, account}, []plan.Step{unshare(12, account)}, []state.Grant{theirs},
			map[string]string{"unshare/makoto-common/12/210987654321": "applied"}, 1,
		},
		"taken back already": {
			[]state.Grant{theirs}, []plan.Step{unshare(12, account)}, []state.Grant{theirs},
			map[string]string{"unshare/makoto-common/12/210987654321": "applied"}, 0,
		},
		"for somebody else meanwhile": {
			[]state.Grant{disguised}, []plan.Step{unshare(12, account)}, []state.Grant{disguised},
			map[string]string{"unshare/makoto-common/12/210987654321": "skipped"}, 0,
		},
		"taken back and granted anew under one Sid": {
			[]state.Grant{disguised}, []plan.Step{unshare(12, disguised), share(12, account)}, []state.Grant{account},
			map[string]string{"unshare/makoto-common/12/333333333333": "applied", "share/makoto-common/12/210987654321": "applied"}, 2,
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, book := applytest.New(nil), &notebook{}
				w.SetGrants(common.Version(12), tt.before...)
				planned := &plan.Region{Steps: tt.steps}
				if err := carryOut(t.Context(), planned, w, book, apply.Options{}); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(results(planned), tt.want); diff != "" {
					t.Errorf("results (-have +want):\n%s", diff)
				}
				if diff := cmp.Diff(w.Grants(common.Version(12)), tt.after); diff != "" {
					t.Errorf("grants (-have +want):\n%s", diff)
				}
				if n := len(w.Calls("GrantLayer")) + len(w.Calls("RevokeLayer")); n != tt.calls {
					t.Errorf("%d writes, want %d: %v", n, tt.calls, w.Calls(""))
				}
				if len(book.open) > 0 || len(w.Faults()) > 0 {
					t.Errorf("open %v, faults %v", book.open, w.Faults())
				}
			})
		})
	}
}

// Whatever goes wrong with any one call, once or for good, grants that Git does not
// name stay, results are what became of them, and nothing is asked for ever.
func TestShareWithFaults(t *testing.T) {
	for _, kind := range []state.Kind{state.Again, state.Unsure, state.LookAgain, state.Human, state.Stopped, state.Barred} {
		for _, did := range []bool{false, true} {
			if did && kind != state.Unsure && kind != state.Stopped {
				continue // the others say that nothing was done
			}
			for _, times := range []int{1, 100} {
				for at := 1; at <= 6; at++ {
					t.Run(fmt.Sprintf("%v done %v, call %d, %d times", kind, did, at, times), func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) { shareWithFault(t, kind, did, at, times) })
					})
				}
			}
		}
	}
}

func shareWithFault(t *testing.T, kind state.Kind, did bool, at, times int) {
	w, book := applytest.New(nil), &notebook{}
	v := common.Version(12)
	w.SetGrants(v, theirs, organization)
	calls := 0
	w.Hook = func(op, name string) (bool, error) {
		if calls++; calls < at || calls >= at+times {
			return true, nil
		}
		return did, &state.Error{Op: op, Resource: name, Kind: kind}
	}
	planned := &plan.Region{Steps: []plan.Step{unshare(12, organization), share(12, account), share(13, account)}}
	_ = carryOut(t.Context(), planned, w, book, apply.Options{})
	if calls > 60 {
		t.Errorf("%d calls", calls)
	}
	has := func(v state.LayerVersionARN, g state.Grant) bool { return slices.Contains(w.Grants(v), g) }
	if !has(v, theirs) || len(w.Faults()) > 0 {
		t.Errorf("grants %v, faults %v", w.Grants(v), w.Faults())
	}
	is := []bool{!has(v, organization), has(v, account), has(common.Version(13), account)}
	for i, s := range planned.Steps {
		if s.Done() != is[i] && len(book.open) == 0 {
			t.Errorf("%s: %+v, done is %v", s.ID, *s.Result, is[i])
		}
		if s.Done() && !is[i] {
			t.Errorf("%s counts as done and is not", s.ID)
		}
	}
}

// A right that is missing is met once and not two hundred times; what needs another
// right, and everything else, goes on.
func TestShareDenied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, book := applytest.New(map[string][]state.LayerVersionARN{"chat": {common.Version(11)}}), &notebook{}
		w.SetGrants(common.Version(1), organization)
		w.Hook = func(op, name string) (bool, error) {
			if op == "GrantLayer" {
				return false, &state.Error{Op: "AddLayerVersionPermission", Resource: name, Kind: state.Human, Code: "AccessDeniedException", Message: "no"}
			}
			return true, nil
		}
		steps := []plan.Step{step("chat", common, 12, list{common.Version(11)}), unshare(1, organization)}
		for n := range int64(200) {
			steps = append(steps, share(n+1, account))
		}
		planned := &plan.Region{Steps: append(steps, prune(extra, 1))}
		if err := carryOut(t.Context(), planned, w, book, apply.Options{}); err != nil {
			t.Fatal(err)
		}
		got := map[plan.Status]int{}
		for _, s := range planned.Steps {
			got[s.Result.Status]++
		}
		if want := map[plan.Status]int{"applied": 3, "failed": 1, "skipped": 199}; !cmp.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
		if n := len(w.Calls("GrantLayer")); n != 1 {
			t.Errorf("asked %d times", n)
		}
	})
}

// Whom AWS does not know is met once a Sid and direction, and not on two hundred versions;
// others are granted. What is of one version is met on each.
func TestShareRefusedAlike(t *testing.T) {
	for code, want := range map[string]struct {
		calls int
		got   map[plan.Status]int
	}{
		"InvalidParameterValueException": {1, map[plan.Status]int{"applied": 51, "failed": 1, "skipped": 49}},
		"ValidationException":            {1, map[plan.Status]int{"applied": 51, "failed": 1, "skipped": 49}},
		"PolicyLengthExceededException":  {50, map[plan.Status]int{"applied": 51, "failed": 50}},
		"ResourceConflictException":      {50, map[plan.Status]int{"applied": 51, "failed": 50}},
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, book := applytest.New(nil), &notebook{}
				w.SetGrants(common.Version(99), account)
				refused := 0
				for n := range int64(50) {
					if code == "ResourceConflictException" { // by the world itself
						w.SetGrants(common.Version(n+1), disguised)
					}
				}
				var now plan.Step
				w.Hook = func(op, name string) (bool, error) {
					if op == "GrantLayer" && now.Sharing.Sid == account.Sid {
						if refused++; code != "ResourceConflictException" {
							return false, &state.Error{Op: "AddLayerVersionPermission", Resource: name, Kind: state.Human, Code: code, Message: "no"}
						}
					}
					return true, nil
				}
				steps := []plan.Step{unshare(99, account)} // the other direction
				for n := range int64(50) {
					steps = append(steps, share(n+1, account), share(n+1, organization))
				}
				planned := &plan.Region{Steps: steps}
				leave := func(s plan.Step) *plan.Result { now = s; return nil }
				if err := carryOut(t.Context(), planned, w, book, apply.Options{Leave: leave}); err != nil {
					t.Fatal(err)
				}
				got := map[plan.Status]int{}
				for _, s := range planned.Steps {
					got[s.Result.Status]++
				}
				if !cmp.Equal(got, want.got) || refused != want.calls {
					t.Errorf("got %v after %d calls, want %v after %d", got, refused, want.got, want.calls)
				}
				if len(book.open) > 0 {
					t.Errorf("open %v", book.open)
				}
			})
		})
	}
}

// What is stopped in the middle leaves the rest for the next round, and says so.
func TestShareStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, book := applytest.New(nil), &notebook{}
		ctx, cancel := context.WithCancel(t.Context())
		w.Hook = func(op, _ string) (bool, error) {
			if len(w.Calls("GrantLayer")) == 2 {
				cancel()
			}
			return true, nil
		}
		planned := &plan.Region{Steps: []plan.Step{share(1, account), share(2, account), share(3, account), share(4, account)}}
		if err := carryOut(ctx, planned, w, book, apply.Options{}); err == nil {
			t.Error("nobody says that it was stopped")
		}
		want := map[string]string{"share/makoto-common/1/210987654321": "applied", "share/makoto-common/2/210987654321": "applied",
			"share/makoto-common/3/210987654321": "skipped", "share/makoto-common/4/210987654321": "skipped"}
		if diff := cmp.Diff(results(planned), want); diff != "" || len(book.open) > 0 {
			t.Errorf("open %v; results (-have +want):\n%s", book.open, diff)
		}
	})
}
