package daemon

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/desired/gitrepo"
)

// forgetful is a source that cannot return what came before a commit.
type forgetful struct {
	Source
	err   error
	asked int
}

func (f *forgetful) Past(context.Context, string, int) (gitrepo.Past, error) {
	f.asked++
	return gitrepo.Past{}, f.err
}

// TestAPastThatCannotBeReadIsAskedForOnce: what a person has to mend, such as a past that
// is too large for a server that leaves nothing out, is not downloaded with every look at
// the branch; what may pass is tried again. Either is logged once, and a newer commit is
// looked at anew.
func TestAPastThatCannotBeReadIsAskedForOnce(t *testing.T) {
	for _, tc := range []struct {
		err  error
		want int
	}{
		{&gitrepo.Error{Kind: gitrepo.KindTooLarge, Message: "too large"}, 1},
		{&gitrepo.Error{Kind: gitrepo.KindAuth, Message: "denied"}, 1},
		{&gitrepo.Error{Kind: gitrepo.KindUnreachable, Message: "away"}, 3},
		{errors.New("something else"), 3},
	} {
		var log bytes.Buffer
		source := &forgetful{err: tc.err}
		d := &Daemon{Options: Options{Source: source, Log: slog.New(slog.NewTextHandler(&log, nil))}}
		for range 3 {
			d.trace(t.Context(), gitrepo.Commit{Hash: "a"})
		}
		if lines := strings.Count(log.String(), "\n"); source.asked != tc.want || lines != 1 {
			t.Errorf("%v: asked %d times, want %d; %d lines", tc.err, source.asked, tc.want, lines)
		}
		if d.trace(t.Context(), gitrepo.Commit{Hash: "b"}); source.asked != tc.want+1 {
			t.Errorf("%v: a newer commit was not looked at", tc.err)
		}
	}
}
