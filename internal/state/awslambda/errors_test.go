package awslambda

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/state"
)

func fails(status int, code, message string) handler {
	return always(func() *http.Response { return failure(status, code, message) })
}

// What AWS refuses for the credentials is told with the call that met it, and bars
// the others: they are not sent.
func TestO1CredentialsBarAllCalls(t *testing.T) {
	for _, code := range []string{
		"ExpiredTokenException", "ExpiredToken", "UnrecognizedClientException", "InvalidClientTokenId", "InvalidSignatureException",
		"SignatureDoesNotMatch", "MissingAuthenticationTokenException", "IncompleteSignatureException",
	} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				refused := fails(403, code, "The security token included in the request is expired")
				w.answer["GetFunction"], w.answer["UpdateFunctionConfiguration"] = refused, refused
				cl := w.client(t)
				_, err := cl.SetLayers(t.Context(), "f", nil, "r1")
				if e := kindIs(t, err, state.Barred); e.Op != "UpdateFunctionConfiguration" || e.Resource != "f" || e.Code != code {
					t.Errorf("%+v", e)
				}
				for range 3 {
					_, err = cl.Function(t.Context(), "f")
					kindIs(t, err, state.Barred)
					_, err = cl.SetLayers(t.Context(), "g", nil, "r1")
					if e := kindIs(t, err, state.Barred); e.Code != code {
						t.Errorf("%+v", e)
					}
				}
				if n := w.count("UpdateFunctionConfiguration") + w.count("GetFunction"); n != 1 {
					t.Errorf("%d calls were sent", n)
				}
			})
		})
	}
}

// One row for each answer that Lambda, STS and the network are known to give:
// what a read makes of it, what a write makes of it, and how often a write is
// sent.
func TestErrorKinds(t *testing.T) {
	const h, a, l, g, u = state.Human, state.Again, state.LookAgain, state.Gone, state.Unsure
	const b = state.Barred
	dial := &url.Error{Op: "Put", URL: "https://x", Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}}
	for _, c := range []struct {
		name        string
		answer      handler
		read, write state.Kind
		sent        int // attempts of the write
	}{
		// Errors of the API at large.
		{"429 TooManyRequests", fails(429, "TooManyRequestsException", "Rate exceeded"), a, a, 8},
		{"429 without a code", always(func() *http.Response { return reply(429, "slow") }), a, a, 8},
		{"400 Throttling", fails(400, "ThrottlingException", "Rate exceeded"), a, a, 8},
		{"400 RequestLimitExceeded", fails(400, "RequestLimitExceeded", ""), a, a, 8},
		{"400 Throttled", fails(400, "ThrottledException", ""), a, a, 8},
		{"400 page token expired", fails(400, "PaginationTokenExpiredException", ""), a, a, 1},
		{"500 Service", fails(500, "ServiceException", "An error occurred"), a, u, 1},
		{"500 InternalService", fails(500, "InternalServiceException", ""), a, u, 1},
		{"500 unknown", always(func() *http.Response { return reply(500, "<html>") }), a, u, 1},
		{"502", always(func() *http.Response { return reply(502, "") }), a, u, 1},
		{"502 EC2Throttled", fails(502, "EC2ThrottledException", ""), a, u, 1},
		{"503", always(func() *http.Response { return reply(503, "") }), a, u, 1},
		{"504", always(func() *http.Response { return reply(504, "") }), a, u, 1},
		{"409 in progress", fails(409, "ResourceConflictException", "An update is in progress for resource: f"), l, l, 1},
		{"412 revision", fails(412, "PreconditionFailedException", "The Revision Id provided does not match"), l, l, 1},
		{"404 gone", fails(404, "ResourceNotFoundException", "Function not found: f"), g, g, 1},
		{"400 CodeStorage", fails(400, "CodeStorageExceededException", "Code storage limit exceeded."), h, h, 1},
		{"403 AccessDeniedException", fails(403, "AccessDeniedException", "User is not authorized"), h, h, 1},
		{"403 AccessDenied", fails(403, "AccessDenied", "User is not authorized"), h, h, 1},
		{"400 Validation", fails(400, "ValidationException", "1 validation error detected"), h, h, 1},
		{"400 SubscriptionRequired", fails(400, "SubscriptionRequiredException", "The AWS Access Key Id needs a subscription for the service"), b, b, 1},
		{"403 OptInRequired", fails(403, "OptInRequired", ""), b, b, 1},
		// Of one function's key, network and files.
		{"502 KMSAccessDenied", fails(502, "KMSAccessDeniedException", "Lambda was unable to decrypt the environment variables"), h, h, 1},
		{"502 KMSDisabled", fails(502, "KMSDisabledException", ""), h, h, 1},
		{"502 KMSInvalidState", fails(502, "KMSInvalidStateException", ""), h, h, 1},
		{"502 KMSNotFound", fails(502, "KMSNotFoundException", ""), h, h, 1},
		{"502 InvalidSubnet", fails(502, "InvalidSubnetIDException", ""), h, h, 1},
		// Of its customer-managed runtime: no update in progress, for all that it is a 409.
		{"409 runtime alias", fails(409, "RuntimeAliasDeletedException", "The runtime alias for your function is no longer available."), h, h, 1},
		{"409 runtime version", fails(409, "RuntimeVersionDeletedException", "The runtime version used by your function is no longer available."), h, h, 1},
		{"413", fails(413, "RequestEntityTooLargeException", ""), h, h, 1},
		{"418 of the future", fails(418, "TeapotException", ""), h, h, 1},
		// Refusals of UpdateFunctionConfiguration.
		{"six layers", fails(400, "InvalidParameterValueException", "Cannot reference more than 5 layers."), h, h, 1},
		{"two versions", fails(400, "InvalidParameterValueException", "Two different versions of the same layer are not allowed"), h, h, 1},
		{"deleted layer", fails(400, "InvalidParameterValueException", "Layer version x does not exist."), h, h, 1},
		{"other region", fails(400, "InvalidParameterValueException", "Layers are not in the same region as the function."), h, h, 1},
		{"foreign layer", fails(403, "AccessDeniedException", "because no resource-based policy allows the lambda:GetLayerVersion action"), h, h, 1},
		{"too large", fails(400, "InvalidParameterValueException", "Function code combined with layers exceeds the maximum allowed size"), h, h, 1},
		{"code signing", fails(400, "CodeVerificationFailedException", ""), h, h, 1},
		{"signature", fails(400, "InvalidCodeSignatureException", ""), h, h, 1},
		{"no signing config", fails(404, "CodeSigningConfigNotFoundException", ""), h, h, 1},
		// No answer.
		{"reset", breaks(syscall.ECONNRESET), a, u, 1},
		{"eof", breaks(io.ErrUnexpectedEOF), a, u, 1},
		{"never connected", breaks(dial), a, a, 8},
		{"unreadable 200", always(func() *http.Response { return reply(200, "<html>maintenance") }), a, u, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWire()
				w.answer["GetFunction"], w.answer["UpdateFunctionConfiguration"] = c.answer, c.answer
				cl := w.client(t)
				_, err := cl.Function(t.Context(), "f")
				if e := kindIs(t, err, c.read); e.Op != "GetFunction" || e.Resource != "f" {
					t.Errorf("op %q resource %q", e.Op, e.Resource)
				}
				_, err = cl.SetLayers(t.Context(), "f", nil, "r1")
				kindIs(t, err, c.write)
				if got := w.count("UpdateFunctionConfiguration"); got != c.sent {
					t.Errorf("write was sent %d times, want %d", got, c.sent)
				}
			})
		})
	}
}

func TestErrorKeepsCodeWordsAndRequestID(t *testing.T) {
	w := newWire()
	w.answer["UpdateFunctionConfiguration"] = fails(400, "InvalidParameterValueException", "Layer version x does not exist.")
	_, err := w.client(t).SetLayers(t.Context(), "f", nil, "r1")
	e := kindIs(t, err, state.Human)
	if e.Code != "InvalidParameterValueException" || e.Message != "Layer version x does not exist." || e.RequestID != "req-1" {
		t.Errorf("got %+v", e)
	}
}

// An attempt has a deadline of its own: a read tries again, a write does not.
func TestAttemptDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		hang := func(r *http.Request, _ string) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		w.answer["GetFunction"] = inTurn(hang, hang, jsonReply(map[string]any{"Configuration": config("f")}))
		w.answer["UpdateFunctionConfiguration"] = hang
		cl := w.client(t, func(o *Options) { o.CallTimeout = 7 * time.Second })
		if _, err := cl.Function(t.Context(), "f"); err != nil {
			t.Errorf("a read gave up after %d attempts: %v", w.count("GetFunction"), err)
		}
		began := time.Now()
		_, err := cl.SetLayers(t.Context(), "f", nil, "r1")
		e := kindIs(t, err, state.Unsure)
		if took := time.Since(began); took != 7*time.Second || !strings.Contains(e.Message, "no answer within 7s") {
			t.Errorf("after %v: %v", took, e)
		}
	})
}

// Our own end is no failure of anything, but a write that was on its way may
// have happened.
func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		hang := func(r *http.Request, _ string) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		w.answer["GetFunction"], w.answer["UpdateFunctionConfiguration"] = hang, hang
		cl := w.client(t)
		for _, c := range []struct {
			do   func(context.Context) error
			want state.Kind
		}{
			{func(c context.Context) error { _, err := cl.Function(c, "f"); return err }, state.Stopped},
			{func(c context.Context) error { _, err := cl.SetLayers(c, "f", nil, "r"); return err }, state.Unsure},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- c.do(ctx) }()
			synctest.Wait()
			cancel()
			err := <-done
			kindIs(t, err, c.want)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%v does not tell the cause", err)
			}
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := cl.SetLayers(ended, "f", nil, "r")
		kindIs(t, err, state.Stopped) // it was never sent
		_, err = cl.WaitUpdated(ended, "f")
		kindIs(t, err, state.Stopped)
		_, err = w.client(t).Observe(ended, state.Query{})
		kindIs(t, err, state.Stopped)
	})
}

// Throttled, then cancelled while backing off: nothing is on its way.
func TestCancelledWhileBackingOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["UpdateFunctionConfiguration"] = always(func() *http.Response {
			return failure(429, "TooManyRequestsException", "", "Retry-After", "30")
		})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := w.client(t).SetLayers(ctx, "f", nil, "r")
		kindIs(t, err, state.Stopped)
	})
}

func TestNoCredentials(t *testing.T) {
	w := newWire()
	c, err := New(t.Context(), aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no such profile")
	})}, w.options())
	if err != nil {
		t.Fatal(err)
	}
	err = c.Check(t.Context())
	if e := kindIs(t, err, state.Barred); !strings.Contains(e.Message, "no such profile") || w.total() != 0 {
		t.Errorf("got %v after %d calls", e, w.total())
	}
}

// What a caller gets, keeps and logs can hold no request and no response: the
// SDK's own chain has the signature, the session token and the body.
func TestErrorsHoldNoSecrets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, h := range []handler{
			fails(403, "InvalidSignatureException", "does not match\nThe Canonical String: token-"+planted),
			fails(400, "InvalidParameterValueException", "cannot read https://s3/x?X-Amz-Security-Token="+planted),
			always(func() *http.Response { return reply(500, `{"Environment":"`+planted+`"}`) }),
			always(func() *http.Response { return reply(200, `{"Environment":"`+planted) }),
			breaks(syscall.ECONNRESET),
		} {
			w := newWire()
			w.answer["GetFunction"], w.answer["UpdateFunctionConfiguration"] = h, h
			cl := w.client(t)
			_, read := cl.Function(t.Context(), "f")
			_, write := cl.SetLayers(t.Context(), "f", nil, "r1")
			for _, err := range []error{read, write} {
				holds(t, reflect.ValueOf(err), map[uintptr]bool{})
				if s := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(s, planted) {
					t.Errorf("printed: %s", s)
				}
			}
			if strings.Contains(w.log.String(), planted) {
				t.Errorf("logged: %s", w.log.String())
			}
		}
	})
}

// holds walks everything reachable from v and fails on the planted text.
func holds(t *testing.T, v reflect.Value, seen map[uintptr]bool) {
	t.Helper()
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), planted) {
			t.Errorf("kept: %q", v.String())
		}
	case reflect.Pointer:
		if !v.IsNil() && !seen[v.Pointer()] {
			seen[v.Pointer()] = true
			holds(t, v.Elem(), seen)
		}
	case reflect.Interface:
		if !v.IsNil() {
			holds(t, v.Elem(), seen)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			holds(t, v.Field(i), seen)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 && v.Kind() == reflect.Slice {
			if strings.Contains(string(v.Bytes()), planted) {
				t.Error("kept as bytes")
			}
			return
		}
		for i := range v.Len() {
			holds(t, v.Index(i), seen)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			holds(t, it.Key(), seen)
			holds(t, it.Value(), seen)
		}
	}
}

func TestSnapshotsAndLogsHoldNoSecrets(t *testing.T) {
	w := newWire()
	fn := with(config("f", "arn:aws:lambda:ap-northeast-1:464622532012:layer:x:1"), "Description", planted,
		"LastUpdateStatus", "Failed", "LastUpdateStatusReason", "see https://s3/x?sig="+planted)
	w.answer["ListFunctions"] = page("Functions", []map[string]any{fn}, "")
	w.answer["GetFunction"] = jsonReply(map[string]any{
		"Configuration": fn, "Code": map[string]any{"Location": "https://s3/x?sig=" + planted},
	})
	w.answer["GetLayerVersionByArn"] = jsonReply(map[string]any{"Content": map[string]any{"Location": "https://s3/x?sig=" + planted}})
	c := w.client(t)
	s := observe(t, c, state.Query{})
	if err := c.Look(t.Context(), &s, state.Needs{Uses: true, Probes: s.Functions[0].Layers}); err != nil {
		t.Fatal(err)
	}
	f, err := c.Function(t.Context(), "f")
	if err != nil {
		t.Fatal(err)
	}
	holds(t, reflect.ValueOf(s), map[uintptr]bool{})
	holds(t, reflect.ValueOf(f), map[uintptr]bool{})
	if f.StatusReason == "" {
		t.Error("the reason is gone, not cleaned")
	}
	if strings.Contains(w.log.String(), planted) {
		t.Errorf("logged: %s", w.log.String())
	}
}
