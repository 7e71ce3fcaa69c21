package awssim

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	"github.com/aws/smithy-go/traits"
)

// maxBody is what Lambda accepts in one request, base64 included, in bytes.
const maxBody = 70_167_211

// call is one request on its way through the World.
type call struct {
	w     *World
	log   Call
	who   session
	store *store // the caller's account in the request's Region
	now   time.Time
	base  string // scheme://host the client used, for download links
	id    string // request id

	status int
	head   bool // the answer has no body, whatever it is
	do     func(*call) (any, *apiError)
	takes  time.Duration // how long after the deed the answer is ready
}

// serve answers one request. An error means no answer: the connection was
// dropped or the client has gone.
func (w *World) serve(r *http.Request) (answer, error) {
	body, err := readBody(r)
	if err != nil {
		return answer{}, err
	}
	if strings.HasPrefix(r.URL.Path, downloadPath) {
		return w.serveDownload(r), r.Context().Err()
	}
	c, refused := w.understand(r, body)
	log, fault := w.begin(c.log)
	c.log = log
	defer func() { w.finish(c.log) }()

	if err := wait(r.Context(), fault.Delay); err != nil {
		return answer{}, err
	}
	if fault.Before != nil {
		return c.fail(fault.Before)
	}
	if refused == nil {
		if err := c.awaitMessage(r.Context()); err != nil {
			return answer{}, err
		}
	}
	a := c.carryOut(refused)
	if err := wait(r.Context(), c.takes+fault.Linger); err != nil {
		c.log.Status = 0
		return answer{}, err
	}
	if fault.After != nil {
		return c.fail(fault.After)
	}
	return a, r.Context().Err()
}

// fail answers the client with f.
func (c *call) fail(f *Failure) (answer, error) {
	if f.Drop {
		c.log.Status, c.log.ErrorCode = 0, ""
		return answer{}, errDropped
	}
	e := f.apiError()
	c.log.Status, c.log.ErrorCode = e.status, e.code
	return c.failed(e), nil
}

// carryOut does what the request asks, unless it was refused already.
func (c *call) carryOut(refused *apiError) answer {
	v, e := c.perform(refused)
	a, _ := v.(answer)
	if r, ok := v.(*run); ok {
		a, c.takes, e = c.happen(r)
	}
	if e != nil {
		c.log.Status, c.log.ErrorCode = e.status, e.code
		return c.failed(e)
	}
	c.log.Applied = true
	switch {
	case a.status != 0: // it is written already
	case v == nil:
		a = newAnswer(http.StatusNoContent, "", c.id, nil)
	case c.log.Service == "sts":
		a = newAnswer(c.status, "text/xml", c.id, stsResult(c.log.Operation, c.id, v))
	case c.log.Service == "cloudwatch":
		a = cborAnswer(c.status, c.id, toCBOR(v))
	default:
		b, err := json.Marshal(v)
		if err != nil { // unreachable unless bug: the documents are our own
			return c.failed(refuse(500, "ServiceException", "%v", err))
		}
		a = newAnswer(c.status, "application/json", c.id, b)
	}
	c.log.Status = a.status
	return a
}

func (c *call) perform(refused *apiError) (any, *apiError) {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.now = time.Now() // a delayed call happens when it happens
	if c.store != nil {
		if e := c.store.limits.admit(c.log.Service, c.log.Operation, c.now); e != nil {
			return nil, e
		}
	}
	if refused != nil {
		return nil, refused
	}
	v, e := c.do(c)
	c.trailed(e)
	return v, e
}

// understand finds out who asks for what. The call is usable, for the log and
// for faults, even when it is refused.
func (w *World) understand(r *http.Request, body []byte) (*call, *apiError) {
	c := &call{w: w, status: 200, base: baseURL(r), head: r.Method == http.MethodHead}
	c.log = Call{Time: time.Now(), Service: "lambda", Operation: r.Method + " " + r.URL.Path}
	form := strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded")
	switch {
	case forS3(r): // first: a key may look like anything
		c.log.Service = "s3"
	case strings.HasPrefix(r.URL.Path, "/service/"):
		c.log.Service = "cloudwatch"
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "GraniteServiceVersion20100801."):
		c.log.Service = "monitoring" // CloudWatch as the AWS CLI asks it, in JSON, and signs for it
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS."):
		c.log.Service = "sqs"
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "AmazonSSM."):
		c.log.Service = "ssm"
	case strings.HasPrefix(r.Header.Get("X-Amz-Target"), "DynamoDB_20120810."):
		c.log.Service = "dynamodb"
	case strings.Contains(r.Header.Get("X-Amz-Target"), "CloudTrail_20131101."):
		c.log.Service = "cloudtrail"
	case r.Header.Get("X-Amz-Target") != "":
		c.log.Service = "tagging"
	case form || r.URL.Query().Has("Action"):
		c.log.Service = "sts"
	}
	refused := c.authenticate(r)
	if e := c.findOperation(r, body); refused == nil {
		refused = e
	}
	if len(body) > maxBody && c.log.Service != "s3" {
		refused = refuse(413, "RequestEntityTooLargeException", "Request must be smaller than %d bytes for the %s operation",
			maxBody, c.log.Operation)
	}
	return c, refused
}

func (c *call) findOperation(r *http.Request, body []byte) *apiError {
	switch c.log.Service {
	case "s3":
		return c.routeS3(r, body)
	case "cloudwatch":
		return c.routeCloudWatch(r, body)
	case "monitoring":
		c.log.Operation = target(r)
		return unsupported("CloudWatch in any protocol but rpc-v2-cbor")
	case "dynamodb":
		c.log.Operation = target(r)
		return unsupported("DynamoDB")
	case "tagging":
		c.log.Operation = target(r)
		return c.routeTagging(body)
	case "sqs":
		c.log.Operation = target(r)
		return c.routeSQS(body)
	case "ssm":
		c.log.Operation = target(r)
		return c.routeSSM(body)
	case "cloudtrail":
		c.log.Operation = target(r)
		return c.routeTrail(body)
	case "sts":
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return refuse(400, "MalformedQueryString", "%v", err)
		}
		maps.Copy(form, r.URL.Query())
		c.log.Operation, c.log.Input = form.Get("Action"), form
		return c.routeSTS(form)
	}
	return c.routeLambda(r, body)
}

// target is the operation of the JSON protocols.
func target(r *http.Request) string {
	t := r.Header.Get("X-Amz-Target")
	return t[strings.LastIndex(t, ".")+1:]
}

func (c *call) routeLambda(r *http.Request, body []byte) *apiError {
	path := strings.Split(strings.TrimSuffix(r.URL.EscapedPath(), "/"), "/")
	for i := range path {
		if p, err := url.PathUnescape(path[i]); err == nil {
			path[i] = p
		}
	}
	query := r.URL.Query()
	for _, op := range c.w.routes {
		labels, ok := op.match(r.Method, path, query)
		if !ok {
			continue
		}
		c.log.Operation, c.log.Write, c.status = op.name, op.write, op.status
		in, e := op.decode(r, body, labels)
		c.log.Input, c.log.Resource = logged(in), op.resource(in)
		c.do = func(c *call) (any, *apiError) { return op.do(c, in) }
		return e
	}
	return unsupported(r.Method + " " + r.URL.Path)
}

// operation is one Lambda operation as the SDK's own schemas describe it.
type operation struct {
	name, method string
	status       int
	path         []string // segments; {Label} stands for any
	query        url.Values
	write        bool
	input        *smithy.Schema
	new          func() any
	do           func(*call, any) (any, *apiError)
}

// lambdaOp ties an operation's schemas to the function that carries it out.
func lambdaOp[In any](op, input *smithy.Schema, do func(*call, *In) (any, *apiError)) operation {
	h, _ := smithy.SchemaTrait[*traits.HTTP](op)
	path, query, _ := strings.Cut(h.URI, "?")
	q, _ := url.ParseQuery(query) // a literal of the model
	return operation{
		name: op.ID().Name, method: h.Method, status: h.Code,
		path: strings.Split(path, "/"), query: q,
		write: h.Method != http.MethodGet && op.ID().Name != "Invoke",
		input: input,
		new:   func() any { return new(In) },
		do:    func(c *call, in any) (any, *apiError) { return do(c, in.(*In)) },
	}
}

func (o *operation) match(method string, path []string, query url.Values) (map[string]string, bool) {
	if method != o.method || len(path) != len(o.path) {
		return nil, false
	}
	labels := map[string]string{}
	for i, want := range o.path {
		if strings.HasPrefix(want, "{") {
			labels[strings.Trim(want, "{}")] = path[i]
		} else if want != path[i] {
			return nil, false
		}
	}
	for k := range o.query {
		if query.Get(k) != o.query.Get(k) {
			return nil, false
		}
	}
	return labels, true
}

func (o *operation) decode(r *http.Request, body []byte, labels map[string]string) (any, *apiError) {
	in := o.new()
	v := reflect.ValueOf(in).Elem()
	if f, ok := o.payload(v); ok {
		f.SetBytes(body) // the body is the member, whatever it is
	} else if len(body) > 0 {
		if err := json.Unmarshal(body, in); err != nil {
			return in, refuse(400, "SerializationException", "%v", err)
		}
	}
	query := r.URL.Query()
	for name, m := range o.input.Members() {
		var values []string
		if h, ok := smithy.SchemaTrait[*traits.HTTPHeader](m); ok {
			values = r.Header.Values(h.Name)
		} else if _, ok := smithy.SchemaTrait[*traits.HTTPLabel](m); ok {
			values = []string{labels[name]}
		} else if q, ok := smithy.SchemaTrait[*traits.HTTPQuery](m); ok {
			values = query[q.Name]
		}
		if len(values) > 0 && !setField(v.FieldByName(name), values) {
			return in, refuse(400, "SerializationException", "%s cannot be %q", name, values)
		}
	}
	return in, nil
}

// payload returns the member that is the whole body, if there is one.
func (o *operation) payload(in reflect.Value) (reflect.Value, bool) {
	for name, m := range o.input.Members() {
		if _, ok := smithy.SchemaTrait[*traits.HTTPPayload](m); ok {
			return in.FieldByName(name), true
		}
	}
	return reflect.Value{}, false
}

// setField sets one member bound to the path, the query or a header.
func setField(f reflect.Value, values []string) bool {
	switch f.Kind() {
	case reflect.Pointer:
		p := reflect.New(f.Type().Elem())
		f.Set(p)
		return setField(p.Elem(), values)
	case reflect.String:
		f.SetString(values[0])
	case reflect.Int32, reflect.Int64:
		n, err := strconv.ParseInt(values[0], 10, f.Type().Bits())
		f.SetInt(n)
		return err == nil
	case reflect.Slice:
		f.Set(reflect.ValueOf(slices.Clone(values)))
	default:
		return false
	}
	return true
}

// resource names what the request is about, for the log: its labels in the
// order of the path, by name also where the request has an ARN, else what the body or query names.
func (o *operation) resource(in any) string {
	v := reflect.ValueOf(in).Elem()
	var parts []string
	for _, seg := range o.path {
		if strings.HasPrefix(seg, "{") {
			parts = append(parts, bareName(text(v.FieldByName(strings.Trim(seg, "{}")))))
		}
	}
	for _, name := range []string{"FunctionName", "Arn", "Name"} {
		if f := v.FieldByName(name); f.IsValid() && !strings.Contains(strings.Join(o.path, "/"), "{"+name+"}") {
			parts = append(parts, text(f))
		}
	}
	return strings.Join(parts, ":")
}

// bareName cuts a function's or layer's ARN down to its name, so that the log
// names a thing alike however a request does. A qualifier stays.
func bareName(given string) string {
	for _, kind := range []string{":function:", ":layer:"} {
		if _, name, ok := strings.Cut(given, kind); ok && strings.HasPrefix(given, "arn:") {
			return name
		}
	}
	return given
}

// logged is an input for the log: a copy with bare names.
func logged(in any) any {
	from := reflect.ValueOf(in).Elem()
	to := reflect.New(from.Type())
	to.Elem().Set(from)
	for _, member := range []string{"FunctionName", "LayerName"} {
		f := to.Elem().FieldByName(member)
		if f.IsValid() && f.Kind() == reflect.Pointer && !f.IsNil() {
			bare := bareName(f.Elem().String())
			f.Set(reflect.ValueOf(&bare))
		}
	}
	return to.Interface()
}

func text(f reflect.Value) string {
	f = reflect.Indirect(f)
	switch {
	case !f.IsValid():
		return ""
	case f.CanInt():
		return strconv.FormatInt(f.Int(), 10)
	}
	return f.String()
}

func baseURL(r *http.Request) string {
	u := url.URL{Scheme: "http", Host: r.Host}
	if r.URL.Host != "" { // as a RoundTripper we see the client's own URL
		u = url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host}
	}
	return u.String()
}

// str reads an optional string; absent is empty.
func str(p *string) string {
	if p == nil {
		return ""
	}
	return *p
}
