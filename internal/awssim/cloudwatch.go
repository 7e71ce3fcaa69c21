package awssim

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/aws/smithy-go/encoding/cbor"
)

// cloudwatchPath begins the paths of the protocol rpc-v2-cbor, in which the
// operation is the last part.
const cloudwatchPath = "/service/GraniteServiceVersion20100801/operation/"

func (c *call) routeCloudWatch(r *http.Request, body []byte) *apiError {
	c.log.Operation = strings.TrimPrefix(r.URL.Path, cloudwatchPath)
	if r.Header.Get("Smithy-Protocol") != "rpc-v2-cbor" {
		return unsupported("CloudWatch in any protocol but rpc-v2-cbor")
	}
	switch c.log.Operation {
	case "DescribeAlarms":
		return cborOp(c, body, (*call).describeAlarms)
	case "GetMetricData":
		return cborOp(c, body, (*call).getMetricData)
	case "PutMetricData":
		body, err := inflated(r, body)
		if err != nil {
			return refuse(400, "SerializationException", "%v", err)
		}
		return cborOp(c, body, (*call).putMetricData)
	}
	return unsupported("cloudwatch:" + c.log.Operation)
}

// maxInflated is how large a request may be that comes compressed.
const maxInflated = 1 << 20

// inflated returns a body as it was before it was compressed, as the SDK does with
// large ones where the model allows it.
func inflated(r *http.Request, body []byte) ([]byte, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	body, err = io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err == nil && len(body) > maxInflated {
		err = fmt.Errorf("more than %d bytes", maxInflated)
	}
	return body, err
}

func cborOp[In any](c *call, body []byte, do func(*call, *In) (any, *apiError)) *apiError {
	in := new(In)
	c.log.Input = in
	if err := fromCBOR(body, in); err != nil {
		return refuse(400, "SerializationException", "%v", err)
	}
	c.do = func(c *call) (any, *apiError) { return do(c, in) }
	return nil
}

// cborAnswer is an answer of CloudWatch, whose clients insist on the header.
func cborAnswer(status int, requestID string, body []byte) answer {
	a := newAnswer(status, "application/cbor", requestID, body)
	a.header.Set("Smithy-Protocol", "rpc-v2-cbor")
	return a
}

// cborError writes the code twice: CloudWatch once spoke the query protocol,
// and the SDK prefers the code that protocol had.
func cborError(requestID string, e *apiError) answer {
	a := cborAnswer(e.status, requestID, cbor.Encode(cbor.Map{
		"__type": cbor.String("com.amazonaws.cloudwatch#" + e.code), "message": cbor.String(e.message)}))
	fault := "Sender"
	if e.status >= 500 {
		fault = "Receiver"
	}
	a.header.Set("X-Amzn-Query-Error", e.code+";"+fault)
	return a
}

// wrongInput is how CloudWatch refuses what does not fit its model.
func wrongInput(format string, args ...any) *apiError {
	return refuse(400, "ValidationError", format, args...)
}
