package awssim

import (
	"net/http"
	"regexp"
	"time"
)

// session is who an access key stands for.
type session struct {
	account, arn, userID string
	key                  string    // access key id
	token                string    // what X-Amz-Security-Token must be; empty: a long-lived key
	expires              time.Time // zero: never
	assumed              bool      // by AssumeRole: assuming again is chaining
}

var credentialScope = regexp.MustCompile(`Credential=([^/]+)/\d{8}/([a-z0-9-]+)/([a-z0-9]+)/aws4_request`)

// AddKey introduces a long-lived access key of an account. Its ARN becomes the
// caller of what it signs; empty: a user named after the key.
func (w *World) AddKey(accessKeyID, account, arn string) {
	if arn == "" {
		arn = "arn:" + partition(w.opts.Region) + ":iam::" + account + ":user/" + accessKeyID
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.keys[accessKeyID] = session{account: account, arn: arn, userID: "AIDA" + accessKeyID}
}

// authenticate reads Region, account and caller from the signature. The
// signature itself is believed.
func (c *call) authenticate(r *http.Request) *apiError {
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.id = c.w.newID()
	m := credentialScope.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil && c.log.Service == "s3" {
		return refuse(403, "AccessDenied", "Access Denied")
	}
	if m == nil {
		code := "MissingAuthenticationTokenException"
		if queryCodes(c.log.Service) {
			code = "MissingAuthenticationToken"
		}
		return refuse(403, code, "Missing Authentication Token")
	}
	key, region, service := m[1], m[2], m[3]
	who, known := c.w.keys[key]
	if !known {
		who = session{account: c.w.opts.Account, userID: "AIDA" + key}
		who.arn = "arn:" + partition(region) + ":iam::" + who.account + ":user/awssim"
	}
	who.key = key
	c.who = who
	c.store = c.w.store(who.account, region)
	c.log.Account, c.log.Region, c.log.Caller = who.account, region, who.arn
	if want := signingName(c.log.Service); service != want {
		return refuse(403, "InvalidSignatureException", "Credential should be scoped to correct service: '%s'.", want)
	}
	return who.valid(r.Header.Get("X-Amz-Security-Token"), c.log.Service, c.log.Time)
}

// queryCodes reports whether a service has the codes of the query protocol.
// CloudWatch keeps them although it speaks another one now, and S3 is older still.
func queryCodes(service string) bool {
	return service == "sts" || service == "cloudwatch" || service == "s3"
}

// signingName is what the credential scope calls a service.
func signingName(service string) string {
	if service == "cloudwatch" {
		return "monitoring"
	}
	return service
}

// valid reports whether a temporary key may still be used.
func (s session) valid(token, service string, now time.Time) *apiError {
	expired, unknown := "ExpiredTokenException", "UnrecognizedClientException"
	if queryCodes(service) {
		expired, unknown = "ExpiredToken", "InvalidClientTokenId"
	}
	switch {
	case service == "s3" && s.token != "" && s.token != token:
		return refuse(400, "InvalidToken", "The provided token is malformed or otherwise invalid.")
	case service == "s3" && !s.expires.IsZero() && !now.Before(s.expires):
		return refuse(400, "ExpiredToken", "The provided token has expired.")
	case s.token != "" && s.token != token:
		return refuse(403, unknown, "The security token included in the request is invalid")
	case !s.expires.IsZero() && !now.Before(s.expires):
		return refuse(403, expired, "The security token included in the request is expired")
	}
	return nil
}
