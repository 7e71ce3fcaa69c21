package main

import (
	"archive/zip"
	"bytes"
	"crypto/rand"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/nightly"
	"github.com/layerd/layerd/internal/present"
	"github.com/layerd/layerd/internal/store/sqlitestore"
)

// layerZip returns the zip of a layer with packages of PyPI, each as "name version", other
// files, and as many bytes more that no compression makes smaller.
func layerZip(t *testing.T, packages []string, files map[string]string, more int) []byte {
	t.Helper()
	all := map[string]string{}
	for _, p := range packages {
		name, version, _ := strings.Cut(p, " ")
		info := fmt.Sprintf("python/%s-%s.dist-info/", strings.ReplaceAll(name, "-", "_"), version)
		all[info+"METADATA"] = fmt.Sprintf("Metadata-Version: 2.1\nName: %s\nVersion: %s\n\nbody\n", name, version)
		all["python/"+strings.ToLower(name)+"/__init__.py"] = "x = 1\n"
	}
	for name, text := range files {
		all[name] = text
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	var names []string
	for name := range all {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		w, err := z.Create(name)
		if err == nil {
			_, err = w.Write([]byte(all[name]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if more > 0 {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "python/data.bin", Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		noise := make([]byte, more)
		_, _ = rand.Read(noise) // never fails
		if _, err := w.Write(noise); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// downloads counts what is read of archives.
type downloads struct {
	http.Handler
	requests, bytes atomic.Int64
}

func (d *downloads) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.Contains(r.URL.Path, "download") {
		d.requests.Add(1)
		w = &countingWriter{w, &d.bytes}
	}
	d.Handler.ServeHTTP(w, r)
}

type countingWriter struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.bytes.Add(int64(len(p)))
	return c.ResponseWriter.Write(p)
}

// finding is a fleet with a hundred versions of a layer, whoever else has layers, and a
// command line to look into it.
type finding struct {
	*awssim.World
	*downloads
	t    *testing.T
	repo string
	db   string
}

const vendor = "464622532012"

func newFinding(t *testing.T) *finding {
	t.Helper()
	w := awssim.New(awssim.Options{Account: simAccount, Region: testRegion, Limits: awssim.Unlimited()})
	f := &finding{World: w, downloads: &downloads{Handler: w.Handler()}, t: t, repo: testRepo(t), db: filepath.Join(t.TempDir(), "layerd.db")}
	server := httptest.NewServer(f.downloads)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	return f
}

func (f *finding) run(args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	a, out, err := testApp(f.t)
	code = a.execute(f.t.Context(), append(args, "--repo", f.repo, "--store", "sqlite:"+f.db, "--requests-per-second", "15"))
	return code, out.String(), err.String()
}

func (f *finding) found(args ...string) (int, present.Find) {
	f.t.Helper()
	code, stdout, stderr := f.run(append(args, "-o", "json")...)
	var answer present.Find
	if err := json.Unmarshal([]byte(stdout), &answer); err != nil {
		f.t.Fatalf("%v: %v\n%s%s", args, err, stdout, stderr)
	}
	return code, answer
}

// keep makes a store, which find itself never does.
func (f *finding) keep() {
	f.t.Helper()
	s, err := sqlitestore.Open(f.db)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		f.t.Fatal(err)
	}
}

func carriers(a present.Find) (names []string) {
	for _, c := range a.Found {
		names = append(names, fmt.Sprintf("%s %d", c.Layer.Layer().Name(), c.Number))
	}
	return names
}

// A hundred versions of real wheels' metadata: who carries it is named with all that has
// it, each layer version is asked for once, and the second time none.
func TestFindOverAHundredVersions(t *testing.T) {
	nightly.OrCI(t, "at 15 calls a second it waits for ten")
	f := newFinding(t)
	var want []string
	for i := range 100 {
		version := fmt.Sprintf("1.26.%d", i)
		if i >= 60 {
			version = fmt.Sprintf("2.2.%d", i-60)
		}
		packages := []string{"urllib3 " + version, "requests 2.31.0", "Zope.Interface 6.0"}
		for j := range 20 {
			packages = append(packages, fmt.Sprintf("package-%d 1.%d", j, i))
		}
		f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Description: fmt.Sprintf("v1.%d.0", i), Content: layerZip(t, packages, nil, 0)})
		if i < 62 { // 2.2.2 is the 63rd
			want = append([]string{fmt.Sprintf("makoto-common-dev %d", i+1)}, want...)
		}
	}
	f.PutFunction(awssim.Function{Name: "makoto-api-dev", Layers: []string{f.LayerARN("makoto-common-dev", 62)}})
	f.PutVersion("makoto-api-dev")
	f.PutAlias(awssim.Alias{Function: "makoto-api-dev", Name: "live", Version: "1"})
	f.PutFunction(awssim.Function{Name: "stray", Layers: []string{f.LayerARN("makoto-common-dev", 2)}})
	f.PutFunction(awssim.Function{Name: "makoto-new-dev", Layers: []string{f.LayerARN("makoto-common-dev", 100)}})

	code, answer := f.found("find", "urllib3<2.2.2")
	if code != exitOK || answer.Looked.LayerVersions != 100 || answer.Looked.Fetched != 100 || len(answer.Unknown)+len(answer.Gaps) != 0 {
		t.Fatalf("exit code %d: %+v, %v, %v", code, answer.Looked, answer.Unknown, answer.Gaps)
	}
	if diff := cmp.Diff(want, carriers(answer)); diff != "" {
		t.Error(diff)
	}
	if newest := answer.Found[0]; newest.Version != "1.61.0" || !newest.Live {
		t.Errorf("the newest is %+v", newest)
	}
	users := answer.Found[0].Users
	if len(users) != 2 || users[0].Qualifier != "$LATEST" || users[1].Qualifier != "1" || !slices.Equal(users[1].Aliases, []string{"live"}) || !slices.Equal(users[0].Environments, []string{"dev"}) {
		t.Errorf("users of the newest: %+v", users)
	}
	if stray := answer.Found[len(want)-2].Users; len(stray) != 1 || stray[0].Function != "stray" || len(stray[0].Environments) != 0 {
		t.Errorf("users of the second: %+v", stray)
	}
	if got := f.World.Count("GetLayerVersionByArn"); got != 100 {
		t.Errorf("%d calls for 100 layer versions", got)
	}
	if _, err := os.Stat(f.db); err == nil {
		t.Error("find made a store")
	}

	f.keep()
	f.ResetCalls()
	if _, again := f.found("find", "urllib3<2.2.2"); again.Looked.Fetched != 100 || len(again.Found) != 62 {
		t.Errorf("with a store: %+v", again.Looked)
	}
	f.ResetCalls()
	f.requests.Store(0)
	code, answer = f.found("find", "zope-interface", "--detailed-exitcode")
	if code != exitChanges || answer.Looked.Fetched != 0 || len(answer.Found) != 100 {
		t.Errorf("the second time: exit code %d, %+v", code, answer.Looked)
	}
	// ListFunctions twice (all and $LATEST), ListLayerVersions twice a hundred by fifty,
	// the aliases of the one that has versions, and whose credentials these are.
	calls := map[string]int{"ListFunctions": 2, "ListLayerVersions": 2, "ListAliases": 1, "GetCallerIdentity": 1}
	total := 0
	for op, n := range calls {
		if got := f.World.Count(op); got != n {
			t.Errorf("%s: %d calls, want %d", op, got, n)
		}
		total += n
	}
	if got := len(f.Calls()); got != total || f.requests.Load() != 0 {
		t.Errorf("%d calls, want %d; %d downloads", got, total, f.requests.Load())
	}
	if code, answer = f.found("find", "urllib3<1", "--detailed-exitcode"); code != exitOK || len(answer.Found) != 0 {
		t.Errorf("nothing is found: exit code %d, %v", code, carriers(answer))
	}
}

// A large archive is read by its pieces, and never whole.
func TestFindReadsPieces(t *testing.T) {
	f := newFinding(t)
	zipped := layerZip(t, []string{"urllib3 1.26.5"}, nil, 20<<20)
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Content: zipped})
	code, answer := f.found("find", "urllib3")
	if code != exitOK || len(answer.Found) != 1 {
		t.Fatalf("exit code %d: %+v", code, answer)
	}
	if got := f.bytes.Load(); got > 1<<20 {
		t.Errorf("%d bytes of %d were read in %d requests", got, len(zipped), f.requests.Load())
	}
}

// What cannot be read is named and never a silent no: a layer of others that is not
// shared, one that is no zip, one with metadata that cannot be read, and one whose
// metadata was left out.
func TestFindNamesWhatIsUnknown(t *testing.T) {
	f := newFinding(t)
	put := func(account, name string, content []byte, shared bool) string {
		v := awssim.LayerVersion{Account: account, Region: testRegion, Name: name, Content: content}
		if shared {
			v.Grants = []awssim.Grant{{Principal: "*"}}
		}
		n := f.PutLayerVersion(v)
		return fmt.Sprintf("arn:aws:lambda:%s:%s:layer:%s:%d", testRegion, account, name, n)
	}
	good := layerZip(t, []string{"urllib3 1.26.5"}, nil, 0)
	broken := layerZip(t, nil, map[string]string{"python/urllib3-1.0.dist-info/METADATA": "nothing\n\n"}, 0)
	bare := layerZip(t, nil, map[string]string{"python/urllib3/__init__.py": ""}, 0)
	odd := layerZip(t, []string{"urllib3 two.one"}, nil, 0)
	for i, arn := range []string{
		put(vendor, "shared", good, true), put(vendor, "private", good, false), put(simAccount, "garbage", []byte("PK no zip"), false),
		put(simAccount, "broken", broken, false), put(simAccount, "bare", bare, false), put(simAccount, "odd", odd, false),
		put(simAccount, "egg", layerZip(t, nil, map[string]string{"python/urllib3-1.25.egg-info/PKG-INFO": "Name: urllib3\nVersion: 1.25\n"}, 0), false),
		put(simAccount, "manifest", layerZip(t, nil, map[string]string{"layerd/manifest.json": `{"format_version":"1","name":"manifest","packages":[{"kind":"pypi","name":"urllib3","version":"1.24"}]}`}, 0), false),
	} {
		f.PutFunction(awssim.Function{Name: fmt.Sprintf("f%d", i), Layers: []string{arn}})
	}
	code, answer := f.found("find", "urllib3<2.2.2", "--detailed-exitcode")
	if code != exitFailed {
		t.Errorf("exit code %d, want %d: something is unknown", code, exitFailed)
	}
	if diff := cmp.Diff([]string{"egg 1", "manifest 1", "shared 1"}, carriers(answer)); diff != "" {
		t.Error(diff)
	}
	reasons := map[string]string{}
	for _, c := range answer.Unknown {
		reasons[c.Layer.Layer().Name()] = c.Reason
		if len(c.Users) != 1 {
			t.Errorf("users of %s: %v", c.Layer, c.Users)
		}
	}
	for name, want := range map[string]string{
		"private": "AccessDeniedException", "garbage": "not a zip", "broken": "names no package and version",
		"bare": "python/urllib3 is there, and nothing beside it says which version", "odd": `has version "two.one"`,
	} {
		if !strings.Contains(reasons[name], want) {
			t.Errorf("%s: %q, want %q", name, reasons[name], want)
		}
	}
	if len(reasons) != 5 {
		t.Errorf("unknown are %v", reasons)
	}
	_, text, _ := f.run("find", "urllib3<2.2.2")
	for _, line := range []string{"3 of 8 layer versions carry urllib3<2.2.2; of 5 nobody knows", "of account " + vendor, "f0  in no environment"} {
		if !strings.Contains(text, line) {
			t.Errorf("%q is not in\n%s", line, text)
		}
	}
	_, table, _ := f.run("find", "urllib3<2.2.2", "-o", "csv")
	rows, err := csv.NewReader(strings.NewReader(table)).ReadAll()
	if err != nil || len(rows) != 9 {
		t.Errorf("%d rows, %v:\n%s", len(rows), err, table)
	}
	if strings.Contains(text+table, "awssim-download") {
		t.Error("an address is shown")
	}
}

// What is denied is a gap, and what is out of reach as well: neither is a no.
func TestFindWithoutRights(t *testing.T) {
	f := newFinding(t)
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Content: layerZip(t, []string{"urllib3 3.0"}, nil, 0)})
	f.PutFunction(awssim.Function{Name: "makoto-api-dev", Layers: []string{f.LayerARN("makoto-common-dev", 1)}})
	f.OnCall(func(c awssim.Call) awssim.Fault {
		if c.Operation == "ListLayerVersions" {
			return awssim.Fault{Before: &awssim.Failure{Status: 403, Code: "AccessDeniedException", Message: "no"}}
		}
		return awssim.Fault{}
	})
	code, answer := f.found("find", "urllib3<2")
	if code != exitFailed || len(answer.Gaps) != 1 || !strings.Contains(answer.Gaps[0].Reason, "AccessDenied") {
		t.Errorf("exit code %d, %+v", code, answer.Gaps)
	}
}

// --osv asks for all that a file of advisories is about, in each of its forms.
func TestFindByAdvisories(t *testing.T) {
	f := newFinding(t)
	f.PutLayerVersion(awssim.LayerVersion{Name: "makoto-common-dev", Content: layerZip(t, []string{"urllib3 2.2.1", "Requests 2.31.0"},
		map[string]string{"nodejs/node_modules/lodash/package.json": `{"name":"lodash","version":"4.17.20"}`}, 0)})
	one := `{"id":"GHSA-34jh-p97f-mpxf","summary":"Proxy-Authorization","affected":[{"package":{"ecosystem":"PyPI","name":"urllib3"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"2.0.0"},{"fixed":"2.2.2"},{"introduced":"0"},{"fixed":"1.26.19"}]}]}]}`
	two := `{"id":"GHSA-35jh-r3h4-6jhm","affected":[{"package":{"ecosystem":"npm","name":"lodash"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"last_affected":"4.17.20"}]}]}]}`
	three := `{"id":"GONE","withdrawn":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"PyPI","name":"requests"},"versions":["2.31.0"]}]}`
	four := `{"id":"GO-1","affected":[{"package":{"ecosystem":"Go","name":"requests"},"versions":["2.31.0"]}]}`
	for form, text := range map[string]string{
		"lines": strings.Join([]string{one, two, three, four}, "\n"), "list": "[" + strings.Join([]string{one, two, three, four}, ",\n") + "]",
		"answer": `{"vulns":[` + strings.Join([]string{one, two, three, four}, ",") + "]}",
	} {
		file := filepath.Join(t.TempDir(), "osv.json")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		code, answer := f.found("find", "--osv", file)
		if code != exitOK || len(answer.Found) != 1 || len(answer.Found[0].Packages) != 2 || *answer.Advisories != (present.FindAdvisories{File: file, Read: 4, Withdrawn: 1, Others: 1}) {
			t.Fatalf("%s: exit code %d: %+v", form, code, answer)
		}
		for i, id := range []string{"GHSA-35jh-r3h4-6jhm", "GHSA-34jh-p97f-mpxf"} {
			if got := answer.Found[0].Packages[i].ID; got != id {
				t.Errorf("%s: the %d. is %s, want %s", form, i+1, got, id)
			}
		}
	}
	file := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(file, []byte(one+"\n{\"name\": 1}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := f.run("find", "--osv", file); code != exitInvalid || !strings.Contains(stderr, "line 2") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
