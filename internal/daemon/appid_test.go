package daemon_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/layerd/layerd/internal/awssim"
	"github.com/layerd/layerd/internal/daemon"
	"github.com/layerd/layerd/internal/daemon/config/awssecrets"
	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/health"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/store/dynamostore"
	"github.com/layerd/layerd/internal/store/dynamostore/dynamotest"
)

// agents notes what each call says of who makes it.
type agents struct {
	mu   sync.Mutex // guards seen
	seen map[string]string
	next http.RoundTripper
}

func (a *agents) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.seen[r.Method+" "+r.URL.Host+r.URL.Path+" "+r.Header.Get("X-Amz-Target")] = r.UserAgent()
	a.mu.Unlock()
	return a.next.RoundTrip(r)
}

// Every call of every client says that it is ours, in words that the account may
// have chosen: CloudTrail is where people and layerd look for who did what.
func TestEveryClientSaysWhoItIs(t *testing.T) {
	for chosen, want := range map[string]string{"": "app/layerd", "acme": "app/acme"} {
		a := &agents{seen: map[string]string{}}
		config := func(cfg aws.Config, next http.RoundTripper) aws.Config {
			cfg.AppID, a.next = chosen, next
			cfg.HTTPClient = &http.Client{Transport: a}
			return cfg
		}
		db := dynamotest.New()
		cfg := config(db.Config(), db.Transport())
		if _, err := dynamostore.Init(t.Context(), cfg, "layerd"); err != nil {
			t.Fatal(err)
		}
		s, err := dynamostore.Open(t.Context(), cfg, "layerd", dynamostore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()

		w := awssim.New(awssim.Options{Account: accountID, Region: region, Limits: awssim.Unlimited()})
		role := "arn:aws:iam::" + accountID + ":role/layerd"
		w.PutRole(awssim.Role{ARN: role, Trusted: []string{accountID}})
		cfg = config(cfg, w.Transport())
		cloud, err := daemon.Connector(cfg, daemon.AWSOptions{})(t.Context(), desired.Environment{Name: "dev", Account: accountID, Region: region, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		if err := cloud.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What the answers are does not matter, nor whether there is one.
		_, _ = cloud.Observe(t.Context(), state.Query{Tags: true})
		client, err := daemon.Examiner(cfg, daemon.AWSOptions{})(t.Context(), desired.Environment{Name: "dev", Account: accountID, Region: region, Role: role})
		if err != nil {
			t.Fatal(err)
		}
		_, _, _ = client.Actor(t.Context(), "f", time.Unix(5, 0))
		_, _ = cloud.Alarms(t.Context(), []string{"a"})
		_, _ = cloud.Sums(t.Context(), []health.Series{{Function: "f", Metric: "Errors"}}, time.Unix(0, 0), time.Unix(60, 0))
		_, _ = cloud.Invoke(t.Context(), health.Call{Function: "f", Payload: []byte("{}")})
		_, _ = awssecrets.Manager(cfg)(t.Context(), "x")
		_, _ = awssecrets.Parameters(cfg)(t.Context(), "x")

		if len(a.seen) < 12 {
			t.Errorf("only %d kinds of calls were seen: %v", len(a.seen), a.seen)
		}
		for call, agent := range a.seen {
			if !strings.Contains(agent, want) {
				t.Errorf("%s: %q, want %s", call, agent, want)
			}
		}
	}
}
