package artifact

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/strictyaml"
	"github.com/layerd/layerd/internal/words"
)

// checks is raised when what is checked has changed, so that what passed the checks of
// before is read again.
const checks = 2

// layerOf returns what an archive is held against.
func layerOf(a state.Artifact) archive.Layer {
	return archive.Layer{Name: a.Layer, Version: a.Version, Runtimes: list(a.Runtimes), Architectures: list(a.Architectures)}
}

func list(joined string) []string {
	if joined == "" {
		return nil
	}
	return strings.Split(joined, ",")
}

// judge opens a zip and returns what it is; what a good one has in it is kept for Inside.
// sha256 is of its bytes.
func (r *Reader) judge(ctx context.Context, a state.Artifact, zip io.ReaderAt, size int64, sha256 string) state.Content {
	found := state.Content{SHA256: sha256, Size: size}
	contents, err := archive.Open(zip, size)
	if err != nil {
		return refuse(found, "artifact_invalid", a.Location+" is "+err.Error(), "upload the archive again; layerd build makes one")
	}
	found.Unzipped = contents.Unzipped
	found = refuseFor(found, a, contents.Check(layerOf(a)))
	if found.Code == "" {
		r.contents.PutArchive(ctx, sha256, inspect.ContentsOf(contents))
	}
	return found
}

// refuseFor refuses content for the errors among what is wrong with it. The code is that
// of the worst, and the sentence names the first few.
func refuseFor(found state.Content, a state.Artifact, problems []archive.Problem) state.Content {
	problems = slices.DeleteFunc(slices.Clone(problems), func(p archive.Problem) bool { return p.Severity != strictyaml.Error })
	if len(problems) == 0 {
		return found
	}
	// Stable: those of one rank stay in their order, which is by place.
	slices.SortStableFunc(problems, func(x, y archive.Problem) int { return rank(x.Code) - rank(y.Code) })
	const few = 3
	var said []string
	for _, p := range problems[:min(few, len(problems))] {
		said = append(said, strings.TrimSpace(p.File+" "+p.Message))
	}
	message := a.Location + ": " + strings.Join(said, "; ")
	if more := len(problems) - few; more > 0 {
		message += fmt.Sprintf("; and %d more", more)
	}
	return refuse(found, codes[rank(problems[0].Code)].code, message, cmp.Or(problems[0].Suggestion, "correct it; layerd build shows all that is wrong"))
}

// codes are those of an archive that is no good, the worst first, and the codes of
// package archive that each stands for. The last stands for all others.
var codes = []struct {
	code string
	of   []string
}{
	{"artifact_too_large", []string{"too_large"}},
	{"artifact_wrong_platform", []string{"wrong_architecture", "one_architecture", "musl", "glibc", "python_version"}},
	{"artifact_wrong_folder", []string{"wrong_folder"}},
	{"artifact_invalid", nil},
}

func rank(code string) int {
	for i, c := range codes {
		if slices.Contains(c.of, code) {
			return i
		}
	}
	return len(codes) - 1
}

func refuse(found state.Content, code, message, suggestion string) state.Content {
	found.Code, found.Message, found.Suggestion = code, message, suggestion
	return found
}

// tooLarge is the content of an archive that is larger than may be published from where
// it is, which is known before it is read.
func tooLarge(a state.Artifact, size, most int64, suggestion string) state.Content {
	return refuse(state.Content{Size: size}, "artifact_too_large",
		fmt.Sprintf("%s has %s, and at most %s can be published", a.Location, words.Bytes(size), words.Bytes(most)), suggestion)
}

// against holds what was found against what Git says of it.
func against(found state.Content, a state.Artifact) state.Content {
	if found.Code != "" || a.SHA256 == "" || found.SHA256 == a.SHA256 {
		return found
	}
	return refuse(found, "artifact_changed", fmt.Sprintf("%s has sha256:%s, and layer.yaml says sha256:%s for %s", a.Location, found.SHA256, a.SHA256, a.Version),
		"put back the archive that layer.yaml means, or correct its sha256")
}
