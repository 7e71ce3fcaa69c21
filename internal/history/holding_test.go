package history_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/history"
	"github.com/layerd/layerd/internal/plan"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store"
)

// D1: since when an environment holds a function is remembered from the first claim,
// kept by what it applies, ended when it lets go, and begun anew.
func TestD1SinceWhenAFunctionIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := history.Open(store.NewMemory(), repo)
		check := func(what string, holds bool, since time.Time) {
			t.Helper()
			p := pastOf(t, l).Functions["chat"]
			if p.Holds("123456789012") != holds || !p.Since.Equal(since) {
				t.Errorf("%s: holds %t since %s, want %t and %s", what, p.Holds("123456789012"), p.Since, holds, since)
			}
		}
		first := time.Now()
		learn(t, l, plan.Learned{Kept: []string{"chat"}})
		check("it waits for its first layer", true, first)
		<-time.After(time.Hour)
		r := begin(t, l)
		id, err := r.Begin(t.Context(), attach("chat", 12, 13))
		if err == nil {
			err = r.Finish(t.Context(), id, applied("req-1"))
		}
		if err == nil {
			err = r.FinishRound(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		check("it got the layer", true, first)
		learn(t, l, plan.Learned{Released: []string{"chat"}})
		check("it is selected no more", false, first)
		<-time.After(time.Hour)
		again := time.Now()
		learn(t, l, plan.Learned{Adopted: []plan.Adoption{{Function: "chat", Layer: common, Number: 13, List: []state.LayerVersionARN{common.Version(13)}}}})
		check("it is selected again, and has the layer", true, again)
	})
}
