package inspect

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/state"
)

// What layer.yaml says of versions that have only a number is right as it stands there: a
// line that is taken out of its comment is valid, and means what is live.
func TestImportNamesWhatIsSilent(t *testing.T) {
	fleet := func(description func(n int64) string) state.Snapshot {
		s := state.Snapshot{Account: importAccount, Region: "eu-west-1", Partition: "aws"}
		for i, env := range []string{"dev", "prod"} {
			l := state.Layer{ARN: state.NewLayerARN("aws", s.Region, importAccount, "common-"+env)}
			for n := int64(1); n <= 4; n++ {
				l.Versions = append(l.Versions, state.LayerVersion{Number: n, Description: description(n)})
			}
			s.Layers = append(s.Layers, l)
			name := "shop-" + env
			s.Functions = append(s.Functions, state.Function{Name: name, ARN: "arn:aws:lambda:eu-west-1:" + importAccount + ":function:" + name, Runtime: "python3.12",
				Architecture: "x86_64", Layers: state.Layers{l.ARN.Version(int64(3 + i))}, RevisionID: "r"})
		}
		s.Sort()
		return s
	}
	for name, tt := range map[string]struct {
		description func(n int64) string
		want        []string // lines
		taken       string   // the line that is taken out of its comment
		version     string   // that number 4 has then
	}{
		"words before the version": {func(n int64) string { return "共通ライブラリ v1.4." + string(rune('0'+n)) },
			[]string{"# description: \"共通ライブラリ\"", "#   1.4.3: {dev: 3}", "#   1.4.4: {prod: 4}"}, "# description: ", "1.4.4"},
		"known instead": {func(n int64) string { return "共通ライブラリ v1.4." + string(rune('0'+n)) }, nil, "# known:", "1.4.4"},
		"no version":    {func(int64) string { return "nothing" }, []string{"#   1.0.0: {prod: 4, dev: 3}", "ask for the numbers: prod in eu-west-1: 4; dev in eu-west-1: 3."}, "# known:", "1.0.0"},
		"one version":   {func(int64) string { return "by hand v2.0.0" }, []string{"# description: by hand", "#   2.0.0: {prod: 4, dev: 3}"}, "# known:", "2.0.0"},
		"other words": {func(n int64) string { return strings.Repeat("x", int(n)) + " built with v1.26." + string(rune('0'+n)) },
			[]string{"#   1.26.3: {dev: 3}"}, "# known:", "1.26.4"},
	} {
		t.Run(name, func(t *testing.T) {
			world := fleet(tt.description)
			im, err := Import([]state.Snapshot{world}, ImportOptions{Suffixes: []string{"-prod", "-dev"}, Owner: "x"})
			if err != nil {
				t.Fatal(err)
			}
			checkImported(t, []state.Snapshot{world}, im)
			if has := strings.Contains(text(im), "version: 4 # its Description has v"); has != strings.Contains(tt.description(4), "v1.") && has != strings.Contains(tt.description(4), "v2.") {
				t.Errorf("the Description's version is shown: %v\n%s", has, text(im))
			}
			files := repositoryOf(im)
			layer := string(files["layers/common/layer.yaml"].Data)
			for _, want := range tt.want {
				if !strings.Contains(strings.Join(strings.Fields(layer), " "), strings.Join(strings.Fields(want), " ")) {
					t.Errorf("%q is not in\n%s", want, layer)
				}
			}
			files["layers/common/layer.yaml"] = &fstest.MapFile{Data: []byte(uncommented(layer, tt.taken))}
			tree := desired.Load(files, desired.Options{})
			if len(tree.Problems) > 0 {
				t.Fatalf("%v\n%s", tree.Problems, files["layers/common/layer.yaml"].Data)
			}
			for _, e := range tree.Environments {
				if w := e.Layers[0]; e.Name == "prod" {
					if got := LabelIn(w, w.Layer.Version(4), world.Layers[1].Versions, nil); got != tt.version {
						t.Errorf("number 4 is %q, want %q\n%s", got, tt.version, files["layers/common/layer.yaml"].Data)
					}
				}
			}
		})
	}
}

// uncommented takes the line that begins so, and those below it that are further in, out of
// their comment.
func uncommented(text, begin string) string {
	var out []string
	in := false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, begin):
			in, line = true, strings.TrimPrefix(line, "# ")
		case in && strings.HasPrefix(line, "#   "):
			line = strings.TrimPrefix(line, "# ")
		default:
			in = false
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}
