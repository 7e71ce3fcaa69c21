package contract

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
)

// lambdaTime is how Lambda writes times: not RFC 3339.
const lambdaTime = "2006-01-02T15:04:05.000-0700"

func functionFacts() []fact {
	return []fact{
		{name: "a created function has a RevisionId at once and another when it is active", check: revisionOnCreate},
		{name: "a created function is Pending first", check: pendingFirst},
		{name: "a function created twice is a conflict", check: createdTwice},
		{name: "a function without layers has none, not an empty list", check: noLayers},
		{name: "a missing function is 404 and the message names its ARN", check: missingFunction},
		{name: "a layer ARN is not a function name", check: layerARNAsFunction},
		{name: "LastModified has a zone without a colon", check: lastModified},
		{name: "CodeSha256 of a function is base64 of the sum of the zip", check: codeSha},
		{name: "ListFunctions has layers and RevisionId but no states", check: listHasNoStates},
		{name: "ListFunctions ALL has published versions with their own layers", check: listAll},
		{name: "ListFunctions follows markers to the end", check: listPages},
		{name: "ListFunctions gives no more than asked for", check: smallPage},
		{name: "ListFunctions refuses a marker that is none", check: badMarker},
		{name: "a list gives at most fifty on a page", check: pageCap},
		{name: "a deleted function is gone", check: deletedFunction},
	}
}

func revisionOnCreate(p *probe) {
	name := p.name("f")
	out, err := p.lambda.CreateFunction(p.ctx, p.createInput(name, nil))
	p.must(err)
	if aws.ToString(out.RevisionId) == "" {
		p.Fatalf("CreateFunction gave no RevisionId")
	}
	if r := aws.ToString(p.updated(name).RevisionId); r == "" || r == *out.RevisionId {
		p.Errorf("RevisionId was %q and is %q; want another", *out.RevisionId, r)
	}
}

func pendingFirst(p *probe) {
	out, err := p.lambda.CreateFunction(p.ctx, p.createInput(p.name("f"), nil))
	p.must(err)
	if out.State != types.StatePending {
		p.Errorf("State is %q, want Pending", out.State)
	}
}

func createdTwice(p *probe) {
	name := p.create("f")
	_, err := p.lambda.CreateFunction(p.ctx, p.createInput(name, nil))
	p.refused(err, 409, conflict, name)
}

func noLayers(p *probe) {
	if l := p.config(p.create("f")).Layers; l != nil {
		p.Errorf("Layers is %v, want nil", l)
	}
}

func missingFunction(p *probe) {
	name := p.name("absent")
	_, err := p.lambda.GetFunction(p.ctx, &lambda.GetFunctionInput{FunctionName: &name})
	p.refused(err, 404, missing, "Function not found: arn:")
}

func layerARNAsFunction(p *probe) {
	arn := p.layer("l")
	_, err := p.lambda.UpdateAlias(p.ctx, &lambda.UpdateAliasInput{FunctionName: &arn, Name: aws.String("live"), FunctionVersion: aws.String("1")})
	p.refused(err, 400, validation, "functionName")
}

func lastModified(p *probe) {
	if _, err := time.Parse(lambdaTime, aws.ToString(p.config(p.create("f")).LastModified)); err != nil {
		p.Errorf("%v", err)
	}
}

func codeSha(p *probe) {
	name := p.create("f")
	sum := sha256.Sum256(archive(handler + name))
	c := p.config(name)
	if got, want := aws.ToString(c.CodeSha256), base64.StdEncoding.EncodeToString(sum[:]); got != want {
		p.Errorf("CodeSha256 is %s, want %s", got, want)
	}
	if got, want := c.CodeSize, int64(len(archive(handler+name))); got != want {
		p.Errorf("CodeSize is %d, want %d", got, want)
	}
}

func listHasNoStates(p *probe) {
	arn := p.layer("l")
	name := p.create("f", arn)
	for _, f := range p.listed("") {
		if aws.ToString(f.FunctionName) != name {
			continue
		}
		if f.State != "" || f.LastUpdateStatus != "" {
			p.Errorf("State %q and LastUpdateStatus %q are told", f.State, f.LastUpdateStatus)
		}
		if got := attached(f.Layers); len(got) != 1 || got[0] != arn {
			p.Errorf("Layers are %v, want %s", got, arn)
		}
		if aws.ToString(f.RevisionId) == "" {
			p.Errorf("no RevisionId")
		}
		return
	}
	p.Errorf("%s is not listed", name)
}

func listAll(p *probe) {
	arn := p.layer("l")
	name := p.create("f", arn)
	n := p.version(name)
	p.must(p.setLayers(name, []string{}))
	p.updated(name)
	got := map[string]int{}
	for _, f := range p.listed(types.FunctionVersionAll) {
		if aws.ToString(f.FunctionName) == name {
			got[aws.ToString(f.Version)] = len(f.Layers)
		}
	}
	if want := map[string]int{"$LATEST": 0, n: 1}; len(got) != 2 || got["$LATEST"] != 0 || got[n] != 1 {
		p.Errorf("layers by version are %v, want %v", got, want)
	}
}

// listed returns all functions, three to a page.
func (p *probe) listed(versions types.FunctionVersion) []types.FunctionConfiguration {
	p.Helper()
	var all []types.FunctionConfiguration
	in := &lambda.ListFunctionsInput{FunctionVersion: versions, MaxItems: aws.Int32(3)}
	for range 1000 { // a marker that never ends must not hang the suite
		out, err := p.lambda.ListFunctions(p.ctx, in)
		p.must(err)
		all = append(all, out.Functions...)
		if out.NextMarker == nil {
			return all
		}
		in.Marker = out.NextMarker
	}
	p.Fatalf("the list has no end")
	return nil
}

func listPages(p *probe) {
	want := map[string]bool{}
	for _, s := range []string{"a", "b", "c", "d", "e"} {
		want[p.create(s)] = true
	}
	for _, f := range p.listed("") {
		delete(want, aws.ToString(f.FunctionName))
	}
	if len(want) > 0 {
		p.Errorf("not listed: %v", want)
	}
}

func smallPage(p *probe) {
	p.create("a")
	p.create("b")
	out, err := p.lambda.ListFunctions(p.ctx, &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)})
	p.must(err)
	if len(out.Functions) > 1 || out.NextMarker == nil {
		p.Errorf("a page of one has %d, marker %v", len(out.Functions), out.NextMarker)
	}
}

func badMarker(p *probe) {
	_, err := p.lambda.ListFunctions(p.ctx, &lambda.ListFunctionsInput{Marker: aws.String("no such marker")})
	p.refused(err, 400, invalid, "")
}

func pageCap(p *probe) {
	name := p.create("f")
	for i := range 50 { // with $LATEST: 51
		p.describe(name, time.Duration(i).String())
		p.version(name)
	}
	in := &lambda.ListVersionsByFunctionInput{FunctionName: &name, MaxItems: aws.Int32(1000)}
	longest, all := 0, 0
	for range 100 {
		out, err := p.lambda.ListVersionsByFunction(p.ctx, in)
		p.must(err)
		longest, all = max(longest, len(out.Versions)), all+len(out.Versions)
		if in.Marker = out.NextMarker; in.Marker == nil {
			break
		}
	}
	if longest != 50 || all != 51 {
		p.Errorf("%d versions, %d on the longest page; want 51 and 50", all, longest)
	}
}

func deletedFunction(p *probe) {
	name := p.create("f")
	_, err := p.lambda.DeleteFunction(p.ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	p.must(err)
	_, err = p.lambda.GetFunction(p.ctx, &lambda.GetFunctionInput{FunctionName: &name})
	p.refused(err, 404, missing, "")
	_, err = p.lambda.DeleteFunction(p.ctx, &lambda.DeleteFunctionInput{FunctionName: &name})
	p.refused(err, 404, missing, "")
}
