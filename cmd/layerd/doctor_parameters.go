package main

import (
	"context"
	"slices"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
)

// announcing tries what only parameters need, on one that is not there: AWS says so to
// whoever may.
func (r *regionExam) announcing(ctx context.Context) {
	const read, write = "ssm:GetParametersByPath", "ssm:PutParameter"
	if !slices.ContainsFunc(r.env.Layers, func(w desired.LayerWish) bool { return w.Parameters }) {
		r.add(inspect.Unneeded(read, "no layer has parameters"))
		return
	}
	path := "/layerd/" + r.env.Name
	name := path + "/doctor/nothing"
	have, err := r.parameters.Parameters(ctx, path, nil)
	r.add(inspect.Permission(read, path, err))
	r.add(inspect.Permission("ssm:ListTagsForResource", path+"/*", r.parameters.TryTags(ctx, name)))
	if r.env.Observe {
		r.add(inspect.Unneeded(write, "mode: observe writes nothing"))
		return
	}
	r.add(inspect.Permission("ssm:AddTagsToResource", path+"/*", r.parameters.TryTag(ctx, name)))
	r.add(inspect.Permission("ssm:DeleteParameter", path+"/*", r.parameters.DeleteParameter(ctx, name, nil)))
	if len(have) == 0 {
		r.add(inspect.Unneeded(write, "not tried, as no parameter is there yet; the first one that is written needs it"))
		return
	}
	r.add(inspect.Permission(write, have[0].Name, r.parameters.TryPut(ctx, have[0])))
}
