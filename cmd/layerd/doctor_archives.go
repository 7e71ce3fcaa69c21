package main

import (
	"context"
	"errors"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
)

// archiveOf returns the archive of the version that is wanted; zero = there is none.
func archiveOf(w desired.LayerWish) state.Artifact {
	if w.Source == nil || w.Version.Kind != desired.Exact {
		return state.Artifact{}
	}
	return w.Artifact(w.Version.Semver, "")
}

// archives tries to look at the objects that the environment's versions would be
// published from. One that is not there is fine once its version is live.
func (r *regionExam) archives(ctx context.Context) {
	for _, w := range r.env.Layers {
		bucket, key, inS3 := archiveOf(w).S3()
		if !inS3 {
			continue
		}
		_, err := r.objects.Head(ctx, bucket, key, "")
		if elsewhere, ok := errors.AsType[*archive.RegionError](err); ok {
			r.add(inspect.Result{
				Check: "s3:GetObject", Verdict: inspect.Failed, Reason: elsewhere.Error() + ", and Lambda copies nothing from there",
				Fix: "keep a copy in a bucket there, with ${REGION} in the bucket's name",
			})
			continue
		}
		if state.KindOf(err) == state.Gone && r.live[w.Name] {
			err = nil
		}
		r.add(inspect.Permission("s3:GetObject", "arn:"+r.env.Partition+":s3:::"+bucket+"/"+key+", and s3:ListBucket on the bucket: a missing object looks the same", err))
	}
}
