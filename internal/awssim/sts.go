package awssim

import (
	"encoding/xml"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Role can be assumed. A role nobody has put cannot.
type Role struct {
	ARN        string
	ExternalID string        // what callers must know; empty: nothing
	Trusted    []string      // accounts that may assume it; empty: any
	MaxSession time.Duration // zero: one hour
}

var (
	rolePattern        = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*):iam::(\d{12}):role/(?:[\x21-\x7e]+/)?([\w+=,.@-]+)$`)
	sessionNamePattern = regexp.MustCompile(`^[\w+=,.@-]{2,64}$`)
)

// PutRole lets r be assumed, on the terms it names. It panics on an ARN that
// is not a role's: that is a mistake of the test.
func (w *World) PutRole(r Role) {
	if !rolePattern.MatchString(r.ARN) {
		panic("awssim: not the ARN of a role: " + r.ARN)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.roles[r.ARN] = r
}

func (c *call) routeSTS(form url.Values) *apiError {
	switch c.log.Operation {
	case "GetCallerIdentity":
		c.do = (*call).getCallerIdentity
	case "AssumeRole":
		c.log.Resource = form.Get("RoleArn")
		c.do = func(c *call) (any, *apiError) { return c.assumeRole(form) }
	default:
		return unsupported("sts:" + c.log.Operation)
	}
	return nil
}

type callerIdentity struct{ Arn, UserId, Account string }

// getCallerIdentity cannot be denied: it is how one learns who one is.
func (c *call) getCallerIdentity() (any, *apiError) {
	return callerIdentity{c.who.arn, c.who.userID, c.who.account}, nil
}

type assumedRole struct {
	Credentials struct {
		AccessKeyId, SecretAccessKey, SessionToken, Expiration string
	}
	AssumedRoleUser struct{ AssumedRoleId, Arn string }
}

func (c *call) assumeRole(form url.Values) (any, *apiError) {
	arn, name := form.Get("RoleArn"), form.Get("RoleSessionName")
	m := rolePattern.FindStringSubmatch(arn)
	if m == nil {
		return nil, refuse(400, "ValidationError", "%s is invalid", arn)
	}
	if !sessionNamePattern.MatchString(name) {
		return nil, refuse(400, "ValidationError",
			"1 validation error detected: Value '%s' at 'roleSessionName' failed to satisfy constraint", name)
	}
	role, ok := c.w.roles[arn]
	trusted := len(role.Trusted) == 0 || slices.Contains(role.Trusted, c.who.account)
	if !ok || !trusted || role.ExternalID != "" && role.ExternalID != form.Get("ExternalId") {
		return nil, refuse(403, "AccessDenied", "User: %s is not authorized to perform: sts:AssumeRole on resource: %s", c.who.arn, arn)
	}
	length, e := c.sessionLength(role, form.Get("DurationSeconds"))
	if e != nil {
		return nil, e
	}
	id := strings.ToUpper(strings.ReplaceAll(c.w.newID(), "-", ""))
	key := "ASIA" + id[:16]
	s := session{
		account: m[2], userID: "AROA" + id[16:] + ":" + name,
		arn:   "arn:" + m[1] + ":sts::" + m[2] + ":assumed-role/" + m[3] + "/" + name,
		token: "awssim-token-" + c.w.newID(), expires: c.now.Add(length), assumed: true,
	}
	c.w.keys[key] = s

	var out assumedRole
	out.Credentials.AccessKeyId, out.Credentials.SecretAccessKey = key, "awssim-secret"
	out.Credentials.SessionToken = s.token
	out.Credentials.Expiration = s.expires.UTC().Format(time.RFC3339)
	out.AssumedRoleUser.AssumedRoleId, out.AssumedRoleUser.Arn = s.userID, s.arn
	return out, nil
}

// sessionLength checks the asked-for length. A role that assumes a role gets
// one hour at most, whatever the role allows.
func (c *call) sessionLength(role Role, asked string) (time.Duration, *apiError) {
	longest := role.MaxSession
	if longest == 0 {
		longest = time.Hour
	}
	if asked == "" {
		return time.Hour, nil
	}
	n, err := strconv.Atoi(asked)
	length := time.Duration(n) * time.Second
	switch {
	case err != nil || n < 900 || n > 43200:
		return 0, refuse(400, "ValidationError",
			"1 validation error detected: Value '%s' at 'durationSeconds' failed to satisfy constraint", asked)
	case c.who.assumed && length > time.Hour:
		return 0, refuse(400, "ValidationError",
			"The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.")
	case length > longest:
		return 0, refuse(400, "ValidationError", "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return length, nil
}

// stsResult writes the answer of the query protocol: the result wrapped twice
// in elements named after the operation.
func stsResult(operation, requestID string, v any) []byte {
	const space = "https://sts.amazonaws.com/doc/2011-06-15/"
	var b strings.Builder
	e := xml.NewEncoder(&b)
	outer := xml.StartElement{Name: xml.Name{Space: space, Local: operation + "Response"}}
	meta := xml.StartElement{Name: xml.Name{Local: "ResponseMetadata"}}
	_ = e.EncodeToken(outer) // a strings.Builder never fails
	_ = e.EncodeElement(v, xml.StartElement{Name: xml.Name{Local: operation + "Result"}})
	_ = e.EncodeElement(struct {
		RequestID string `xml:"RequestId"`
	}{requestID}, meta)
	_ = e.EncodeToken(outer.End())
	_ = e.Flush()
	return []byte(b.String())
}
