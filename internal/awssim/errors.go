package awssim

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
)

// apiError is a refusal in AWS's words.
type apiError struct {
	status        int
	code, message string
	reason        string // TooManyRequestsException only
	retryAfter    string // header Retry-After, seconds

	details [][2]string // S3 only: further elements of the document
	header  http.Header // S3 only
}

func (e *apiError) Error() string { return e.code + ": " + e.message }

func refuse(status int, code, format string, args ...any) *apiError {
	return &apiError{status: status, code: code, message: fmt.Sprintf(format, args...)}
}

func invalidValue(format string, args ...any) *apiError {
	return refuse(400, "InvalidParameterValueException", format, args...)
}

func notFound(format string, args ...any) *apiError {
	return refuse(404, "ResourceNotFoundException", format, args...)
}

func conflict(format string, args ...any) *apiError {
	return refuse(409, "ResourceConflictException", format, args...)
}

// violation is the unmodelled ValidationException: shapes are checked before
// anything else, even before permissions.
func violation(value, at, format string, args ...any) *apiError {
	return refuse(400, "ValidationException", "1 validation error detected: Value '%s' at '%s' failed to satisfy constraint: %s",
		value, at, fmt.Sprintf(format, args...))
}

func unsupported(what string) *apiError {
	return refuse(501, "NotImplementedException", "awssim does not implement %s", what)
}

// staleRevision is the 412 for functions and aliases; layer policies name
// another call to look at.
func staleRevision(call string) *apiError {
	return refuse(412, "PreconditionFailedException",
		"The Revision Id provided does not match the latest Revision Id. Call the %s API to retrieve the latest Revision Id", call)
}

// notGranted is the answer for a layer version of another account, whether it
// is private, gone or elsewhere: AWS does not say which.
func notGranted(caller, action, resource string) *apiError {
	return refuse(403, "AccessDeniedException",
		"User: %s is not authorized to perform: %s on resource: %s because no resource-based policy allows the %s action",
		caller, action, resource, action)
}

// answer is one HTTP response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// length is what the answer says of its body: more than there is to a HEAD.
func (a answer) length() int64 {
	if n, err := strconv.ParseInt(a.header.Get("Content-Length"), 10, 64); err == nil {
		return n
	}
	return int64(len(a.body))
}

func newAnswer(status int, contentType, requestID string, body []byte) answer {
	h := http.Header{}
	if len(body) > 0 {
		h.Set("Content-Type", contentType)
	}
	h.Set("X-Amzn-RequestId", requestID)
	return answer{status: status, header: h, body: body}
}

// failed writes an error the way its service does: REST-JSON for Lambda, JSON
// 1.1 for tagging, CloudTrail, SSM and SQS (1.0, which is the same), XML for STS and S3, CBOR for CloudWatch.
func (c *call) failed(e *apiError) answer {
	var a answer
	requestID := c.id
	switch c.log.Service {
	case "s3":
		a = c.s3Error(e)
	case "sts":
		a = newAnswer(e.status, "text/xml", requestID, stsError(requestID, e))
	case "cloudwatch":
		a = cborError(requestID, e)
	case "tagging", "cloudtrail", "monitoring", "ssm", "sqs":
		body, _ := json.Marshal(map[string]string{"__type": e.code, "Message": e.message}) // strings only
		a = newAnswer(e.status, "application/x-amz-json-1.1", requestID, body)
		if c.log.Service == "sqs" {
			a.header.Set("X-Amzn-Query-Error", queryCode(e.code)+";Sender")
		}
	default:
		a = newAnswer(e.status, "application/json", requestID, lambdaError(e))
		a.header.Set("X-Amzn-ErrorType", e.code)
	}
	if e.retryAfter != "" {
		a.header.Set("Retry-After", e.retryAfter)
	}
	return a
}

// lambdaError varies the case of "message" as the live service does, so that
// nobody grows to depend on either.
func lambdaError(e *apiError) []byte {
	body := map[string]string{"Message": e.message, "Type": "User"}
	switch {
	case e.code == "ValidationException":
		body = map[string]string{"message": e.message}
	case e.status == 429:
		body = map[string]string{"message": e.message, "Type": "User", "Reason": e.reason}
	case e.status >= 500:
		body["Type"] = "Service"
	}
	b, _ := json.Marshal(body) // strings only
	return b
}

func stsError(requestID string, e *apiError) []byte {
	type inner struct{ Type, Code, Message string }
	b, _ := xml.Marshal(struct { // strings only
		XMLName   xml.Name `xml:"https://sts.amazonaws.com/doc/2011-06-15/ ErrorResponse"`
		Error     inner
		RequestID string `xml:"RequestId"`
	}{Error: inner{"Sender", e.code, e.message}, RequestID: requestID})
	return b
}
