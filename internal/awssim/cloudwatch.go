package awssim

import (
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
	}
	return unsupported("cloudwatch:" + c.log.Operation)
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
