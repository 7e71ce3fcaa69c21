package awslambda

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

func TestNewRefusesBadOptions(t *testing.T) {
	for name, o := range map[string]awscall.Options{
		"no account":    {Region: testRegion},
		"short account": {Account: "1234", Region: testRegion},
		"no region":     {Account: testAccount},
	} {
		if _, err := New(t.Context(), testConfig(), Options{Options: o}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

// Credentials of another account: nothing but the identity is ever asked.
func TestWrongAccountStopsEverything(t *testing.T) {
	v := layerARN("z").Version(1)
	for name, do := range map[string]func(context.Context, *Client) error{
		"Check": func(ctx context.Context, c *Client) error { return c.Check(ctx) },
		"Observe": func(ctx context.Context, c *Client) error {
			_, err := c.Observe(ctx, state.Query{Tags: true})
			return err
		},
		"Look": func(ctx context.Context, c *Client) error {
			return c.Look(ctx, &state.Snapshot{}, state.Needs{Uses: true})
		},
		"Function": func(ctx context.Context, c *Client) error { _, err := c.Function(ctx, "f"); return err },
		"SetLayers": func(ctx context.Context, c *Client) error {
			_, err := c.SetLayers(ctx, "f", nil, "r")
			return err
		},
		"Served":             func(ctx context.Context, c *Client) error { _, err := c.Served(ctx, live); return err },
		"Publish":            func(ctx context.Context, c *Client) error { _, _, err := c.Publish(ctx, live, "", ""); return err },
		"WaitActive":         func(ctx context.Context, c *Client) error { _, err := c.WaitActive(ctx, live); return err },
		"Alias":              func(ctx context.Context, c *Client) error { _, err := c.Alias(ctx, live); return err },
		"MoveAlias":          func(ctx context.Context, c *Client) error { _, err := c.MoveAlias(ctx, live, "1", nil, ""); return err },
		"WaitProvisioned":    func(ctx context.Context, c *Client) error { return c.WaitProvisioned(ctx, live) },
		"WaitUpdated":        func(ctx context.Context, c *Client) error { _, err := c.WaitUpdated(ctx, "f"); return err },
		"DeleteLayerVersion": func(ctx context.Context, c *Client) error { _, err := c.DeleteLayerVersion(ctx, v); return err },
		"PublishLayer": func(ctx context.Context, c *Client) error {
			_, _, _, err := c.PublishLayer(ctx, layerARN("z"), state.Release{})
			return err
		},
		"LayerVersions": func(ctx context.Context, c *Client) error { _, err := c.LayerVersions(ctx, layerARN("z")); return err },
		"CodeQuota":     func(ctx context.Context, c *Client) error { _, err := c.CodeQuota(ctx); return err },
		"LayerPolicy":   func(ctx context.Context, c *Client) error { _, err := c.LayerPolicy(ctx, v); return err },
		"GrantLayer": func(ctx context.Context, c *Client) error {
			_, err := c.GrantLayer(ctx, v, state.NewGrant("210987654321"))
			return err
		},
		"RevokeLayer": func(ctx context.Context, c *Client) error {
			_, err := c.RevokeLayer(ctx, v, "layerd-210987654321", "r")
			return err
		},
		"LayerVersion": func(ctx context.Context, c *Client) error { _, _, err := c.LayerVersion(ctx, v); return err },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWire()
			w.answer["GetCallerIdentity"] = identity("999999999999", "arn:aws:iam::999999999999:root")
			c := w.client(t)
			for range 2 {
				wrong, ok := errors.AsType[*state.WrongAccountError](do(t.Context(), c))
				if !ok || wrong.Want != testAccount || wrong.Have != "999999999999" {
					t.Errorf("got %+v", wrong)
				}
			}
			if w.total() != w.count("GetCallerIdentity") {
				t.Errorf("asked %v", w.calls)
			}
		})
	}
}

func TestIdentityIsAskedOnce(t *testing.T) {
	w := newWire()
	w.answer["GetFunction"] = jsonReply(map[string]any{"Configuration": config("f")})
	c := w.client(t)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := c.Function(t.Context(), "f"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if err := c.Check(t.Context()); err != nil || w.count("GetCallerIdentity") != 1 {
		t.Errorf("%v after %d identity calls", err, w.count("GetCallerIdentity"))
	}
}

// A first answer that failed is not remembered.
func TestIdentityIsAskedAgainAfterAFailure(t *testing.T) {
	w := newWire()
	good := w.answer["GetCallerIdentity"]
	w.answer["GetCallerIdentity"] = inTurn(always(func() *http.Response {
		return reply(403, `<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>The security token included in the request is invalid</Message></Error></ErrorResponse>`, "Content-Type", "text/xml")
	}), good)
	c := w.client(t)
	if e := kindIs(t, c.Check(t.Context()), state.Barred); e.Code != "InvalidClientTokenId" {
		t.Errorf("code %q", e.Code)
	}
	if err := c.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestPartitionIsTheCallers(t *testing.T) {
	for arn, want := range map[string]string{
		"arn:aws-cn:sts::123456789012:assumed-role/layerd/x": "aws-cn",
		"not an arn": "aws", // the Region's
	} {
		w := newWire()
		w.answer["GetCallerIdentity"] = identity(testAccount, arn)
		w.answer["ListFunctions"] = page("Functions", nil, "")
		if s := observe(t, w.client(t), state.Query{}); s.Partition != want {
			t.Errorf("%s: partition %q, want %q", arn, s.Partition, want)
		}
	}
}

func assumed(expires time.Time) handler {
	return always(func() *http.Response {
		return reply(200, `<AssumeRoleResponse><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId><SecretAccessKey>s-`+planted+
			`</SecretAccessKey><SessionToken>t-`+planted+`</SessionToken><Expiration>`+expires.UTC().Format(time.RFC3339)+
			`</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>`, "Content-Type", "text/xml")
	})
}

// The role is assumed once, with its external id and our session name, and
// renewed five minutes before its end.
func TestAssumeRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		var form url.Values
		w.answer["AssumeRole"] = func(r *http.Request, body string) (*http.Response, error) {
			form, _ = url.ParseQuery(body)
			return assumed(time.Now().Add(time.Hour))(r, body)
		}
		var signedBy []string
		w.answer["ListFunctions"] = func(r *http.Request, body string) (*http.Response, error) {
			signedBy = append(signedBy, r.Header.Get("Authorization"))
			return pageReply("Functions", nil, ""), nil
		}
		c := w.client(t, func(o *Options) {
			o.Role, o.ExternalID, o.SessionName = "arn:aws:iam::123456789012:role/layerd", "ext-1", "layerd-prod"
		})
		for range 3 {
			observe(t, c, state.Query{})
		}
		if form.Get("RoleArn") != "arn:aws:iam::123456789012:role/layerd" || form.Get("ExternalId") != "ext-1" || form.Get("RoleSessionName") != "layerd-prod" {
			t.Errorf("asked for %v", form)
		}
		if !strings.Contains(signedBy[0], "ASIA1") {
			t.Errorf("signed by %q, want the role", signedBy[0])
		}
		pass(t, 54*time.Minute)
		observe(t, c, state.Query{})
		if n := w.count("AssumeRole"); n != 1 {
			t.Errorf("%d AssumeRole calls after 54 minutes, want 1", n)
		}
		pass(t, 2*time.Minute)
		observe(t, c, state.Query{})
		if n := w.count("AssumeRole"); n != 2 {
			t.Errorf("%d AssumeRole calls after 56 minutes, want 2", n)
		}
		if c.Calls().Calls["AssumeRole"] != 2 {
			t.Errorf("stats %+v do not count AssumeRole", c.Calls())
		}
		if strings.Contains(w.log.String(), planted) {
			t.Error("a token was logged")
		}
	})
}

// A role that may not be assumed is told by its own name, and a write that
// needed it was never sent.
func TestDeniedRole(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		denied := always(func() *http.Response {
			return reply(403, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>User is not authorized to perform: sts:AssumeRole</Message></Error><RequestId>r</RequestId></ErrorResponse>`, "Content-Type", "text/xml")
		})
		away := always(func() *http.Response { return reply(503, "", "Content-Type", "text/xml") })
		w.answer["AssumeRole"] = inTurn(assumed(time.Now().Add(10*time.Minute)), denied, away)
		c := w.client(t, func(o *Options) { o.Role = "arn:aws:iam::123456789012:role/layerd" })
		if err := c.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		pass(t, time.Hour)
		_, err := c.SetLayers(t.Context(), "f", nil, "r")
		if e := kindIs(t, err, state.Barred); e.Op != "AssumeRole" || e.Code != "AccessDenied" {
			t.Errorf("got %+v", e)
		}
		_, err = c.SetLayers(t.Context(), "f", nil, "r")
		kindIs(t, err, state.Again)
		if n := w.count("UpdateFunctionConfiguration"); n != 0 {
			t.Errorf("%d writes were sent", n)
		}
	})
}

// The endpoint variables of the SDK's chain reach every client.
func TestEndpointFromTheChain(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", nil, "")
	w.answer["GetResources"] = always(func() *http.Response { return reply(200, `{"ResourceTagMappingList":[]}`) })
	var hosts sync.Map
	record := roundTripper(func(r *http.Request) (*http.Response, error) {
		hosts.Store(r.URL.Host, true)
		if r.Method == http.MethodPost && r.Header.Get("X-Amz-Target") == "" {
			r.URL.Host, r.Host = "sts.local", "sts.local"
		}
		return w.RoundTrip(r)
	})
	cfg := testConfig()
	cfg.BaseEndpoint = aws.String("http://localstack:4566")
	o := w.options()
	o.HTTPClient = &http.Client{Transport: record}
	c, err := New(t.Context(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	observe(t, c, state.Query{Tags: true})
	hosts.Range(func(k, _ any) bool {
		if k != "localstack:4566" {
			t.Errorf("asked %v", k)
		}
		return true
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The SDK can log whole requests; ours must not, whatever the config says.
func TestBodiesAreNeverLogged(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = page("Functions", []map[string]any{config("f")}, "")
	cfg := testConfig()
	cfg.ClientLogMode = aws.LogSigning | aws.LogRetries | aws.LogRequestWithBody | aws.LogResponseWithBody
	c, err := New(t.Context(), cfg, w.options())
	if err != nil {
		t.Fatal(err)
	}
	observe(t, c, state.Query{})
	if s := w.log.String(); s != "" {
		t.Errorf("logged: %s", s)
	}
}
