package applytest

import (
	"context"
	"fmt"
	"slices"

	"github.com/layerd/layerd/internal/state"
)

// SetGrants replaces the grants of a layer version, as somebody else would.
func (w *World) SetGrants(v state.LayerVersionARN, grants ...state.Grant) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.setGrants(v, grants)
}

func (w *World) setGrants(v state.LayerVersionARN, grants []state.Grant) {
	w.revision++
	w.policies[v] = state.Policy{Grants: slices.Clone(grants), Revision: fmt.Sprint("p", w.revision)}
}

// Grants returns the grants of a layer version, without a call.
func (w *World) Grants(v state.LayerVersionARN) []state.Grant {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.policies[v].Grants)
}

// LayerPolicy implements apply.Cloud.
func (w *World) LayerPolicy(ctx context.Context, v state.LayerVersionARN) (state.Policy, error) {
	const op = "LayerPolicy"
	do, err := w.enter(ctx, op, string(v))
	if err != nil || !do {
		return state.Policy{}, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deleted[v] {
		return state.Policy{}, gone(op, string(v))
	}
	p := w.policies[v]
	if p.Grants = slices.Clone(p.Grants); len(p.Grants) == 0 {
		return state.Policy{}, nil
	}
	return p, nil
}

// GrantLayer implements apply.Cloud.
func (w *World) GrantLayer(ctx context.Context, v state.LayerVersionARN, g state.Grant) (string, error) {
	const op = "GrantLayer"
	do, err := w.enter(ctx, op, string(v))
	if !do {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.policies[v]
	if w.deleted[v] {
		return "", gone(op, string(v))
	}
	if _, there := p.Grant(g.Sid); there {
		return "", &state.Error{Op: op, Resource: string(v), Kind: state.LookAgain, Code: "ResourceConflictException"}
	}
	w.setGrants(v, append(slices.Clone(p.Grants), g))
	if err != nil {
		return "", err
	}
	return "request-" + g.Sid, nil
}

// RevokeLayer implements apply.Cloud.
func (w *World) RevokeLayer(ctx context.Context, v state.LayerVersionARN, sid, revision string) (string, error) {
	const op = "RevokeLayer"
	do, err := w.enter(ctx, op, string(v))
	if !do {
		return "", err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.policies[v]
	switch _, there := p.Grant(sid); {
	case w.deleted[v], !there:
		return "", gone(op, string(v))
	case revision == "":
		w.fault = append(w.fault, "a grant on "+string(v)+" was taken back without its revision")
	case revision != p.Revision:
		return "", &state.Error{Op: op, Resource: string(v), Kind: state.LookAgain, Code: "PreconditionFailedException"}
	}
	w.setGrants(v, slices.DeleteFunc(slices.Clone(p.Grants), func(g state.Grant) bool { return g.Sid == sid }))
	if err != nil {
		return "", err
	}
	return "request-" + sid, nil
}
