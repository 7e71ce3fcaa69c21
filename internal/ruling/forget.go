package ruling

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/layerd/layerd/internal/store"
)

// Forgotten is one person's word that an environment which the repository has
// no file for any more was removed on purpose: nobody needs to hear of it
// again. Nothing of its past is deleted.
type Forgotten struct {
	Environment string    `json:"environment"`
	By          string    `json:"by"`
	At          time.Time `json:"at"` // UTC
	Reason      string    `json:"reason,omitempty"`
	// Ended is when its file was seen again; zero before. An environment that
	// is removed a second time has to be forgotten a second time.
	Ended time.Time `json:"ended,omitzero"`
}

// forgottenDoc is what is stored. Names and meanings stay.
type forgottenDoc struct {
	V int `json:"v"`
	Forgotten
}

// Forget records the word. What is forgotten already stays so by the first
// word, which is given back.
func Forget(ctx context.Context, s store.Store, repository string, f Forgotten) (Forgotten, error) {
	key := forgottenKey(repository, f.Environment)
	for {
		old, v, err := findForgotten(ctx, s, key)
		switch {
		case err != nil:
			return f, err
		case v.Revision == "":
			_, err = create(ctx, s, key, forgottenDoc{versionInline, f})
		case old.Ended.IsZero():
			return old, nil
		default:
			err = replace(ctx, s, v, forgottenDoc{versionInline, f})
		}
		if !errors.Is(err, store.ErrExists) && !errors.Is(err, store.ErrChanged) {
			return f, err
		}
	}
}

// FindForgotten gives the word that an environment is forgotten by; ok is false
// when there is none, or none that holds.
func FindForgotten(ctx context.Context, s store.Store, repository, environment string) (f Forgotten, ok bool, err error) {
	f, v, err := findForgotten(ctx, s, forgottenKey(repository, environment))
	return f, err == nil && v.Revision != "" && f.Ended.IsZero(), err
}

// LoadForgotten gives those that hold, by environment.
func LoadForgotten(ctx context.Context, s store.Store, repository string) (map[string]Forgotten, error) {
	list := map[string]Forgotten{}
	for v, err := range s.List(ctx, store.Query{Prefix: store.Prefix("forgotten", repository)}) {
		if err != nil {
			return nil, fmt.Errorf("list the forgotten environments: %w", err)
		}
		var doc forgottenDoc
		if err := decode(v, &doc); err != nil {
			return nil, err
		}
		if doc.Ended.IsZero() {
			list[doc.Environment] = doc.Forgotten
		}
	}
	return list, nil
}

// Recall says that the file of an environment is there again. Where nobody let
// it be forgotten nothing is written.
func Recall(ctx context.Context, s store.Store, repository, environment string, now time.Time) error {
	for {
		f, v, err := findForgotten(ctx, s, forgottenKey(repository, environment))
		if err != nil || v.Revision == "" || !f.Ended.IsZero() {
			return err
		}
		f.Ended = now.UTC()
		err = replace(ctx, s, v, forgottenDoc{versionInline, f})
		if !errors.Is(err, store.ErrChanged) {
			return err
		}
	}
}

// findForgotten gives the stored word and its value, which has no revision
// where there is none.
func findForgotten(ctx context.Context, s store.Store, key string) (Forgotten, store.Value, error) {
	v, err := s.Get(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return Forgotten{}, store.Value{}, nil
	}
	if err != nil {
		return Forgotten{}, store.Value{}, err
	}
	var doc forgottenDoc
	err = decode(v, &doc)
	return doc.Forgotten, v, err
}

func forgottenKey(repository, environment string) string {
	return store.Key("forgotten", repository, environment)
}
