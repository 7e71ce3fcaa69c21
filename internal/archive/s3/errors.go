package s3

import (
	"errors"
	"net/http"

	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

var sorter = awscall.Sorter{Kind: kindOf}

// readError sorts what a call about an object came back with.
func (c *Client) readError(op, bucket, key string, err error) error {
	if region, elsewhere := c.elsewhere(err); elsewhere {
		return &archive.RegionError{Bucket: bucket, Region: region, Asked: c.region}
	}
	err = sorter.Read(op, "s3://"+bucket+"/"+key, err)
	if e, ok := errors.AsType[*state.Error](err); ok && e.Code == "Forbidden" { // a HEAD has no words
		e.Code, e.Message = "AccessDenied", "S3 answers 403"
	}
	return err
}

// elsewhere reports whether an answer means that the bucket is in another Region, and
// in which one where S3 names it, as it does with every refusal. A HEAD has no other
// words than its headers.
func (c *Client) elsewhere(err error) (region string, elsewhere bool) {
	r, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || r.Response == nil || r.Response.Response == nil {
		return "", false
	}
	region = r.Response.Header.Get("X-Amz-Bucket-Region")
	moved := r.HTTPStatusCode() == http.StatusMovedPermanently || r.HTTPStatusCode() == http.StatusTemporaryRedirect
	return region, region != "" && region != c.region || moved
}

// kindOf is the table: the code decides, and the status of a HEAD, which has no code.
func kindOf(code string, err error, _ bool) state.Kind {
	switch code {
	case "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "NotFound":
		return state.Gone
	case "InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "OperationAborted":
		return state.Again
	}
	switch awscall.StatusOf(err) {
	case http.StatusPreconditionFailed:
		return state.LookAgain
	case http.StatusNotFound, http.StatusMethodNotAllowed: // of a mark of deletion
		return state.Gone
	}
	return awscall.KindByStatus(err)
}
