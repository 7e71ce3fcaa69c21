package inspect

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// fakeTrials is an AWS that dies at a call, before or after it was done.
type fakeTrials struct {
	functions map[string]map[string]string // tags by name
	calls     int
	dieAt     int  // the call at which it dies; 0 = never
	after     bool // after it was done
}

var errDead = errors.New("killed")

// do plays one call; a process that is dead does nothing more.
func (f *fakeTrials) do(deed func() error) error {
	f.calls++
	switch {
	case f.dieAt > 0 && f.calls > f.dieAt, f.dieAt == f.calls && !f.after:
		return errDead
	}
	err := deed()
	if f.dieAt == f.calls {
		return errDead
	}
	return err
}

func gone(name string) error { return &state.Error{Op: "x", Resource: name, Kind: state.Gone} }

func (f *fakeTrials) Create(_ context.Context, t Trial) error {
	return f.do(func() error { f.functions[t.Name] = t.Tags; return nil })
}
func (f *fakeTrials) Ready(context.Context, string) error { return f.do(func() error { return nil }) }
func (f *fakeTrials) Invoke(context.Context, string, []byte) ([]byte, string, error) {
	return []byte("{}"), "", f.do(func() error { return nil })
}
func (f *fakeTrials) Tags(_ context.Context, name string) (tags map[string]string, err error) {
	err = f.do(func() error {
		if f.functions[name] == nil {
			return gone(name)
		}
		tags = f.functions[name]
		return nil
	})
	return tags, err
}
func (f *fakeTrials) Delete(_ context.Context, name string) error {
	return f.do(func() error {
		if f.functions[name] == nil {
			return gone(name)
		}
		delete(f.functions, name)
		return nil
	})
}
func (f *fakeTrials) Names(context.Context) (names []string, err error) {
	err = f.do(func() error { names = sortedKeys(f.functions); return nil })
	return names, err
}

// deadStore is a store whose process dies at a write, before or after it was done.
type deadStore struct {
	store.Store
	calls *fakeTrials
}

func (d deadStore) Create(ctx context.Context, key string, data []byte) (rev store.Revision, err error) {
	err = d.calls.do(func() (err error) { rev, err = d.Store.Create(ctx, key, data); return err })
	return rev, err
}

func (d deadStore) Replace(ctx context.Context, key string, old store.Revision, data []byte) (rev store.Revision, err error) {
	err = d.calls.do(func() (err error) { rev, err = d.Store.Replace(ctx, key, old, data); return err })
	return rev, err
}

func probesWith(s store.Store, t Trials, now time.Time) *Probes {
	return &Probes{Store: s, Account: "123456789012", Region: "ap-northeast-1", Trials: t, Host: "here", PID: 7, Alive: func(pid int) bool { return pid == 8 }, Now: func() time.Time { return now },
		Deadline: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithCancel(context.WithoutCancel(ctx))
		}}
}

func trial(t *testing.T, id string) Trial {
	t.Helper()
	made, err := NewTrial(state.Function{Runtime: "python3.12", Architecture: "arm64"}, state.Layers{ownLayer.Version(4)}, "arn:r", id, examinedAt)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// Killed at any call to AWS or to the store, before or after it was done, a probe leaves
// nothing behind that the next one does not remove, and nothing that is not written down.
func TestProbeKilledAtEachCall(t *testing.T) {
	calls := 0
	for at := 1; ; at++ {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("call %d, done %v", at, after), func(t *testing.T) {
				kept, world := store.NewMemory(), &fakeTrials{functions: map[string]map[string]string{"makoto-chat-prod": {}}, dieAt: at, after: after}
				_, err := probesWith(deadStore{kept, world}, world, examinedAt).Run(t.Context(), trial(t, "a"), nil)
				calls = world.calls
				if err == nil && at <= world.calls && !(after && at == world.calls) {
					t.Fatalf("not killed: %d calls", world.calls)
				}
				open, err := probesWith(kept, world, examinedAt).Open(t.Context())
				if err != nil || len(world.functions) > 1 && len(open) == 0 {
					t.Fatalf("left and not written down: %v, %v", world.functions, err)
				}
				world.dieAt = 0
				next := probesWith(kept, world, examinedAt.Add(time.Second))
				if _, err := next.Clean(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				if _, err := next.Run(t.Context(), trial(t, "b"), nil); err != nil {
					t.Fatal(err)
				}
				if names := sortedKeys(world.functions); !slices.Equal(names, []string{"makoto-chat-prod"}) {
					t.Errorf("left: %v", names)
				}
				later := probesWith(kept, world, examinedAt.Add(settled+time.Second))
				if _, err := later.Clean(t.Context(), false); err != nil {
					t.Fatal(err)
				}
				if open, _ := later.Open(t.Context()); len(open) != 0 {
					t.Errorf("still on the list: %+v", open)
				}
			})
		}
		if at > calls {
			return
		}
	}
}

// A making that was lost may be done late: it stays on the list until that is over.
func TestProbeMadeLate(t *testing.T) {
	kept, world := store.NewMemory(), &fakeTrials{functions: map[string]map[string]string{}}
	p := probesWith(kept, world, examinedAt)
	lost := lostCreate{world}
	p.Trials = lost
	made := trial(t, "a")
	if _, err := p.Run(t.Context(), made, nil); state.KindOf(err) != state.Unsure {
		t.Fatal(err)
	}
	world.functions[made.Name] = made.Tags // now AWS has done it
	if removed, err := p.Clean(t.Context(), false); err != nil || len(removed) != 1 || len(world.functions) != 0 {
		t.Errorf("%v, %v, %v", removed, err, world.functions)
	}
}

type lostCreate struct{ *fakeTrials }

func (lostCreate) Create(context.Context, Trial) error { return &state.Error{Kind: state.Unsure} }

// Whom nobody knows is left alone: functions of others, whatever their names, and probes
// that are at work.
func TestCleanLeavesOthersAlone(t *testing.T) {
	old := map[string]string{ProbeTag: examinedAt.Add(-time.Hour).Format(time.RFC3339)}
	world := &fakeTrials{functions: map[string]map[string]string{
		"layerd-probe-mine": {}, "layerd-probe-theirs": {ProbeTag: "soon"}, "other": old, "layerd-probe-old": old,
		"layerd-probe-young": {ProbeTag: examinedAt.Format(time.RFC3339)}, "layerd-probe-at-work": {ProbeTag: examinedAt.Format(time.RFC3339)}, "layerd-probe-elsewhere": {ProbeTag: examinedAt.Format(time.RFC3339)},
	}}
	p := probesWith(store.NewMemory(), world, examinedAt)
	if err := p.change(t.Context(), func([]Intent) []Intent {
		return []Intent{{"layerd-probe-at-work", examinedAt, "here", 8}, {"layerd-probe-elsewhere", examinedAt, "there", 9}, {"layerd-probe-mine", examinedAt, "here", 6}}
	}); err != nil {
		t.Fatal(err)
	}
	removed, err := p.Clean(t.Context(), true)
	if err != nil || !slices.Equal(removed, []string{"layerd-probe-old"}) {
		t.Errorf("%v, %v", removed, err)
	}
}

func TestNewTrial(t *testing.T) {
	for runtime, ok := range map[string]bool{"python3.12": true, "nodejs24.x": true, "java21": false, "provided.al2023": false, "ruby3.4": false, "": false} {
		made, err := NewTrial(state.Function{Runtime: runtime}, nil, "arn:r", "x", examinedAt)
		if _, unsupported := errors.AsType[*UnsupportedError](err); unsupported == ok {
			t.Errorf("%s: %v", runtime, err)
		}
		if ok && (len(made.Zip) == 0 || made.Name != "layerd-probe-x" || made.Tags[ProbeTag] == "") {
			t.Errorf("%+v", made)
		}
	}
	if _, err := NewTrial(state.Function{Runtime: "python3.12", Image: true}, nil, "", "", examinedAt); err == nil {
		t.Error("an image can be probed")
	}
}

// The code of the probe runs in the real interpreters, where they are here: it answers
// for what is there, for what is not and for what breaks, and with no value of a variable.
func TestProbeCode(t *testing.T) {
	for _, c := range []struct{ interpreter, run string }{
		{"python3", `import sys, json; sys.path.insert(0, "."); import index; print(json.dumps(index.handler({"imports": ["json", "nothere", "broken", "ending"]}, None)))`},
		{"node", `require("./index.js").handler({imports: ["good", "nothere", "./broken.js", "modern"]}).then(r => console.log(JSON.stringify(r)))`},
	} {
		t.Run(c.interpreter, func(t *testing.T) {
			path, err := exec.LookPath(c.interpreter)
			if err != nil {
				t.Skip("not here")
			}
			dir := t.TempDir()
			for name, text := range map[string]string{
				"index.py": string(pythonProbe), "index.js": string(nodeProbe), "broken.py": "raise ValueError('no')", "ending.py": "import sys; sys.exit(3)", "broken.js": "throw new Error('no')",
				"node_modules/good/package.json": `{"name": "good", "version": "1.2.3"}`, "node_modules/good/index.js": "",
				"node_modules/modern/package.json": `{"name": "modern", "version": "2.0.0", "type": "module", "exports": "./index.js"}`, "node_modules/modern/index.js": "export default 1",
			} {
				at := filepath.Join(dir, name)
				if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			flag := map[string]string{"python3": "-c", "node": "-e"}[c.interpreter]
			cmd := exec.Command(path, flag, c.run)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "DB_PASSWORD=hunter2")
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			for _, says := range []string{`"DB_PASSWORD"`, `nothere`, `no`, `"layerd":1`, `"runtime":`} {
				if !strings.Contains(strings.ReplaceAll(string(out), ": ", ":"), says) && !strings.Contains(string(out), says) {
					t.Errorf("%s is not in %s", says, out)
				}
			}
			if strings.Contains(string(out), "hunter2") {
				t.Errorf("a value is shown: %s", out)
			}
		})
	}
}
