package daemon_test

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
)

// lockedBuffer is a log that is read while a daemon writes it.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// What a probe that was killed has left is named once, is in no fleet however wide a
// selector is, and costs no call; one that lives as long as probes do is not named.
func TestALeftProbeIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, 3)
		log := &lockedBuffer{}
		s.log = log
		s.commit("All", map[string]string{"environments/dev.yaml": envFile(accountID, `{version: 1.4.0, functions: ["*"]}`, "")})
		p := s.start("one")
		time.Sleep(10 * time.Minute)
		// A round is one of each list; how many begin within ten minutes is chance.
		quiet := func(when string) {
			s.world.ResetCalls()
			time.Sleep(10 * time.Minute)
			functions, versions := s.world.Count("ListFunctions"), s.world.Count("ListLayerVersions")
			if n := len(s.world.Calls()); n == 0 || n != functions+versions || max(functions, versions) > min(functions, versions)+1 {
				t.Errorf("%d calls in ten minutes %s, of which %d and %d are lists", n, when, functions, versions)
			}
		}
		quiet("without it")
		probe := awssim.Function{Name: "layerd-probe-abc", Layers: []string{layerARN(accountID, "common", 1)}, Tags: map[string]string{"layerd:probe": "2000-01-01T00:00:00Z"}}
		const line = `msg="temporary function of a probe is left"`
		s.world.PutFunction(probe)
		time.Sleep(5 * time.Minute)
		s.world.DropFunction(probe.Name)
		time.Sleep(15 * time.Minute)
		if n := log.count(line); n != 0 {
			t.Errorf("one that was removed is named %d times", n)
		}
		s.world.PutFunction(probe)
		quiet("beside it")
		time.Sleep(time.Hour)
		if n := log.count(line); n != 1 || log.count("layerd-probe-abc") == 0 || log.count("layerd doctor --env dev") == 0 {
			t.Errorf("it is named %d times", n)
		}
		if f, _ := s.world.Function(probe.Name); len(f.Layers) != 1 || f.Layers[0] != probe.Layers[0] {
			t.Errorf("it was changed to %v", f.Layers)
		}
		p.stop()
	})
}
