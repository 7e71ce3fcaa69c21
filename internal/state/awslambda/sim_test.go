package awslambda

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// These run against the simulated AWS, which has opinions of its own: settling
// updates, changing revisions, 15 requests a second.

func simWorld(change ...func(*awssim.Options)) *awssim.World {
	o := awssim.Options{Account: testAccount, Region: testRegion, Settle: 2 * time.Second}
	for _, f := range change {
		f(&o)
	}
	return awssim.New(o)
}

func simClient(t *testing.T, w *awssim.World, change ...func(*Options)) *Client {
	t.Helper()
	o := Options{Options: awscall.Options{Account: testAccount, Region: testRegion, HTTPClient: &http.Client{Transport: w.Transport()}}}
	for _, f := range change {
		f(&o)
	}
	c, err := New(t.Context(), testConfig(), o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Fleets past one page of everything: tools that forgot to advance the marker
// saw fifty of each and called the rest gone.
func TestPeer1_EveryListIsReadToItsEnd(t *testing.T) {
	for _, empty := range []bool{false, true} {
		t.Run(fmt.Sprintf("empty pages %v", empty), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := simWorld(func(o *awssim.Options) { o.EmptyPages = empty })
				for i := range 120 {
					w.PutLayerVersion(awssim.LayerVersion{Name: "common", Description: fmt.Sprintf("v1.0.%d", i)})
				}
				var layers []state.LayerARN
				for i := range 60 {
					name := fmt.Sprintf("layer-%02d", i)
					w.PutLayerVersion(awssim.LayerVersion{Name: name})
					layers = append(layers, layerARN(name))
				}
				for i := range 260 {
					w.PutFunction(awssim.Function{
						Name: fmt.Sprintf("f-%03d", i), Layers: []string{w.LayerARN("common", int64(i%120+1))},
						Tags: map[string]string{"n": fmt.Sprint(i)},
					})
				}
				for range 70 {
					w.EditFunction("f-000", func(f *awssim.Function) { f.Description += "x" })
					w.PutVersion("f-000")
				}
				for i := range 60 {
					w.PutAlias(awssim.Alias{Function: "f-000", Name: fmt.Sprintf("a-%02d", i), Version: "1"})
				}
				c := simClient(t, w)
				s := observe(t, c, state.Query{Layers: append(layers, layerARN("common")), Tags: true})
				if err := c.Look(t.Context(), &s, state.Needs{Uses: true, Aliases: []string{"f-000"}}); err != nil {
					t.Fatal(err)
				}
				common, _ := s.Layer(layerARN("common"))
				last := s.Functions[259]
				if len(s.Functions) != 260 || len(s.Layers) != 61 || len(common.Versions) != 120 || last.Tags["n"] != "259" {
					t.Errorf("%d functions, %d layers, %d versions, last %+v", len(s.Functions), len(s.Layers), len(common.Versions), last)
				}
				if len(s.Uses.Published) != 70 || len(s.Aliases["f-000"]) != 60 {
					t.Errorf("%d published, %d aliases", len(s.Uses.Published), len(s.Aliases["f-000"]))
				}
				if !empty {
					// ceil(260/50) + 60 + ceil(120/50) + ceil(260/100) + identity, then ceil(330/50) + ceil(60/50).
					if got, want := len(w.Calls()), 6+60+3+3+1+7+2; got != want {
						t.Errorf("%d calls, want %d", got, want)
					}
				}
			})
		})
	}
}

// The order of a list is AWS's, read and written: later layers win.
func TestPeer2_OrderIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		var list state.Layers
		for _, name := range []string{"z", "a", "m"} {
			w.PutLayerVersion(awssim.LayerVersion{Name: name})
			list = append(list, layerARN(name).Version(1))
		}
		w.PutFunction(awssim.Function{Name: "f", Layers: []string{string(list[1])}})
		c := simClient(t, w)
		if diff := cmp.Diff(list, change(t, c, list).Layers); diff != "" {
			t.Errorf("written and read again (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(list, observe(t, c, state.Query{}).Functions[0].Layers); diff != "" {
			t.Errorf("listed (-want +got):\n%s", diff)
		}
	})
}

// change is the whole sequence of one write to function f.
func change(t *testing.T, c *Client, list []state.LayerVersionARN) state.Function {
	t.Helper()
	f, err := c.Function(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.SetLayers(t.Context(), "f", list, f.RevisionID)
	if err != nil || id == "" {
		t.Fatalf("request id %q, %v", id, err)
	}
	if f, err = c.WaitUpdated(t.Context(), "f"); err != nil {
		t.Fatal(err)
	}
	return f
}

// The last layer can be detached: an empty list is sent as one.
func TestPeer4_LastLayerCanBeDetached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
		w.PutFunction(awssim.Function{Name: "f", Layers: []string{w.LayerARN("z", 1)}})
		c := simClient(t, w)
		for _, empty := range [][]state.LayerVersionARN{nil, {}} {
			if f := change(t, c, empty); f.Layers != nil {
				t.Errorf("layers %v are left", f.Layers)
			}
		}
	})
}

// What is read is what AWS has, never what we asked for: a change that AWS
// accepted and then failed is not told as done.
func TestPeer5_HaveIsReadNotRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
		w.PutFunction(awssim.Function{Name: "f"})
		w.FailNextUpdate("f", "InternalError", "no room")
		c := simClient(t, w)
		f, err := c.Function(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.SetLayers(t.Context(), "f", []state.LayerVersionARN{layerARN("z").Version(1)}, f.RevisionID); err != nil {
			t.Fatal(err)
		}
		f, err = c.WaitUpdated(t.Context(), "f")
		e := kindIs(t, err, state.Human)
		if !strings.Contains(e.Message, "no room") || f.LastUpdateStatus != "Failed" {
			t.Errorf("got %v and %+v", e, f)
		}
	})
}

// One function that cannot be read does not keep the others from being read.
func TestPeer8_OneBadFunctionDoesNotStopTheSweep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		var n state.Needs
		for i := range 30 {
			name := fmt.Sprintf("f-%02d", i)
			w.PutFunction(awssim.Function{Name: name})
			n.Aliases = append(n.Aliases, name)
		}
		w.OnCall(func(c awssim.Call) awssim.Fault {
			if c.Operation == "ListAliases" && c.Resource == "f-07" {
				return awssim.Denied(c)
			}
			return awssim.Fault{}
		})
		var s state.Snapshot
		err := simClient(t, w).Look(t.Context(), &s, n)
		if state.KindOf(err) != state.Human || !strings.Contains(err.Error(), "f-07") || len(s.Aliases) != 29 {
			t.Errorf("%d read, error %v", len(s.Aliases), err)
		}
	})
}

// The secondary version of a weighted alias is told.
func TestPeer11_WeightedVersionIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutFunction(awssim.Function{Name: "f"})
		w.PutVersion("f")
		w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: "1", Weights: map[string]float64{"2": 0.25}})
		var s state.Snapshot
		if err := simClient(t, w).Look(t.Context(), &s, state.Needs{Aliases: []string{"f"}}); err != nil {
			t.Fatal(err)
		}
		a, _ := w.Alias("f", "live")
		want := []state.Alias{{Name: "live", Version: "1", Weights: map[string]float64{"2": 0.25}, RevisionID: a.RevisionID}}
		if diff := cmp.Diff(want, s.Aliases["f"]); diff != "" {
			t.Errorf("aliases (-want +got):\n%s", diff)
		}
	})
}

// Grants are told per version, so that they can be carried forward.
func TestPeer12_GrantsAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutLayerVersion(awssim.LayerVersion{Name: "z", Grants: []awssim.Grant{
			{Principal: "210987654321"}, {Principal: "*", OrganizationID: "o-abc123def4"}, {Principal: testAccount},
		}})
		w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
		one, two := layerARN("z").Version(1), layerARN("z").Version(2)
		var s state.Snapshot
		if err := simClient(t, w).Look(t.Context(), &s, state.Needs{Policies: []state.LayerVersionARN{one, two}}); err != nil {
			t.Fatal(err)
		}
		grants := []state.Grant{{Sid: "grant-1", Principal: "210987654321"}, {Sid: "grant-2", Principal: "*", Organization: "o-abc123def4"}, {Sid: "grant-3", Principal: testAccount}}
		want := map[state.LayerVersionARN]state.Policy{
			one: {Principals: []string{"210987654321", "org:o-abc123def4"}, Grants: grants, Revision: s.Policies[one].Revision}, two: {},
		}
		if diff := cmp.Diff(want, s.Policies); diff != "" {
			t.Errorf("policies (-want +got):\n%s", diff)
		}
	})
}

// Waiting spends GetFunction's quota, adapts to how long it takes, and needs
// at most five reads for an update that takes three seconds.
func TestPeer15And16_WaitingIsCheapAndAdapts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, settle := range []time.Duration{0, time.Second, 3 * time.Second} {
			w := simWorld(func(o *awssim.Options) { o.Settle = settle })
			w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
			w.PutFunction(awssim.Function{Name: "f"})
			c := simClient(t, w)
			began := time.Now()
			f := change(t, c, []state.LayerVersionARN{layerARN("z").Version(1)})
			if took := time.Since(began); took > settle+2500*time.Millisecond {
				t.Errorf("settle %v: took %v", settle, took)
			}
			if n := w.Count("GetFunction"); n > 5 || w.Count("GetFunctionConfiguration") != 0 {
				t.Errorf("settle %v: %d GetFunction, %d GetFunctionConfiguration", settle, n, w.Count("GetFunctionConfiguration"))
			}
			// The revision is the final one: a second write with it is accepted.
			if _, err := c.SetLayers(t.Context(), "f", nil, f.RevisionID); err != nil {
				t.Errorf("settle %v: %v", settle, err)
			}
		}
	})
}

// The answer was lost, the change was made: unsure, sent once, and to be
// found by looking.
func TestLostAnswerIsUnsure(t *testing.T) {
	for name, fault := range map[string]awssim.Fault{"lost": awssim.LostAnswer(), "500 after": awssim.ServerErrorAfter()} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := simWorld()
				w.PutLayerVersion(awssim.LayerVersion{Name: "z"})
				w.PutFunction(awssim.Function{Name: "f"})
				w.OnCall(func(c awssim.Call) awssim.Fault {
					if c.Write {
						return fault
					}
					return awssim.Fault{}
				})
				c := simClient(t, w)
				f, err := c.Function(t.Context(), "f")
				if err != nil {
					t.Fatal(err)
				}
				want := state.Layers{layerARN("z").Version(1)}
				_, err = c.SetLayers(t.Context(), "f", want, f.RevisionID)
				kindIs(t, err, state.Unsure)
				f, err = c.WaitUpdated(t.Context(), "f")
				if err != nil || !slices.Equal(f.Layers, want) || w.Count("UpdateFunctionConfiguration") != 1 {
					t.Errorf("%v, layers %v after %d writes", err, f.Layers, w.Count("UpdateFunctionConfiguration"))
				}
			})
		})
	}
}

// 412 when somebody wrote in between, 409 while an update is in progress: both
// are for looking again, and neither is repeated.
func TestConflictsAreForLookingAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutFunction(awssim.Function{Name: "f"})
		c := simClient(t, w)
		f, err := c.Function(t.Context(), "f")
		if err != nil {
			t.Fatal(err)
		}
		w.EditFunction("f", func(f *awssim.Function) { f.MemorySize = 256 })
		_, err = c.SetLayers(t.Context(), "f", nil, f.RevisionID)
		if e := kindIs(t, err, state.LookAgain); e.Code != "PreconditionFailedException" || e.RequestID == "" {
			t.Errorf("got %+v", e)
		}
		if f, err = c.Function(t.Context(), "f"); err != nil {
			t.Fatal(err)
		}
		if _, err := c.SetLayers(t.Context(), "f", nil, f.RevisionID); err != nil {
			t.Fatal(err)
		}
		_, err = c.SetLayers(t.Context(), "f", nil, "")
		if e := kindIs(t, err, state.LookAgain); e.Code != "ResourceConflictException" {
			t.Errorf("got %+v", e)
		}
		if n := w.Count("UpdateFunctionConfiguration"); n != 3 {
			t.Errorf("%d writes were sent, want 3", n)
		}
	})
}

// A layer that is gone keeps its own kind: a person has to name another.
func TestRefusalsReachAPerson(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.PutFunction(awssim.Function{Name: "f"})
		c := simClient(t, w)
		_, err := c.SetLayers(t.Context(), "f", []state.LayerVersionARN{layerARN("z").Version(9)}, "")
		if e := kindIs(t, err, state.Human); e.Code != "InvalidParameterValueException" || !strings.Contains(e.Message, "does not exist") {
			t.Errorf("got %+v", e)
		}
		_, err = c.Function(t.Context(), "nobody")
		kindIs(t, err, state.Gone)
	})
}

func TestProbesOfForeignLayers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		put := func(grants ...awssim.Grant) state.LayerVersionARN {
			n := w.PutLayerVersion(awssim.LayerVersion{Account: "464622532012", Name: "ext", Grants: grants})
			return state.NewLayerARN("aws", testRegion, "464622532012", "ext").Version(n)
		}
		granted, private, deleted := put(awssim.Grant{Principal: "*"}), put(), put(awssim.Grant{Principal: "*"})
		w.DropLayerVersion(string(deleted))
		var s state.Snapshot
		if err := simClient(t, w).Look(t.Context(), &s, state.Needs{Probes: []state.LayerVersionARN{granted, private, deleted}}); err != nil {
			t.Fatal(err)
		}
		if !s.Probes[granted].Usable || s.Probes[private].Usable || s.Probes[deleted].Usable || s.Probes[private].Reason == "" || len(s.Probes) != 3 {
			t.Errorf("probes %+v", s.Probes)
		}
	})
}

func TestAssumeRoleWithExternalID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		w.AddKey("AKID", "555555555555", "") // the hub, another account
		w.PutRole(awssim.Role{ARN: "arn:aws:iam::" + testAccount + ":role/layerd", ExternalID: "ext-1"})
		w.PutFunction(awssim.Function{Name: "f"})
		role := func(externalID string) *Client {
			return simClient(t, w, func(o *Options) {
				o.Role, o.ExternalID, o.SessionName = "arn:aws:iam::"+testAccount+":role/layerd", externalID, "layerd-prod"
			})
		}
		if s := observe(t, role("ext-1"), state.Query{}); len(s.Functions) != 1 || s.Account != testAccount {
			t.Errorf("got %+v", s)
		}
		last := w.Calls()[len(w.Calls())-1]
		if !strings.HasSuffix(last.Caller, "/layerd-prod") {
			t.Errorf("caller %s", last.Caller)
		}
		_, err := role("guess").Observe(t.Context(), state.Query{})
		if e := kindIs(t, err, state.Barred); e.Op != "AssumeRole" || e.Code != "AccessDenied" {
			t.Errorf("got %+v", e)
		}
		// Without the role these are the hub's own credentials.
		w.ResetCalls()
		_, err = simClient(t, w).Observe(t.Context(), state.Query{})
		if _, ok := err.(*state.WrongAccountError); !ok || len(w.Calls()) != 1 {
			t.Errorf("%v after %d calls", err, len(w.Calls()))
		}
	})
}

// Six clients without common sense: the account's 15 a second are shared with
// others, and everybody comes through without an error.
func TestThrottledByNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld(func(o *awssim.Options) { o.Limits = awssim.Limits{Control: 3, GetFunction: 100} })
		for i := range 300 {
			w.PutFunction(awssim.Function{Name: fmt.Sprintf("f-%03d", i)})
		}
		limits := NewLimits(10, 60) // more than there is
		var wg sync.WaitGroup
		for range 6 {
			c := simClient(t, w, func(o *Options) { o.Limits = limits })
			wg.Go(func() {
				if s, err := c.Observe(t.Context(), state.Query{}); err != nil || len(s.Functions) != 300 {
					t.Errorf("%d functions, %v", len(s.Functions), err)
				}
			})
		}
		wg.Wait()
		s := limits.Stats()
		if s.Throttled == 0 || s.Calls["ListFunctions"] != 36+s.Throttled {
			t.Errorf("stats %+v: want 36 good pages and every retry counted", s)
		}
		if s.Throttled > 18 {
			t.Errorf("%d of %d calls were throttled: the limiter does not slow down", s.Throttled, s.Total())
		}
	})
}

// Looking changes nothing, twice is the same, and no secret stays.
func TestSecondLookIsEqual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := simWorld()
		for _, name := range []string{"c", "a", "b"} {
			w.PutLayerVersion(awssim.LayerVersion{Name: name, Runtimes: []string{"python3.12"}})
			w.PutFunction(awssim.Function{Name: name, Layers: []string{w.LayerARN(name, 1)}, Environment: map[string]string{"PASSWORD": planted}})
			w.PutVersion(name)
		}
		c := simClient(t, w)
		look := func() state.Snapshot {
			s := observe(t, c, state.Query{Layers: []state.LayerARN{layerARN("b"), layerARN("a"), layerARN("none")}, Tags: true})
			err := c.Look(t.Context(), &s, state.Needs{Uses: true, Aliases: []string{"a"}, Policies: []state.LayerVersionARN{layerARN("a").Version(1)}})
			if err != nil {
				t.Fatal(err)
			}
			s.ObservedAt, s.Uses.SweptAt = time.Time{}, time.Time{}
			return s
		}
		first, second := look(), look()
		if diff := cmp.Diff(first, second); diff != "" {
			t.Errorf("two looks differ:\n%s", diff)
		}
		holds(t, reflect.ValueOf(first), map[uintptr]bool{})
		if w.Writes() != 0 {
			t.Errorf("looking made %d writes", w.Writes())
		}
	})
}
