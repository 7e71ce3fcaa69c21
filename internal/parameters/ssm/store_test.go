package ssm_test

import (
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/parameters"
	"github.com/layerd/layerd/internal/parameters/ssm"
	"github.com/layerd/layerd/internal/state"
)

func newStore(t *testing.T) (*awssim.World, *ssm.Store) {
	t.Helper()
	w := awssim.New(awssim.Options{Limits: awssim.Unlimited()})
	s, err := ssm.New(aws.Config{
		Credentials: credentials.NewStaticCredentialsProvider("AKIDEXAMPLE", "secret", ""),
		HTTPClient:  &http.Client{Transport: w.Transport()},
	}, awscall.Options{Account: "123456789012", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	return w, s
}

// E2: all pages are read, of the path alone, and the tags of those that are asked for.
func TestE2AllPagesAreRead(t *testing.T) {
	w, s := newStore(t)
	for i := range 25 {
		w.PutParameter(awssim.Parameter{Name: fmt.Sprintf("/layerd/prod/l%02d/arn", i), Value: fmt.Sprint(i), Tags: map[string]string{"n": fmt.Sprint(i)}})
	}
	w.PutParameter(awssim.Parameter{Name: "/layerd/prod-eu/l/arn", Value: "other"})
	have, err := s.Parameters(t.Context(), "/layerd/prod", []string{"/layerd/prod/l07/arn"})
	if err != nil || len(have) != 25 {
		t.Fatalf("%d parameters, %v", len(have), err)
	}
	for _, p := range have {
		if tagged := p.Tags != nil; tagged != (p.Name == "/layerd/prod/l07/arn") || !p.Plain {
			t.Errorf("%+v", p)
		}
	}
}

// E2: what is put is what is read, twice as once; what others tagged stays; deleting
// what is not there is no error.
func TestE2WhatIsPutIsRead(t *testing.T) {
	w, s := newStore(t)
	p := parameters.Parameter{Name: "/layerd/prod/common/version", Value: "1.4.2", Tags: map[string]string{"team": "platform"}, Plain: true}
	w.PutParameter(awssim.Parameter{Name: p.Name, Value: "1.4.1", Tags: map[string]string{"cost": "7", "team": "x"}})
	for range 2 {
		if err := s.PutParameter(t.Context(), p, nil); err != nil {
			t.Fatal(err)
		}
	}
	have, err := s.Parameters(t.Context(), "/layerd/prod", []string{p.Name})
	want := p
	want.Tags = map[string]string{"team": "platform", "cost": "7"}
	if diff := cmp.Diff([]parameters.Parameter{want}, have); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for range 2 {
		if err := s.DeleteParameter(t.Context(), p.Name, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.Parameters()) != 0 {
		t.Errorf("left: %+v", w.Parameters())
	}
}

// E2: nothing is sent once somebody else may act.
func TestE2NothingIsSentWithoutTheLease(t *testing.T) {
	w, s := newStore(t)
	lost := fmt.Errorf("the lease was lost")
	no := func() error { return lost }
	for what, err := range map[string]error{
		"put":    s.PutParameter(t.Context(), parameters.Parameter{Name: "/layerd/a/b/arn", Value: "x"}, no),
		"delete": s.DeleteParameter(t.Context(), "/layerd/a/b/arn", no),
	} {
		if state.KindOf(err) != state.Barred {
			t.Errorf("%s: %v", what, err)
		}
	}
	if w.Writes() != 0 {
		t.Errorf("%d writes", w.Writes())
	}
}

// Reading an environment in which nothing is to be written holds no round up: what AWS
// gives writes alone is not what reads wait for.
func TestReadsDoNotWaitAsWritesDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, s := newStore(t)
		var tagged []string
		for i := range 50 {
			name := fmt.Sprintf("/layerd/prod/l%02d/arn", i)
			w.PutParameter(awssim.Parameter{Name: name, Value: "v"})
			tagged = append(tagged, name)
		}
		begun := time.Now()
		if _, err := s.Parameters(t.Context(), "/layerd/prod", tagged); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("reading 50 parameters and their tags takes %v", took)
		}
		begun = time.Now()
		for range 25 {
			if err := s.PutParameter(t.Context(), parameters.Parameter{Name: "/layerd/prod/a/arn", Value: "v"}, nil); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took < 9*time.Second {
			t.Errorf("25 writes take %v: AWS takes 3 a second, of all who write", took)
		}
	})
}
