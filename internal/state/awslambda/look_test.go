package awslambda

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/layerd/layerd/internal/state"
)

func TestLookFillsWhatIsNeeded(t *testing.T) {
	w := newWire()
	w.answer["ListFunctions"] = func(r *http.Request, body string) (*http.Response, error) {
		if r.URL.Query().Get("FunctionVersion") != "ALL" {
			return failure(400, "InvalidParameterValueException", "the sweep asks for all versions"), nil
		}
		v := func(name, version string, layers ...string) map[string]any {
			return with(config(name, layers...), "Version", version, "FunctionArn", functionARN(name)+":"+version)
		}
		one, two := string(layerARN("z").Version(1)), string(layerARN("z").Version(2))
		return paged("Functions", []map[string]any{
			v("b", "$LATEST", two), v("b", "10", two), v("b", "9", one), v("b", "9", one), v("b", "1"),
			v("a", "$LATEST", one), v("a", "$LATEST.PUBLISHED", one), v("plain", "$LATEST"), v("bare", "3"),
		})(r, body)
	}
	w.answer["ListAliases"] = func(r *http.Request, _ string) (*http.Response, error) {
		switch {
		case strings.Contains(r.URL.Path, "/none/"):
			return pageReply("Aliases", nil, ""), nil
		case strings.Contains(r.URL.Path, "/nobody/"):
			return pageReply("Aliases", []map[string]any{{"Name": "live", "FunctionVersion": "1"}}, ""), nil
		case strings.Contains(r.URL.Path, "/latest/"):
			return pageReply("Aliases", []map[string]any{{"Name": "dev", "FunctionVersion": "$LATEST"}}, ""), nil
		}
		if r.URL.Query().Get("Marker") == "" {
			return pageReply("Aliases", []map[string]any{{"Name": "live", "FunctionVersion": "9", "RevisionId": "a1", "RoutingConfig": map[string]any{"AdditionalVersionWeights": map[string]any{"10": 0.1}}}}, "m"), nil
		}
		return pageReply("Aliases", []map[string]any{{"Name": "blue", "FunctionVersion": "$LATEST", "RoutingConfig": nil}}, ""), nil
	}
	w.answer["ListProvisionedConcurrencyConfigs"] = func(r *http.Request, _ string) (*http.Response, error) {
		if !strings.Contains(r.URL.Path, "/b/") {
			return failure(400, "InvalidParameterValueException", "nothing of it can have any"), nil
		}
		if r.URL.Query().Get("Marker") == "" { // that of a version, which an alias does not take along
			return pageReply("ProvisionedConcurrencyConfigs", []map[string]any{{"FunctionArn": functionARN("b") + ":9", "Status": "READY"}}, "m"), nil
		}
		return pageReply("ProvisionedConcurrencyConfigs", []map[string]any{{"FunctionArn": functionARN("b") + ":live", "Status": "FAILED"}}, ""), nil
	}
	w.answer["GetFunction"] = func(r *http.Request, _ string) (*http.Response, error) {
		if r.URL.Query().Get("Qualifier") != "live" {
			return failure(404, "ResourceNotFoundException", "Function not found"), nil
		}
		return jsonReply(map[string]any{"Configuration": with(config("b", string(layerARN("z").Version(1))), "Version", "9", "State", "Active")})(r, "")
	}
	w.answer["ListCodeSigningConfigs"] = func(r *http.Request, _ string) (*http.Response, error) {
		csc := func(id, policy string, signers ...string) map[string]any {
			return map[string]any{
				"CodeSigningConfigArn": "arn:aws:lambda:" + testRegion + ":" + testAccount + ":code-signing-config:" + id,
				"CodeSigningPolicies":  map[string]any{"UntrustedArtifactOnDeployment": policy},
				"AllowedPublishers":    map[string]any{"SigningProfileVersionArns": signers},
			}
		}
		if r.URL.Query().Get("Marker") == "" {
			return pageReply("CodeSigningConfigs", []map[string]any{csc("one", "Enforce", "s2", "s1")}, "m"), nil
		}
		return pageReply("CodeSigningConfigs", []map[string]any{csc("two", "Warn", "s3"), csc("gone", "Enforce", "s4")}, ""), nil
	}
	w.answer["ListFunctionsByCodeSigningConfig"] = func(r *http.Request, _ string) (*http.Response, error) {
		arns := func(next string, names ...string) (*http.Response, error) {
			var list []string
			for _, n := range names {
				list = append(list, functionARN(n))
			}
			return jsonReply(map[string]any{"FunctionArns": list, "NextMarker": next})(r, "")
		}
		switch marker := r.URL.Query().Get("Marker"); {
		case strings.Contains(r.URL.Path, ":gone/"):
			return failure(404, "ResourceNotFoundException", "The code signing configuration cannot be found."), nil
		case strings.Contains(r.URL.Path, ":two/"):
			return arns("", "plain")
		case marker == "":
			return arns("m", "a")
		}
		return arns("", "b")
	}
	w.answer["GetLayerVersionPolicy"] = jsonReply(map[string]any{"Policy": `{"Statement":[{"Effect":"Allow","Principal":"*"}]}`})
	foreign := state.NewLayerARN("aws", testRegion, "464622532012", "x")
	w.answer["GetLayerVersionByArn"] = func(r *http.Request, _ string) (*http.Response, error) {
		switch r.URL.Query().Get("Arn") {
		case string(foreign.Version(1)):
			return reply(200, `{"Version":1,"Content":{"CodeSize":4711,"SigningProfileVersionArn":"s1","Location":"https://x/?`+planted+`"}}`), nil
		case string(foreign.Version(2)):
			return failure(403, "AccessDeniedException", "no resource-based policy allows"), nil
		}
		return failure(404, "ResourceNotFoundException", "The resource you requested does not exist."), nil
	}

	var s state.Snapshot
	err := w.client(t).Look(t.Context(), &s, state.Needs{
		Uses: true, Aliases: []string{"b", "latest", "nobody", "none"}, Policies: []state.LayerVersionARN{layerARN("z").Version(1)},
		Probes: []state.LayerVersionARN{foreign.Version(1), foreign.Version(2), foreign.Version(3), "arn:aws:lambda:::awslayer:AmazonLinux1803"},
		Served: []state.Qualified{{Function: "b", Qualifier: "live"}, {Function: "b", Qualifier: "new"}, {Function: "latest", Qualifier: "new"}}, Signing: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if s.Uses == nil || s.Uses.SweptAt.IsZero() {
		t.Fatal("no sweep")
	}
	s.Uses.SweptAt = state.Snapshot{}.ObservedAt
	z := func(n int64) []state.LayerVersionARN { return []state.LayerVersionARN{layerARN("z").Version(n)} }
	want := state.Snapshot{
		Uses: &state.Uses{
			Published: []state.Published{
				{Function: "a", Version: "$LATEST.PUBLISHED", Layers: z(1)},
				{Function: "b", Version: "9", Layers: z(1)}, {Function: "b", Version: "10", Layers: z(2)},
			},
			Versioned: []string{"a", "b", "bare"},
			Sizes:     map[state.LayerVersionARN]int64{layerARN("z").Version(1): 1, layerARN("z").Version(2): 1},
		},
		Aliases: map[string][]state.Alias{
			"b":      {{Name: "blue", Version: "$LATEST"}, {Name: "live", Version: "9", Weights: map[string]float64{"10": 0.1}, RevisionID: "a1", Provisioned: true}},
			"latest": {{Name: "dev", Version: "$LATEST"}},
			"nobody": {{Name: "live", Version: "1"}}, // its alias is none of ours: not asked for more
			"none":   nil,
		},
		Policies: map[state.LayerVersionARN]state.Policy{layerARN("z").Version(1): {Principals: []string{"*"}, Grants: []state.Grant{{}}}},
		Probes: map[state.LayerVersionARN]state.Probe{
			foreign.Version(1):                          {Usable: true, Size: 4711, Signer: "s1"},
			foreign.Version(2):                          {Reason: "AccessDeniedException: no resource-based policy allows"},
			foreign.Version(3):                          {Reason: "ResourceNotFoundException: The resource you requested does not exist."},
			"arn:aws:lambda:::awslayer:AmazonLinux1803": {Usable: true},
		},
		Served: map[state.Qualified]state.Served{
			{Function: "b", Qualifier: "live"}:     {Version: "9", Layers: z(1), CodeSHA256: "sha-b", Settings: wireSettings, State: "Active"},
			{Function: "b", Qualifier: "new"}:      {},
			{Function: "latest", Qualifier: "new"}: {},
		},
		Signing: map[string]state.Signing{
			"a": {Enforce: true, Allowed: []string{"s1", "s2"}}, "b": {Enforce: true, Allowed: []string{"s1", "s2"}}, "plain": {Allowed: []string{"s3"}},
		},
	}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("snapshot (-want +got):\n%s", diff)
	}
}

func TestLookWithoutNeedsAsksNothing(t *testing.T) {
	w := newWire()
	var s state.Snapshot
	if err := w.client(t).Look(t.Context(), &s, state.Needs{}); err != nil || w.total() != 0 {
		t.Errorf("%v after %d calls", err, w.total())
	}
}

func TestLookKeepsWhatTheSnapshotHad(t *testing.T) {
	w := newWire()
	w.answer["ListAliases"] = page("Aliases", nil, "")
	s := state.Snapshot{
		Uses:    &state.Uses{Versioned: []string{"x"}},
		Aliases: map[string][]state.Alias{"old": {{Name: "live", Version: "1"}}},
	}
	if err := w.client(t).Look(t.Context(), &s, state.Needs{Aliases: []string{"new"}}); err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Aliases["new"]; !ok || len(s.Aliases["old"]) != 1 || s.Uses == nil {
		t.Errorf("got %+v", s)
	}
}

// Both of AWS's 404s mean private: never had a policy, and lost the last one.
func TestNoPolicyIsPrivate(t *testing.T) {
	v := layerARN("z").Version(1)
	for _, words := range []string{"No policy is associated with the given resource.", "Layer version x does not have any resource policy."} {
		w := newWire()
		w.answer["GetLayerVersionPolicy"] = fails(404, "ResourceNotFoundException", words)
		var s state.Snapshot
		if err := w.client(t).Look(t.Context(), &s, state.Needs{Policies: []state.LayerVersionARN{v}}); err != nil {
			t.Fatal(err)
		}
		if p, ok := s.Policies[v]; !ok || len(p.Principals) != 0 {
			t.Errorf("%s: %+v, %v", words, p, ok)
		}
	}
}

// What bars every call is no answer about one: the look ends, and nothing of it
// becomes known.
func TestBarredEndsTheLook(t *testing.T) {
	for _, code := range []string{"UnrecognizedClientException", "ExpiredTokenException", "SubscriptionRequiredException", "OptInRequired"} {
		w := newWire()
		w.answer["GetLayerVersionByArn"] = fails(403, code, "the token is invalid")
		v := layerARN("z").Version(1)
		var s state.Snapshot
		err := w.client(t).Look(t.Context(), &s, state.Needs{Probes: []state.LayerVersionARN{v}})
		if state.KindOf(err) != state.Barred || !strings.Contains(err.Error(), code) || len(s.Probes) != 0 {
			t.Errorf("%v, %+v", err, s.Probes)
		}
	}
}

// What was refused stays unread: unknown is never private, unused or usable.
func TestRefusedStaysUnread(t *testing.T) {
	w := newWire()
	denied := fails(403, "AccessDeniedException", "not authorized")
	w.answer["ListFunctions"], w.answer["ListAliases"], w.answer["GetLayerVersionPolicy"] = denied, denied, denied
	w.answer["ListCodeSigningConfigs"], w.answer["GetFunction"] = denied, denied
	w.answer["GetLayerVersionByArn"] = fails(400, "RequestEntityTooLargeException", "it is too large")
	v := layerARN("z").Version(1)
	var s state.Snapshot
	err := w.client(t).Look(t.Context(), &s, state.Needs{
		Uses: true, Aliases: []string{"f"}, Policies: []state.LayerVersionARN{v, "nonsense", state.NewLayerARN("aws", testRegion, "464622532012", "x").Version(1)},
		Probes: []state.LayerVersionARN{v}, Served: []state.Qualified{live}, Signing: true,
	})
	if state.KindOf(err) != state.Human {
		t.Errorf("got kind %v: %v", state.KindOf(err), err)
	}
	if diff := cmp.Diff(state.Snapshot{}, s); diff != "" {
		t.Errorf("something was filled in:\n%s", diff)
	}
	for _, want := range []string{"ListFunctions", "ListAliases", "GetLayerVersionPolicy", "GetLayerVersionByArn", "ListCodeSigningConfigs", "GetFunction f:live", notOwn} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not tell of %s: %v", want, err)
		}
	}
	// ARNs of others were refused here, and not asked for by their bare name.
	if n := w.count("GetLayerVersionPolicy"); n != 1 {
		t.Errorf("%d policy calls, want 1", n)
	}
}

// Half of what was asked is refused: who has which configuration, and what an
// alias brings along, must then be unknown as a whole.
func TestHalfReadStaysUnread(t *testing.T) {
	w := newWire()
	denied := fails(403, "AccessDeniedException", "not authorized")
	w.answer["ListCodeSigningConfigs"] = page("CodeSigningConfigs", []map[string]any{{"CodeSigningConfigArn": "one"}}, "")
	w.answer["ListFunctionsByCodeSigningConfig"] = denied
	w.answer["ListAliases"] = page("Aliases", []map[string]any{{"Name": "live", "FunctionVersion": "9"}}, "")
	w.answer["ListProvisionedConcurrencyConfigs"] = denied
	// What it serves is known since an earlier look.
	s := state.Snapshot{Served: map[state.Qualified]state.Served{live: {Version: "9"}}}
	err := w.client(t).Look(t.Context(), &s, state.Needs{Aliases: []string{"f"}, Signing: true})
	if state.KindOf(err) != state.Human || !strings.Contains(err.Error(), "ListFunctionsByCodeSigningConfig one") || !strings.Contains(err.Error(), "ListProvisionedConcurrencyConfigs f") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(state.Snapshot{Served: map[state.Qualified]state.Served{live: {Version: "9"}}}, s); diff != "" {
		t.Errorf("something was filled in:\n%s", diff)
	}
}

// Nobody signs: that is known, with one call.
func TestNoCodeSigningIsKnown(t *testing.T) {
	w := newWire()
	w.answer["ListCodeSigningConfigs"] = page("CodeSigningConfigs", nil, "")
	var s state.Snapshot
	if err := w.client(t).Look(t.Context(), &s, state.Needs{Signing: true}); err != nil || s.Signing == nil || len(s.Signing) != 0 || w.total() != 2 {
		t.Errorf("%v, %v after %v", s.Signing, err, w.calls)
	}
}

func TestManyAlikeErrorsAreOneLine(t *testing.T) {
	w := newWire()
	w.answer["ListAliases"] = fails(403, "AccessDeniedException", "not authorized")
	var n state.Needs
	for i := range 30 {
		n.Aliases = append(n.Aliases, fmt.Sprintf("f-%02d", i))
	}
	var s state.Snapshot
	err := w.client(t).Look(t.Context(), &s, n)
	if want := "ListAliases f-00: AccessDeniedException: not authorized (and 29 more)"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// When AWS is out of reach, the rest is not tried one by one.
func TestLookStopsWhenAWSIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWire()
		w.answer["ListAliases"] = func(r *http.Request, _ string) (*http.Response, error) {
			if strings.Contains(r.URL.Path, "/bad/") {
				return pageReply("Aliases", nil, "same"), nil
			}
			time.Sleep(time.Second) // the others have not answered when this one has failed
			return pageReply("Aliases", nil, ""), nil
		}
		n := state.Needs{Aliases: []string{"bad"}}
		for i := range 500 {
			n.Aliases = append(n.Aliases, fmt.Sprintf("f-%03d", i))
		}
		var s state.Snapshot
		err := w.client(t).Look(t.Context(), &s, n)
		if state.KindOf(err) != state.Again {
			t.Errorf("got %v", err)
		}
		if _, read := s.Aliases["bad"]; read || w.count("ListAliases") > 400 {
			t.Errorf("bad was read: %v; %d calls were made", read, w.count("ListAliases"))
		}
	})
}

func TestAliasesOfADeletedFunctionAreNone(t *testing.T) {
	w := newWire()
	w.answer["ListAliases"] = fails(404, "ResourceNotFoundException", "Function not found")
	var s state.Snapshot
	if err := w.client(t).Look(t.Context(), &s, state.Needs{Aliases: []string{"f"}}); err != nil {
		t.Fatal(err)
	}
	if a, ok := s.Aliases["f"]; !ok || a != nil {
		t.Errorf("got %v, %v", a, ok)
	}
}

func TestParsePolicy(t *testing.T) {
	for name, c := range map[string]struct {
		doc  string
		want []string
	}{
		"account as AWS stores it": {`{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"arn:aws:iam::210987654321:root"},"Action":"lambda:GetLayerVersion","Resource":"x"}]}`, []string{"210987654321"}},
		"bare account":             {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"210987654321"}}]}`, []string{"210987654321"}},
		"a list, sorted, once":     {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":["arn:aws-cn:iam::210987654321:root","111111111111","210987654321"]}}]}`, []string{"111111111111", "210987654321"}},
		"everybody":                {`{"Statement":[{"Effect":"Allow","Principal":"*"}]}`, []string{"*"}},
		"everybody, the other way": {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*"}}]}`, []string{"*"}},
		"organization":             {`{"Statement":[{"Effect":"Allow","Principal":"*","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abc123def4"}}}]}`, []string{"org:o-abc123def4"}},
		"organizations":            {`{"Statement":[{"Effect":"Allow","Principal":"*","Condition":{"ForAnyValue:StringEquals":{"AWS:principalorgid":["o-b","o-a"]}}}]}`, []string{"org:o-a", "org:o-b"}},
		"unknown condition":        {`{"Statement":[{"Effect":"Allow","Principal":"*","Condition":{"StringNotEquals":{"aws:PrincipalOrgID":"o-a"}}}]}`, []string{"*"}},
		"the owner itself":         {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::123456789012:root"}}]}`, nil},
		"one statement, no list":   {`{"Statement":{"Effect":"Allow","Principal":"*"}}`, []string{"*"}},
		"a deny grants nothing":    {`{"Statement":[{"Effect":"Deny","Principal":"*"}]}`, nil},
		"a deleted principal":      {`{"Statement":[{"Effect":"Allow","Principal":{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}}]}`, []string{"AIDACKCEVSQ6C2EXAMPLE"}},
		"a service":                {`{"Statement":[{"Effect":"Allow","Principal":{"Service":"x.amazonaws.com"}}]}`, []string{"x.amazonaws.com"}},
		"no principal we know":     {`{"Statement":[{"Effect":"Allow","NotPrincipal":{"AWS":"1"}}]}`, []string{"*"}},
	} {
		p, err := parsePolicy(c.doc, testAccount)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, append([]string(nil), p.Principals...)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	for _, doc := range []string{"", "null", "{}", "[]", `{"Statement":[]}`, `{"Statement":"x"}`, `{"Statement":[{"Principal":7}]}`} {
		if p, err := parsePolicy(doc, testAccount); err == nil {
			t.Errorf("%q is read as %+v: it could be deleted as private", doc, p)
		}
	}
}
