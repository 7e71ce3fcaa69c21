package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

func TestMain(m *testing.M) {
	// A process that is played mostly waits: for another one, for a lease, for a limiter.
	// Two at once, which is what two cores have by default, took 150 s for 60 s of work.
	if err := flag.Set("test.parallel", strconv.Itoa(4*runtime.GOMAXPROCS(0))); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"layerd": func() { os.Exit(run()) }})
}

// TestScripts drives the real binary. Every script has an AWS of its own, and
// a Git server at $GIT that serves what the command commit gave it.
func TestScripts(t *testing.T) {
	dir, files := filepath.Join("testdata", "script"), []string(nil)
	if testing.Short() {
		// Each command is a process of its own, and instrumented: these are the ones in
		// which the most happens at once.
		for _, name := range []string{"apply", "publish", "rollback", "run", "waves"} {
			files = append(files, filepath.Join(dir, name+".txtar"))
		}
		dir = ""
	}
	testscript.Run(t, testscript.Params{
		Dir: dir, Files: files,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "expand": expand, "commit": commit, "next": next,
			"layers": showLayers, "meddle": meddle, "newfunction": newFunction, "calls": calls, "deny": deny, "digest": digest,
			"breaks": breaks, "dynamo": dynamo, "alias": alias, "slack": slackTold, "heard": heard, "object": putObject, "traffic": traffic, "tag": tagFunction, "fleet": seedFleet,
		},
		Setup:               setUp,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
	})
}

const (
	simAccount = "123456789012"
	simKey     = "sim"
	gitKey     = "git"
	tablesKey  = "tables"
	slackKey   = "slack"
	reposKey   = "repositories"
)

// newWorld has six functions, three of each environment, and four versions of
// the layer makoto-common in each.
func newWorld() *awssim.World {
	w := awssim.New(awssim.Options{Account: simAccount, Region: testRegion, Limits: awssim.Unlimited()})
	w.AddKey("OTHER", "999999999999", "arn:aws:iam::999999999999:user/other")
	for _, env := range []string{"dev", "prod"} {
		for i, version := range []string{"1.3.0", "1.4.0", "1.4.1", "1.4.2"} {
			w.PutLayerVersion(awssim.LayerVersion{
				Name: "makoto-common-" + env, Description: "makoto-common v" + version,
				Created: time.Now().AddDate(0, 0, -100+10*i), Runtimes: []string{"python3.12"},
			})
		}
		for _, name := range []string{"api", "chat-handler", "notifier"} {
			w.PutFunction(awssim.Function{
				Name: "makoto-" + name + "-" + env, Runtime: "python3.12",
				Layers: []string{w.LayerARN("makoto-common-"+env, 3)},
			})
		}
	}
	return w
}

func setUp(e *testscript.Env) error { return setUpIn(e, newWorld()) }

func setUpIn(e *testscript.Env, world *awssim.World) error {
	git, tables := gitserve.New(), dynamotest.New()
	channel := newChannel()
	aws, web, dynamo, slack := httptest.NewServer(world.Handler()), httptest.NewServer(git), httptest.NewServer(tables), httptest.NewServer(channel)
	e.Defer(aws.Close)
	e.Defer(web.Close)
	e.Defer(dynamo.Close)
	e.Defer(slack.Close)
	e.Values[simKey], e.Values[gitKey], e.Values[tablesKey], e.Values[slackKey] = world, git, tables, channel
	e.Values[reposKey] = map[string]*gitserve.Repo{}
	home := filepath.Join(e.WorkDir, "home")
	for key, value := range map[string]string{
		"HOME": home, "XDG_STATE_HOME": filepath.Join(home, "state"), "GIT": web.URL, "SLACK": slack.URL,
		"AWS_ENDPOINT_URL": aws.URL, "AWS_ENDPOINT_URL_DYNAMODB": dynamo.URL, "AWS_REGION": testRegion, "AWS_ACCESS_KEY_ID": "TEST", "AWS_SECRET_ACCESS_KEY": "secret",
		"AWS_EC2_METADATA_DISABLED": "true", "TERM": "xterm-256color",
		"CLOSED": closedWindow(72 * time.Hour), "OPEN": "daily 00:00-24:00 Asia/Tokyo",
	} {
		e.Setenv(key, value)
	}
	return os.MkdirAll(home, 0o700)
}

// closedWindow is four hours on the day that is so far away, so that it is closed
// whenever the test runs.
func closedWindow(away time.Duration) string {
	return time.Now().UTC().Add(away).Format("Monday") + " 02:00-06:00 UTC"
}

// exits CODE COMMAND...: the command ends with exactly this code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	err := ts.Exec(args[1], args[2:]...)
	got := 0
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if fmt.Sprint(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

// expand FILE...: replaces $NAME by the environment, which txtar files lack.
func expand(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args {
		text := os.Expand(ts.ReadFile(name), ts.Getenv)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text), 0o644))
	}
}

// commit NAME FOLDER [BRANCH]: commits a folder to a new repository $GIT/NAME.
func commit(ts *testscript.TestScript, _ bool, args []string) {
	repo := ts.Value(gitKey).(*gitserve.Server).Add(args[0])
	ts.Value(reposKey).(map[string]*gitserve.Repo)[args[0]] = repo
	commitTo(ts, repo, args)
}

// next NAME FOLDER: commits what is in a folder on top of what $GIT/NAME has.
func next(ts *testscript.TestScript, _ bool, args []string) {
	commitTo(ts, ts.Value(reposKey).(map[string]*gitserve.Repo)[args[0]], args)
}

func commitTo(ts *testscript.TestScript, repo *gitserve.Repo, args []string) {
	files := map[string]string{}
	folder := ts.MkAbs(args[1])
	ts.Check(fs.WalkDir(os.DirFS(folder), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files[name] = ts.ReadFile(filepath.Join(args[1], name))
		}
		return err
	}))
	change := gitserve.Change{Subject: "test", Files: files}
	if len(args) > 2 {
		change.Branch = args[2]
	}
	_, err := repo.Commit(change)
	ts.Check(err)
}

// layers: what every function has, to standard output.
func showLayers(ts *testscript.TestScript, _ bool, _ []string) {
	for _, f := range world(ts).Functions() {
		var short []string
		for _, l := range f.Layers {
			short = append(short, l[strings.LastIndex(l, ":layer:")+7:])
		}
		fmt.Fprintln(ts.Stdout(), f.Name, strings.Join(short, " "))
	}
}

// meddle FUNCTION LAYER NUMBER: somebody else sets the function's only layer.
func meddle(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	w := world(ts)
	w.EditFunction(args[0], func(f *awssim.Function) { f.Layers = []string{w.LayerARN(args[1], n)} })
}

// alias FUNCTION NAME: somebody publishes a version and points an alias at it.
func alias(ts *testscript.TestScript, _ bool, args []string) {
	w := world(ts)
	w.PutAlias(awssim.Alias{Function: args[0], Name: args[1], Version: w.PutVersion(args[0])})
}

// newfunction NAME: somebody makes a function, which has no layers.
func newFunction(ts *testscript.TestScript, _ bool, args []string) {
	world(ts).PutFunction(awssim.Function{Name: args[0], Runtime: "python3.12"})
}

// tag FUNCTION KEY VALUE: somebody tags a function.
func tagFunction(ts *testscript.TestScript, _ bool, args []string) {
	world(ts).EditFunction(args[0], func(f *awssim.Function) { f.Tags = map[string]string{args[1]: args[2]} })
}

// traffic FUNCTION[:QUALIFIER] AGO CALLS ERRORS LENGTH: callers call it, each time for so
// long.
func traffic(ts *testscript.TestScript, _ bool, args []string) {
	name, qualifier, _ := strings.Cut(args[0], ":")
	before, err := time.ParseDuration(args[1])
	ts.Check(err)
	calls, err := strconv.Atoi(args[2])
	ts.Check(err)
	failed, err := strconv.Atoi(args[3])
	ts.Check(err)
	length, err := time.ParseDuration(args[4])
	ts.Check(err)
	world(ts).PutTraffic(awssim.Traffic{
		Function: name, Qualifier: qualifier, Time: time.Now().Add(-before), Invocations: calls, Errors: failed, Throttles: 1, Duration: length,
	})
}

// calls OPERATION N: it was called so often since the last calls; * stands for
// all writes, and . for all calls.
func calls(ts *testscript.TestScript, _ bool, args []string) {
	w := world(ts)
	got := w.Count(args[0])
	switch args[0] {
	case "*":
		got = w.Writes()
	case ".":
		got = len(w.Calls())
	}
	w.ResetCalls()
	if fmt.Sprint(got) != args[1] {
		ts.Fatalf("%d calls of %s, want %s", got, args[0], args[1])
	}
}

// deny OPERATION [RESOURCE]: IAM refuses it from now on.
func deny(ts *testscript.TestScript, _ bool, args []string) {
	world(ts).OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == args[0] && (len(args) < 2 || strings.Contains(c.Resource, args[1])) {
			return awssim.Denied(c)
		}
		return awssim.Fault{}
	})
}

// object BUCKET KEY FILE: puts a file into S3.
func putObject(ts *testscript.TestScript, _ bool, args []string) {
	world(ts).PutObject(args[0], args[1], []byte(ts.ReadFile(args[2])))
}

// breaks [LAYER NUMBER]: functions that run it fail from now on; without
// arguments all are well again.
func breaks(ts *testscript.TestScript, _ bool, args []string) {
	w := world(ts)
	w.OnInvoke(nil)
	if len(args) == 0 {
		return
	}
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	bad := w.LayerARN(args[0], n)
	w.OnInvoke(func(in awssim.Invocation) awssim.Result {
		if slices.Contains(in.Layers, bad) {
			return awssim.Result{FunctionError: "Unhandled", Payload: []byte(`{"errorMessage":"No module named 'common'"}`)}
		}
		return awssim.Result{}
	})
}

// dynamo deny|allow OPERATION: what IAM says of it from now on.
// dynamo calls OPERATION N: it was called so often.
func dynamo(ts *testscript.TestScript, _ bool, args []string) {
	db := ts.Value(tablesKey).(*dynamotest.DB)
	if args[0] == "calls" {
		if got := fmt.Sprint(db.Count(args[1])); got != args[2] {
			ts.Fatalf("%s calls of %s, want %s", got, args[1], args[2])
		}
		return
	}
	db.OnCall(func(c dynamotest.Call) dynamotest.Fault {
		if args[0] == "deny" && c.Operation == args[1] {
			return dynamotest.Denied(c)
		}
		return dynamotest.Fault{}
	})
}

// channel is as much of Slack as an incoming webhook is: below /services it
// takes what is posted, and everything else is a webhook that was revoked.
type channel struct {
	mu   sync.Mutex
	told []string      // bodies
	news chan struct{} // closed when one more is told
}

func newChannel() *channel { return &channel{news: make(chan struct{})} }

func (c *channel) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Method != http.MethodPost || !strings.HasPrefix(r.URL.Path, "/services/") {
		http.Error(w, "no_service", http.StatusNotFound)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.told = append(c.told, string(body))
	close(c.news)
	c.news = make(chan struct{})
	_, _ = io.WriteString(w, "ok") // a client that has left needs no answer
}

// heard PATTERN: waits until a message that matches was posted, and takes it.
func heard(ts *testscript.TestScript, _ bool, args []string) {
	c, pattern := ts.Value(slackKey).(*channel), regexp.MustCompile(args[0])
	for late := time.After(time.Minute); ; {
		c.mu.Lock()
		i, news, told := slices.IndexFunc(c.told, pattern.MatchString), c.news, strings.Join(c.told, "\n")
		if i >= 0 {
			fmt.Fprintln(ts.Stdout(), c.told[i])
			c.told = slices.Delete(c.told, i, i+1)
		}
		c.mu.Unlock()
		if i >= 0 {
			return
		}
		select {
		case <-news:
		case <-late:
			ts.Fatalf("%s was not heard, but\n%s", pattern, told)
		}
	}
}

// slack: what was posted since the last time, to standard output.
func slackTold(ts *testscript.TestScript, _ bool, _ []string) {
	c := ts.Value(slackKey).(*channel)
	c.mu.Lock()
	defer c.mu.Unlock()
	fmt.Fprintln(ts.Stdout(), len(c.told), "messages")
	for _, m := range c.told {
		fmt.Fprintln(ts.Stdout(), m)
	}
	c.told = nil
}

func world(ts *testscript.TestScript) *awssim.World { return ts.Value(simKey).(*awssim.World) }

var approveLine = regexp.MustCompile(`layerd approve \S+ ([0-9a-f]{64}|[0-9a-f]{12})\b`)

// digest WHOLE SHORT: sets two variables from the last plan's output.
func digest(ts *testscript.TestScript, _ bool, args []string) {
	m := approveLine.FindStringSubmatch(ts.ReadFile("stdout"))
	if m == nil {
		ts.Fatalf("no layerd approve in the output")
	}
	ts.Setenv(args[0], m[1])
	ts.Setenv(args[1], m[1][:8])
}
