package bump

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/Masterminds/semver/v3"

	"github.com/layerd/layerd/internal/desired"
)

const (
	account = "account: \"123456789012\"\n"
	was     = "1.4.2"
)

// spelling is one way to write an environment file that asks for the layer; %s is where
// the version stands.
func spelling(r *rand.Rand) string {
	pick := func(of ...string) string { return of[r.IntN(len(of))] }
	v := pick(`%s`, `v%s`, `"%s"`, `'%s'`, `"v%s"`, `'v%s'`)
	comment := pick("", " # 版 1.4.2", "  # {version: 1.4.2}", "   ")
	space := pick(" ", "   ")
	version := pick(
		v+comment,
		"{version: "+v+"}"+comment,
		"{functions: [\"a-1-4-2\"], version: "+v+", position: last}"+comment,
		"{version: {ap-northeast-1: "+v+"}, functions: [x]}"+comment,
		"\n    version:"+space+v+comment,
		"\n    version:"+space+v+comment+"\n    functions: [a]"+comment,
		"\n    version:"+comment+"\n      ap-northeast-1:"+space+v+comment,
		"\n    # 1.4.2\n    position: last\n    version:\n      "+strings.TrimSpace(v)+comment,
	)
	parts := []string{account, "region: ap-northeast-1\n", "layers:\n  other: " + was + "\n  makoto-共通: {version: " + was + ", functions: [a]}\n  common: " + version + "\n  zz: " + was + "\n"}
	r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
	text := "# 環境 dev: 1.4.2\n" + strings.Join(parts, "")
	if r.IntN(2) == 0 {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	if r.IntN(3) == 0 {
		text = strings.TrimRight(text, "\r\n")
	}
	return strings.ReplaceAll(text, "makoto-共通", "makoto")
}

func repository(files map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{
		"layerd.yaml":              {Data: []byte("defaults:\n  layers:\n    common: {functions: [f]}\n    other: {functions: [f]}\n    zz: {functions: [f]}\n")},
		"layers/common/layer.yaml": {Data: []byte("name: common\n")},
	}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

// Whatever a file looks like, the bytes of the value are replaced and no others.
func TestOnlyTheBytesOfTheVersionChange(t *testing.T) {
	for seed := range uint64(2000) {
		r := rand.New(rand.NewPCG(seed, 7))
		format := spelling(r)
		text := strings.Replace(format, "%s", was, 1)
		before := repository(map[string]string{"environments/dev.yaml": text})
		tree := desired.Load(before, desired.Options{})
		if desired.Errors(tree.Problems) {
			t.Fatalf("seed %d: %v\n%s", seed, tree.Problems, text)
		}
		next := semver.MustParse([]string{"1.4.3", "2.0.0", "10.11.12"}[r.IntN(3)])
		places, err := Places(tree, []string{"dev"}, "common")
		if err != nil || len(places) != 1 {
			t.Fatalf("seed %d: %v, %v\n%s", seed, places, err, text)
		}
		files, err := ReplaceAll(func(name string) ([]byte, error) { return before[name].Data, nil }, places, next)
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, text)
		}
		if got, want := string(files["environments/dev.yaml"]), strings.Replace(format, "%s", next.String(), 1); got != want {
			t.Fatalf("seed %d: got\n%s\nwant\n%s", seed, got, want)
		}
		after := repository(map[string]string{"environments/dev.yaml": string(files["environments/dev.yaml"])})
		if err := Check(tree, desired.Load(after, desired.Options{}), []string{"dev"}, "common", next); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestWhereAVersionCannotBeWritten(t *testing.T) {
	dev := func(version string) map[string]string {
		return map[string]string{"environments/dev.yaml": account + "region: ap-northeast-1\nauto_update: true\nlayers: {common: " + version + "}\n"}
	}
	for _, tt := range []struct {
		name, version, want string
	}{
		{"a number", "7", "is version number 7"},
		{"a range", "^1.4", "follows the range ^1.4"},
		{"latest", "latest", "follows what is newest"},
		{"nothing", "{}", "follows what is newest"},
		{"none", "none", "taken off"},
		{"escapes", `"1.4\u002e2"`, "does not stand there as it is"},
		{"several lines", "\"1.4\\\n  .2\"", "does not stand there as it is"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsys := repository(dev(tt.version))
			tree := desired.Load(fsys, desired.Options{})
			places, err := Places(tree, []string{"dev"}, "common")
			if err == nil {
				_, err = ReplaceAll(func(name string) ([]byte, error) { return fsys[name].Data, nil }, places, semver.MustParse("2.0.0"))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "environments/dev.yaml:4:") {
				t.Errorf("got %v, want the place and %q (problems %v)", err, tt.want, tree.Problems)
			}
		})
	}
}

// A version that stands in layerd.yaml is written only for all who have it from there.
func TestAVersionOfSeveralEnvironments(t *testing.T) {
	env := account + "region: ap-northeast-1\nlayer_name: ${NAME}-${ENVIRONMENT}\n"
	fsys := repository(map[string]string{
		"layerd.yaml":           "defaults:\n  layers:\n    common: {functions: [f], version: 1.4.2}\n",
		"environments/dev.yaml": env, "environments/qa.yaml": env,
		"environments/prod.yaml": env + "layers: {common: 1.4.1}\n",
	})
	tree := desired.Load(fsys, desired.Options{})
	read := func(name string) ([]byte, error) { return fsys[name].Data, nil }
	_, err := Places(tree, []string{"dev", "prod"}, "common")
	if err == nil || !strings.Contains(err.Error(), "layerd.yaml:3:") || !strings.Contains(err.Error(), "for qa too") {
		t.Errorf("got %v, want where it stands and for whom", err)
	}
	places, err := Places(tree, []string{"qa", "dev", "prod"}, "common")
	if err != nil {
		t.Fatal(err)
	}
	files, err := ReplaceAll(read, places, semver.MustParse("1.5.0"))
	if err != nil || !slices.Equal(slices.Sorted(maps.Keys(files)), []string{"environments/prod.yaml", "layerd.yaml"}) {
		t.Errorf("files %q, %v", files, err)
	}
	if !bytes.Contains(files["layerd.yaml"], []byte("version: 1.5.0}")) {
		t.Errorf("%s", files["layerd.yaml"])
	}
	// Of an environment that cannot be read nobody knows where its version stands.
	fsys["environments/qa.yaml"].Data = []byte("account: x\n")
	if _, err := Places(desired.Load(fsys, desired.Options{}), []string{"dev"}, "common"); err == nil {
		t.Error("the place may be that of an invalid environment too")
	}
	if _, err := Places(tree, []string{"dev"}, "nothing"); err == nil || !strings.Contains(err.Error(), `no layer "nothing"`) {
		t.Errorf("got %v", err)
	}
}

// Each Region's own version is written.
func TestAVersionByRegion(t *testing.T) {
	text := account + "regions: [ap-northeast-1, us-east-1]\nlayers:\n  common: {version: {ap-northeast-1: v1.4.2, us-east-1: '1.4.1'}} # both\n  other: 1.0.0\n  zz: 1.0.0\n"
	fsys := repository(map[string]string{"environments/dev.yaml": text})
	tree := desired.Load(fsys, desired.Options{})
	places, err := Places(tree, []string{"dev"}, "common")
	if err != nil {
		t.Fatal(err, tree.Problems)
	}
	files, err := ReplaceAll(func(string) ([]byte, error) { return []byte(text), nil }, places, semver.MustParse("1.10.0"))
	want := strings.NewReplacer("1.4.2", "1.10.0", "1.4.1", "1.10.0").Replace(text)
	if got := string(files["environments/dev.yaml"]); got != want || err != nil {
		t.Errorf("got\n%s\n%v, want\n%s", got, err, want)
	}
}

func TestTheFileVERSION(t *testing.T) {
	for was, want := range map[string]string{
		"": "2.0.0\n", "1.4.2": "2.0.0", "1.4.2\n": "2.0.0\n", "v1.4.2\r\n": "v2.0.0\r\n", " 1.4.2 \n\n": " 2.0.0 \n\n",
		"\ufeff1.4.2\n": "\ufeff2.0.0\n", "one two": "2.0.0\n", "1.4\n": "2.0.0\n",
	} {
		if got := string(ReplaceVersionFile([]byte(was), "2.0.0")); got != want {
			t.Errorf("%q became %q, want %q", was, got, want)
		}
	}
}

func TestStart(t *testing.T) {
	tag := func(name string, past bool) Tagged { return Tagged{Tag: name, Commit: "c-" + name, Past: past} }
	for _, tt := range []struct {
		name    string
		tags    []Tagged
		file    string
		want    string
		pending bool
	}{
		{"nothing", nil, "", "<nil>", false},
		{"the highest, not the last by name", []Tagged{tag("l/v1.10.0", true), tag("l/v1.9.0", true)}, "", "1.10.0 l/v1.10.0", false},
		{"not what is no version", []Tagged{tag("l/vnext", true), tag("l/v1.9", true), tag("l/v1.2.3", true)}, "", "1.2.3 l/v1.2.3", false},
		{"nor what is elsewhere", []Tagged{tag("l/v2.0.0", false), tag("l/v1.2.3", true)}, "", "1.2.3 l/v1.2.3", false},
		{"the file", nil, "v1.2.3\r\n", "1.2.3 the file VERSION", true},
		{"the file, written since", []Tagged{tag("l/v1.2.3", true)}, "1.3.0\n", "1.3.0 the file VERSION", true},
		{"the file, tagged since", []Tagged{tag("l/v1.3.0", true)}, "1.3.0\n", "1.3.0 l/v1.3.0", false},
		{"the file, left behind", []Tagged{tag("l/v1.3.0", true)}, "1.2.0\n", "1.3.0 l/v1.3.0", false},
		{"a file with something else", []Tagged{tag("l/v1.3.0", true)}, "next\n", "1.3.0 l/v1.3.0", false},
	} {
		s := StartOf("l", tt.tags, tt.file, "c-file")
		got := fmt.Sprint(s.Released.Version)
		if s.Released.Version != nil {
			got += " " + s.Released.Where
		}
		if got != tt.want || s.Pending != tt.pending {
			t.Errorf("%s: got %s, pending %v; want %s", tt.name, got, s.Pending, tt.want)
		}
	}
}
