package ssm

import (
	"errors"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/layerd/layerd/internal/state"
)

// E2: what passes by itself is tried again, and what a person has to mend is told.
func TestE2WhatErrorsMean(t *testing.T) {
	for _, c := range []struct {
		code   string
		status int
		want   state.Kind
	}{
		{"ThrottlingException", 400, state.Again},
		{"TooManyUpdates", 400, state.Again},
		{"InternalServerError", 500, state.Again},
		{"", 503, state.Again},
		{"ParameterNotFound", 400, state.Gone},
		{"InvalidResourceId", 400, state.Gone},
		{"AccessDeniedException", 400, state.Human},
		{"ParameterLimitExceeded", 400, state.Human},
		{"HierarchyTypeMismatchException", 400, state.Human},
		{"ValidationException", 400, state.Human},
	} {
		err := error(&smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: c.status}},
			Err:      &smithy.GenericAPIError{Code: c.code, Message: "m"},
		})
		if got := kindOf(c.code, err, true); got != c.want {
			t.Errorf("%s %d: %v, want %v", c.code, c.status, got, c.want)
		}
	}
	if got := kindOf("", errors.New("no credentials"), true); got != state.Human {
		t.Errorf("without an answer: %v", got)
	}
}
