package awslambda

import (
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/smithy-go/middleware"
)

// Writes are the calls of a Client that change something, sent only while check
// returns nil.
type Writes struct {
	c     *Client
	check func() error // nil: always
}

// While returns the writes of c, each of which asks check before each attempt
// whether it may still be sent; an error is state.Barred. check is asked when the
// limiter has let the attempt through: a process that was stopped wakes up there,
// what allowed the call before is minutes old then, and the timer that would end
// its context may come a moment later than that of the limiter.
func (c *Client) While(check func() error) Writes { return Writes{c, check} }

// once is an option of every write: it is repeated only where it surely was not
// done, and sent only while check allows it.
func (w Writes) once(o *lambda.Options) {
	w.c.write(o)
	if w.check == nil {
		return
	}
	o.APIOptions = append(o.APIOptions, func(s *middleware.Stack) error {
		_, err := s.Finalize.Swap(limitID, middleware.FinalizeMiddlewareFunc(limitID, w.c.limitWhile(w.check)))
		return err
	})
}
