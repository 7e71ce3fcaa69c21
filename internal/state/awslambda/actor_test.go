package awslambda

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/layerd/layerd/internal/state"
)

const (
	selfARN = "arn:aws:sts::" + testAccount + ":assumed-role/layerd/task-1"
	alice   = "arn:aws:sts::" + testAccount + ":assumed-role/deploy/alice"
)

// event is one update of f as CloudTrail tells it: the record is a text.
func event(at int64, arn string, kv ...any) map[string]any {
	record := with(map[string]any{
		"userIdentity": map[string]any{"arn": arn, "accessKeyId": planted}, "userAgent": "aws-cli/2",
		"requestParameters": map[string]any{"functionName": "f"},
	}, kv...)
	b, _ := json.Marshal(record)
	return map[string]any{"EventTime": at, "EventName": updateEvent, "CloudTrailEvent": string(b)}
}

func trail(next string, events ...map[string]any) handler {
	return jsonReply(with(map[string]any{"Events": events}, "NextToken", next))
}

// trailed is a client of role layerd, with these answers of CloudTrail.
func trailed(t *testing.T, answers ...handler) (*wire, *Client) {
	w := newWire()
	w.answer["GetCallerIdentity"] = identity(testAccount, selfARN)
	w.answer["LookupEvents"] = inTurn(answers...)
	return w, w.client(t)
}

func TestActor(t *testing.T) {
	function := func(name string) map[string]any { return map[string]any{"functionName": name} }
	for name, c := range map[string]struct {
		event map[string]any
		want  string
	}{
		"somebody":               {event(7, alice), alice},
		"a stack":                {event(7, alice, "userIdentity", map[string]any{"arn": alice, "invokedBy": "cloudformation.amazonaws.com"}), alice + " through cloudformation.amazonaws.com"},
		"a service":              {event(7, "", "userIdentity", map[string]any{"invokedBy": "x.amazonaws.com"}), "x.amazonaws.com"},
		"by its ARN":             {event(7, alice, "requestParameters", function(functionARN("f"))), alice},
		"by a part of its ARN":   {event(7, alice, "requestParameters", function(testAccount+":f")), alice},
		"by ARN and $LATEST":     {event(7, alice, "requestParameters", function(functionARN("f")+":$LATEST")), alice},
		"our role, another tool": {event(7, strings.Replace(selfARN, "task-1", "bob", 1)), strings.Replace(selfARN, "task-1", "bob", 1)},
		"another layerd":         {event(7, alice, "userAgent", "aws-sdk-go-v2/1.48.0 app/layerd"), alice},

		"ourselves":              {event(7, selfARN), ""},
		"ourselves, restarted":   {event(7, strings.Replace(selfARN, "task-1", "task-0", 1), "userAgent", "aws-sdk-go-v2/1.48.0 app/layerd"), ""},
		"refused":                {event(7, alice, "errorCode", "PreconditionFailedException"), ""},
		"another function":       {event(7, alice, "requestParameters", function("ff")), ""},
		"another function's ARN": {event(7, alice, "requestParameters", function(functionARN("g-f"))), ""},
		"not a record":           {map[string]any{"EventTime": 7, "CloudTrailEvent": "?"}, ""},
	} {
		w, cl := trailed(t, trail("", c.event))
		who, at, err := cl.Actor(t.Context(), "f", time.Unix(1, 0))
		if err != nil || who != c.want || at.IsZero() != (c.want == "") || c.want != "" && !at.Equal(time.Unix(7, 0)) {
			t.Errorf("%s: %q at %v, %v; want %q", name, who, at, err, c.want)
		}
		if strings.Contains(who+w.log.String(), planted) {
			t.Errorf("%s: tells the access key", name)
		}
	}
}

// The newest counts, wherever the pages break, and asking is for the updates
// of the time that was named.
func TestActorReadsPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var bodies []string
		answers := inTurn(trail("m", event(9, selfARN)), trail("n"), trail("", event(8, alice), event(7, "older")))
		w, cl := trailed(t, func(r *http.Request, body string) (*http.Response, error) {
			bodies = append(bodies, body)
			return answers(r, body)
		})
		who, at, err := cl.Actor(t.Context(), "f", time.Unix(5, 0))
		if err != nil || who != alice || at.Unix() != 8 || w.count("LookupEvents") != 3 {
			t.Errorf("%q at %v after %d calls, %v", who, at, w.count("LookupEvents"), err)
		}
		for i, token := range []string{"", `"NextToken":"m"`, `"NextToken":"n"`} {
			if b := bodies[i]; !strings.Contains(b, token) || !strings.Contains(b, updateEvent) || !strings.Contains(b, `"StartTime":5`) {
				t.Errorf("call %d sent %s", i, b)
			}
		}
	})
}

// An account where thousands of updates are made by others is not read to its
// end, and not faster than one call a second.
func TestActorGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, cl := trailed(t, trail("more", event(9, alice, "requestParameters", map[string]any{"functionName": "g"})))
		began := time.Now()
		who, at, err := cl.Actor(t.Context(), "f", time.Unix(5, 0))
		if err != nil || who != "" || !at.IsZero() || w.count("LookupEvents") != mostTrailPages {
			t.Errorf("%q at %v after %d calls, %v", who, at, w.count("LookupEvents"), err)
		}
		if took := time.Since(began); took != (mostTrailPages-1)*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func TestActorDenied(t *testing.T) {
	_, cl := trailed(t, fails(400, "AccessDeniedException", "not authorized to perform: cloudtrail:LookupEvents"))
	_, _, err := cl.Actor(t.Context(), "f", time.Unix(5, 0))
	if e := kindIs(t, err, state.Human); e.Op != "LookupEvents" || e.Resource != "f" {
		t.Errorf("got %v", e)
	}
}

// Every call says that it is ours, in words that the account may have chosen.
func TestUserAgentSaysWhoWeAre(t *testing.T) {
	for chosen, want := range map[string]string{"": "app/layerd", "acme": "app/acme"} {
		w := newWire()
		var agents []string
		w.answer["GetFunction"] = func(r *http.Request, body string) (*http.Response, error) {
			agents = append(agents, r.UserAgent())
			return jsonReply(map[string]any{"Configuration": config("f")})(r, body)
		}
		w.answer["LookupEvents"] = trail("", event(7, strings.Replace(selfARN, "task-1", "task-0", 1), "userAgent", want))
		w.answer["GetCallerIdentity"] = identity(testAccount, selfARN)
		cfg := testConfig()
		cfg.AppID = chosen
		cl, err := New(t.Context(), cfg, w.options())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := cl.Function(t.Context(), "f"); err != nil || !strings.Contains(fmt.Sprint(agents), want) {
			t.Errorf("%q: %v, user agents %v", chosen, err, agents)
		}
		if who, _, err := cl.Actor(t.Context(), "f", time.Unix(5, 0)); err != nil || who != "" {
			t.Errorf("%q: our own update is that of %q, %v", chosen, who, err)
		}
	}
}
