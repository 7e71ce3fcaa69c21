package metrics

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/middleware"

	"github.com/layerd/layerd/internal/awscall"
)

// CountCalls returns cfg, whose clients count every attempt of a call.
func (m *Metrics) CountCalls(cfg aws.Config) aws.Config {
	cfg = cfg.Copy()
	cfg.APIOptions = append(slices.Clone(cfg.APIOptions), awscall.BeforeAttempt("LayerdCount", m.countCall))
	return cfg
}

func (m *Metrics) countCall(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
	out middleware.FinalizeOutput, data middleware.Metadata, err error,
) {
	out, data, err = next.HandleFinalize(ctx, in)
	operation := text(awsmiddleware.GetOperationName(ctx))
	m.requests.WithLabelValues(text(awsmiddleware.GetServiceID(ctx)), operation, codeOf(err)).Inc()
	if awscall.Throttled(err) {
		m.throttles.WithLabelValues(operation).Inc()
	}
	return out, data, err
}

// code is how AWS writes the codes of its errors. A proxy may answer anything.
var code = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._]{0,63}$`)

// codeOf returns the code of an answer: OK, AWS's own, else the status of HTTP.
func codeOf(err error) string {
	if err == nil {
		return "OK"
	}
	if api, ok := errors.AsType[smithy.APIError](err); ok && code.MatchString(api.ErrorCode()) && api.ErrorCode() != "UnknownError" {
		return api.ErrorCode()
	}
	if status := awscall.StatusOf(err); status > 0 {
		return "HTTP_" + strconv.Itoa(status)
	}
	return "no_answer"
}
