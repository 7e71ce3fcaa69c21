package awslambda

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/state"
)

// elsewhere is an AWS that answers one operation about another place than was
// asked. What it is asked to do it does.
type elsewhere struct {
	to       http.RoundTripper
	op       string
	from, as string
}

func (e elsewhere) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	op := operation(r, string(body))
	res, err := e.to.RoundTrip(r)
	if err != nil || op != e.op {
		return res, err
	}
	answer, _ := io.ReadAll(res.Body)
	answer = bytes.ReplaceAll(answer, []byte(e.from), []byte(e.as))
	res.Body, res.ContentLength = io.NopCloser(bytes.NewReader(answer)), int64(len(answer))
	res.Header.Del("Content-Length")
	return res, nil
}

// placed is each operation whose answer names a function or an own layer, and
// what makes it.
var placed = map[string]func(context.Context, *Client) error{
	"ListFunctions":     func(ctx context.Context, c *Client) error { _, err := c.Observe(ctx, state.Query{}); return err },
	"ListLayerVersions": func(ctx context.Context, c *Client) error { _, err := c.Versions(ctx, layerARN("z")); return err },
	"GetResources": func(ctx context.Context, c *Client) error {
		_, err := c.Observe(ctx, state.Query{Tags: true})
		return err
	},
	"GetFunction":                       func(ctx context.Context, c *Client) error { _, err := c.Function(ctx, "f"); return err },
	"UpdateFunctionConfiguration":       func(ctx context.Context, c *Client) error { _, err := c.SetLayers(ctx, "f", nil, ""); return err },
	"PublishVersion":                    func(ctx context.Context, c *Client) error { _, _, err := c.Publish(ctx, live, "", ""); return err },
	"GetAlias":                          func(ctx context.Context, c *Client) error { _, err := c.Alias(ctx, live); return err },
	"UpdateAlias":                       func(ctx context.Context, c *Client) error { _, err := c.MoveAlias(ctx, live, "1", nil, ""); return err },
	"ListAliases":                       lookedFor(state.Needs{Aliases: []string{"f"}}),
	"ListFunctionsByCodeSigningConfig":  lookedFor(state.Needs{Signing: true}),
	"ListProvisionedConcurrencyConfigs": lookedFor(state.Needs{Aliases: []string{"f"}, Served: []state.Qualified{live}}),
	"GetLayerVersionPolicy":             lookedFor(state.Needs{Policies: []state.LayerVersionARN{layerARN("z").Version(1)}}),
	"AddLayerVersionPermission": func(ctx context.Context, c *Client) error {
		_, err := c.GrantLayer(ctx, layerARN("z").Version(1), state.NewGrant(fmt.Sprint(time.Now().UnixNano())[:12]))
		return err
	},
	"GetLayerVersionByArn": lookedFor(state.Needs{Probes: []state.LayerVersionARN{layerARN("z").Version(1)}}),
}

func lookedFor(n state.Needs) func(context.Context, *Client) error {
	return func(ctx context.Context, c *Client) error { return c.Look(ctx, &state.Snapshot{}, n) }
}

// An answer about another account, Region or partition is refused, of every
// operation, and the error names both.
func TestAnswersOfAnotherPlaceAreRefused(t *testing.T) {
	for op, do := range placed {
		for _, as := range []string{
			"arn:aws:lambda:" + testRegion + ":999999999999:",
			"arn:aws:lambda:us-east-1:" + testAccount + ":",
			"arn:aws-cn:lambda:" + testRegion + ":" + testAccount + ":",
		} {
			t.Run(op+" "+as, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := simWorld()
					w.PutLayerVersion(awssim.LayerVersion{Name: "z", Grants: []awssim.Grant{{Principal: "210987654321"}}})
					w.PutFunction(awssim.Function{Name: "f", Tags: map[string]string{"a": "b"}})
					w.PutAlias(awssim.Alias{Function: "f", Name: "live", Version: w.PutVersion("f")})
					w.PutProvisioned(awssim.Provisioned{Function: "f", Qualifier: "live"})
					w.SetCodeSigning("f", w.PutCodeSigningConfig(awssim.CodeSigningConfig{}))
					c := simClient(t, w, func(o *Options) {
						o.HTTPClient = &http.Client{Transport: elsewhere{w.Transport(), op, "arn:aws:lambda:" + testRegion + ":" + testAccount + ":", as}}
					})
					foreign, ok := errors.AsType[*state.ForeignError](do(t.Context(), c))
					if !ok || foreign.Op != op || !strings.HasPrefix(foreign.ARN, as) || foreign.Account != testAccount || foreign.Region != testRegion {
						t.Errorf("got %+v", foreign)
					}
					time.Sleep(3 * time.Second) // what was done settles
					if err := do(t.Context(), simClient(t, w)); err != nil {
						t.Errorf("of the right place: %v", err)
					}
				})
			})
		}
	}
}
