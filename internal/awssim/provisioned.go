package awssim

import (
	"cmp"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// Provisioned is concurrency kept ready for an alias or a version.
type Provisioned struct {
	Account, Region     string // default: the World's
	Function, Qualifier string
	Requested           int32 // default 1

	// Told, never seeded.
	Status, Reason string // IN_PROGRESS, READY or FAILED
}

// provisioned is a Provisioned on its way.
type provisioned struct {
	Provisioned
	modified time.Time
	settles  time.Time // when the allocation is over; zero: it is
	failure  string    // what it ends in; empty: READY
}

// settle ends an allocation that has had its time.
func (p *provisioned) settle(now time.Time) {
	if p.settles.IsZero() || now.Before(p.settles) {
		return
	}
	p.Status, p.settles = "READY", time.Time{}
	if p.failure != "" {
		p.Status, p.Reason, p.failure = "FAILED", p.failure, ""
	}
}

// PutProvisioned gives an alias or a version provisioned concurrency that has
// been ready for long. It panics when there is no such function.
func (w *World) PutProvisioned(p Provisioned) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p.Account, p.Region = cmp.Or(p.Account, w.opts.Account), cmp.Or(p.Region, w.opts.Region)
	p.Requested, p.Status = cmp.Or(p.Requested, 1), "READY"
	f, _ := w.mustFind(functionARN(place{p.Account, p.Region}, p.Function, ""))
	f.provisioned[p.Qualifier] = &provisioned{Provisioned: p, modified: time.Now()}
}

// Provisioned returns what an alias or a version of a function has.
func (w *World) Provisioned(function, qualifier string) (Provisioned, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.find(function)
	if f == nil || f.provisioned[qualifier] == nil {
		return Provisioned{}, false
	}
	p := f.provisioned[qualifier]
	p.settle(time.Now())
	return p.Provisioned, true
}

// FailNextProvisioning lets the next move of an alias end as FAILED for its
// provisioned concurrency.
func (w *World) FailNextProvisioning(function, alias, reason string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.mustFind(function)
	f.failProvisioning[alias] = reason
}

// reallocate starts over for an alias that has moved: its old version gives up
// what it has and the new one begins with nothing.
func (f *function) reallocate(w *World, alias string, now time.Time) {
	if p := f.provisioned[alias]; p != nil {
		p.Status, p.Reason, p.settles = "IN_PROGRESS", "", now.Add(w.opts.Provisioning)
		p.failure = f.failProvisioning[alias]
		delete(f.failProvisioning, alias)
	}
}

type provisionedDoc struct {
	FunctionArn                              string `json:",omitempty"` // in lists
	RequestedProvisionedConcurrentExecutions int32
	AvailableProvisionedConcurrentExecutions int32
	AllocatedProvisionedConcurrentExecutions int32
	Status                                   string
	StatusReason                             string `json:",omitempty"`
	LastModified                             string
}

func (p *provisioned) doc() provisionedDoc {
	d := provisionedDoc{RequestedProvisionedConcurrentExecutions: p.Requested,
		Status: p.Status, StatusReason: p.Reason, LastModified: stamp(p.modified)}
	if p.Status == "READY" {
		d.AvailableProvisionedConcurrentExecutions, d.AllocatedProvisionedConcurrentExecutions = p.Requested, p.Requested
	}
	return d
}

func noneProvisioned() *apiError {
	return refuse(404, "ProvisionedConcurrencyConfigNotFoundException", "No Provisioned Concurrency Config found for this function")
}

// provisionable finds the alias or version a request is about.
func (c *call) provisionable(given, qualifier string) (*function, string, *apiError) {
	f, _, ref, e := c.version(given, qualifier)
	switch {
	case e != nil:
		return nil, "", e
	case ref.qualifier == "" || ref.qualifier == "$LATEST":
		return nil, "", invalidValue("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
	}
	return f, ref.qualifier, nil
}

func (c *call) getProvisioned(in *lambda.GetProvisionedConcurrencyConfigInput) (any, *apiError) {
	f, qualifier, e := c.provisionable(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	p := f.provisioned[qualifier]
	if p == nil {
		return nil, noneProvisioned()
	}
	p.settle(c.now)
	return p.doc(), nil
}

// putProvisioned is refused for an alias that splits its traffic.
func (c *call) putProvisioned(in *lambda.PutProvisionedConcurrencyConfigInput) (any, *apiError) {
	f, qualifier, e := c.provisionable(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	if n := in.ProvisionedConcurrentExecutions; n == nil || *n < 1 {
		return nil, violation("0", "provisionedConcurrentExecutions", "Member must have value greater than or equal to 1")
	}
	if a := f.aliases[qualifier]; a != nil && len(a.Weights) > 0 {
		return nil, invalidValue("Provisioned Concurrency Configs cannot be applied to an alias with routing configuration.")
	}
	p := &provisioned{modified: c.now, Provisioned: Provisioned{Account: f.account, Region: f.region, Function: f.name,
		Qualifier: qualifier, Requested: *in.ProvisionedConcurrentExecutions}}
	f.provisioned[qualifier] = p
	f.reallocate(c.w, qualifier, c.now)
	return p.doc(), nil
}

func (c *call) deleteProvisioned(in *lambda.DeleteProvisionedConcurrencyConfigInput) (any, *apiError) {
	f, qualifier, e := c.provisionable(str(in.FunctionName), str(in.Qualifier))
	if e != nil {
		return nil, e
	}
	delete(f.provisioned, qualifier)
	return nil, nil
}

func (c *call) listProvisioned(in *lambda.ListProvisionedConcurrencyConfigsInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 50); e != nil {
		return nil, e
	}
	f, _, e := c.function(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	docs := []provisionedDoc{}
	for _, qualifier := range sortedKeys(f.provisioned) {
		p := f.provisioned[qualifier]
		p.settle(c.now)
		d := p.doc()
		d.FunctionArn = f.arn(qualifier)
		docs = append(docs, d)
	}
	docs, next, e := page(c, docs, func(d provisionedDoc) string { return d.FunctionArn }, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	return struct {
		ProvisionedConcurrencyConfigs []provisionedDoc
		NextMarker                    *string
	}{docs, next}, nil
}
