package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/goldentest"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/store/storetest"
)

// TestPast drives the binary over a store that layerd of commit 6485e27 left,
// and over what AWS had at that moment: what people have must be read as it was.
// All of it was written in the first night of 2000, so that nothing depends on
// when the test runs. -update writes the words anew.
func TestPast(t *testing.T) {
	nightly.NotShort(t, "it reads bytes of an older layerd, in one process after the other")
	testscript.Run(t, testscript.Params{
		Dir: filepath.Join("testdata", "past"),
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "layers": showLayers, "calls": calls, "masked": maskFile,
		},
		Setup:               func(e *testscript.Env) error { return setUpPast(t, e) },
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       goldentest.Update(),
	})
}

// setUpPast makes the world of the past, its store at $PAST, and a clone in r.
func setUpPast(t *testing.T, e *testscript.Env) error {
	if err := setUpIn(e, pastWorld(t)); err != nil {
		return err
	}
	path := filepath.Join(e.WorkDir, "past.db")
	storetest.PastFile(t, path)
	e.Setenv("PAST", "sqlite:"+path)
	for _, folder := range []string{"objects", "refs/heads"} {
		if err := os.MkdirAll(filepath.Join(e.WorkDir, "r", ".git", folder), 0o755); err != nil {
			return err
		}
	}
	return nil
}

// pastWorld has the functions as they were, and of each environment's layer the
// versions that were not pruned.
func pastWorld(t *testing.T) *awssim.World {
	t.Helper()
	w := awssim.New(awssim.Options{Account: simAccount, Region: testRegion, Limits: awssim.Unlimited()})
	layers := map[[2]string]bool{}
	for line := range strings.Lines(storetest.PastAWS) {
		var region, name string
		var number int64
		if _, err := fmt.Sscan(line, &region, &name, &number); err != nil {
			t.Fatal(err)
		}
		name, qualifier, _ := strings.Cut(name, ":")
		env := name[strings.LastIndex(name, "-")+1:]
		if at := [2]string{region, env}; !layers[at] {
			layers[at] = true
			putPastLayers(w, region, env)
		}
		if qualifier == "live" {
			w.PutAlias(awssim.Alias{Function: name, Name: qualifier, Version: fmt.Sprint(number)})
			continue
		}
		w.PutFunction(awssim.Function{
			Region: region, Name: name, Layers: []string{fmt.Sprintf("arn:aws:lambda:%s:%s:layer:common-%s:%d", region, simAccount, env, number)},
		})
		if qualifier != "" {
			w.PutVersion(name)
		}
	}
	return w
}

func putPastLayers(w *awssim.World, region, env string) {
	for n := int64(1); n <= 6; n++ {
		if env == "dev" && n <= 3 {
			continue
		}
		w.PutLayerVersion(awssim.LayerVersion{
			Region: region, Name: "common-" + env, Number: n, Description: fmt.Sprintf("common v1.%d.0", n),
			Created: time.Date(1999, 1, int(n), 0, 0, 0, 0, time.UTC),
		})
	}
}

// today is what an output has that depends on when it is made, and what stands
// for it. Whatever happened in the past stays as it is.
var today = []struct {
	what *regexp.Regexp
	by   string
}{
	{regexp.MustCompile(`\(\S+ ago\)`), "(… ago)"},
	{regexp.MustCompile(`20[2-9]\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+\d\d:\d\d)`), "<instant>"},
	{regexp.MustCompile(`20[2-9]\d{5}T\d{6}\.\d{9}Z-[A-Z2-7]{12}`), "<id>"},
	{regexp.MustCompile(`\w{3} 20[2-9]\d-\d\d-\d\d( \d\d:\d\d)?`), "<moment>"},
	{regexp.MustCompile(`"duration_seconds": [\d.e-]+`), `"duration_seconds": <n>`},
	{regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4,12}){4}`), "<request>"},
}

// weekday is how an instant of the last days is told, also one of the past.
var weekday = regexp.MustCompile(`(Mon|Tue|Wed|Thu|Fri|Sat|Sun) \d\d:\d\d JST`)

// masked FILE [new]: FILE without what differs from run to run, to standard
// output; new: and without any weekday, where all was done by this test.
func maskFile(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	for _, name := range []string{"PAST", "WORK", "AWS_ENDPOINT_URL"} {
		text = strings.ReplaceAll(text, ts.Getenv(name), "$"+name)
	}
	for _, m := range today {
		text = m.what.ReplaceAllString(text, m.by)
	}
	if len(args) > 1 {
		text = weekday.ReplaceAllString(text, "<weekday>")
	}
	fmt.Fprint(ts.Stdout(), text)
}
