package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/layerd/layerd/internal/ruling"
	"github.com/layerd/layerd/internal/store"
)

// As much of a digest is printed as approve needs, and approve takes whatever is
// printed; where several plans begin alike, all of both is asked for and named.
func TestDigestDigits(t *testing.T) {
	s := store.NewMemory()
	const repository = "example.com/layers"
	same := "0123456789ab"
	digests := []string{same + strings.Repeat("c", 52), same + strings.Repeat("d", 52), strings.Repeat("e", 64)}
	for _, digest := range digests {
		if err := ruling.RecordPending(t.Context(), s, repository, ruling.PendingPlan{Environment: "prod", Digest: digest, Scope: []string{"a"}}); err != nil {
			t.Fatal(err)
		}
	}
	unknown := strings.Repeat("f", 64)
	for _, tt := range []struct{ env, digest, want string }{
		{"prod", digests[0], digests[0]}, {"prod", digests[1], digests[1]}, {"prod", digests[2], digests[2][:12]},
		{"prod", unknown, unknown}, {"dev", digests[2], digests[2]},
	} {
		got := shortest(t.Context(), s, repository, tt.env, tt.digest)
		if got != tt.want {
			t.Errorf("%s %s is printed as %s, want %s", tt.env, tt.digest, got, tt.want)
		}
		if whole, err := findDigest(t.Context(), s, store.Spec{}, repository, tt.env, got); err != nil || whole != tt.digest {
			t.Errorf("%s %s is %s, %v", tt.env, got, whole, err)
		}
	}
	if got := shortest(t.Context(), nil, repository, "prod", unknown); got != unknown {
		t.Errorf("without a store: %s", got)
	}
	_, err := findDigest(t.Context(), s, store.Spec{}, repository, "prod", same)
	e, ok := errors.AsType[*exitError](err)
	if !ok || e.code != exitUsage || e.Error() != "2 plans of prod begin with "+same || e.hint != "give all 64 digits: "+digests[0]+" or "+digests[1] {
		t.Errorf("%v (%s)", err, e.hint)
	}
}
