package awssim

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/lambda"
)

// CodeSigningConfig says who must have signed the code of the functions that
// have it.
type CodeSigningConfig struct {
	Account, Region string // default: the World's
	ID              string // csc- and 17 of a-z and 0-9; default: made up
	Description     string
	Publishers      []string // signing profile version ARNs that are allowed
	Enforce         bool     // refuse what they have not signed; otherwise: only warn
}

func (s CodeSigningConfig) arn() string {
	return "arn:" + partition(s.Region) + ":lambda:" + s.Region + ":" + s.Account + ":code-signing-config:" + s.ID
}

type signingConfig struct {
	CodeSigningConfig
	modified time.Time
}

var signingPattern = regexp.MustCompile(`^arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2,4}(?:-[a-z]+)+-\d:\d{12}:code-signing-config:csc-[a-z0-9]{17}$`)

// PutCodeSigningConfig puts a configuration there and returns its ARN.
func (w *World) PutCodeSigningConfig(s CodeSigningConfig) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.Account, s.Region = cmp.Or(s.Account, w.opts.Account), cmp.Or(s.Region, w.opts.Region)
	if s.ID == "" {
		s.ID = "csc-" + strings.ReplaceAll(w.newID(), "-", "")[:17]
	}
	s.Publishers = slices.Clone(s.Publishers)
	w.store(s.Account, s.Region).signing[s.arn()] = &signingConfig{s, time.Now()}
	return s.arn()
}

// SetCodeSigning gives a function a code signing configuration by its ARN, or
// with none takes it away. What is attached already is not looked at.
func (w *World) SetCodeSigning(function, arn string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, _ := w.mustFind(function)
	f.signing = arn
}

// checkSignatures looks at the layers a function would get anew. A signature
// that does not fit the bytes is refused whatever the policy is.
func (c *call) checkSignatures(f *function, arns []string) *apiError {
	s := c.store.signing[f.signing]
	if s == nil {
		return nil
	}
	for _, arn := range arns {
		if slices.Contains(f.latest.Layers, arn) {
			continue
		}
		ref, n, _ := parseLayerVersion(arn) // its shape was checked
		v := c.w.stored(ref, n)
		switch {
		case v != nil && v.SigningProfile != "" && v.Tampered:
			return refuse(400, "InvalidCodeSignatureException",
				"The code signature failed the integrity check. If the integrity check fails, then Lambda blocks deployment, "+
					"even if the code signing policy is set to WARN.")
		case s.Enforce && (v == nil || !slices.Contains(s.Publishers, v.SigningProfile)):
			return refuse(400, "CodeVerificationFailedException",
				"The code signature failed one or more of the validation checks for signature mismatch or expiry, "+
					"and the code signing policy is set to ENFORCE. Lambda blocks the deployment.")
		}
	}
	return nil
}

type signingDoc struct {
	CodeSigningConfigId  string
	CodeSigningConfigArn string
	Description          string
	AllowedPublishers    struct{ SigningProfileVersionArns []string }
	CodeSigningPolicies  struct{ UntrustedArtifactOnDeployment string }
	LastModified         string
}

func (s *signingConfig) doc() signingDoc {
	d := signingDoc{CodeSigningConfigId: s.ID, CodeSigningConfigArn: s.arn(), Description: s.Description, LastModified: stamp(s.modified)}
	d.AllowedPublishers.SigningProfileVersionArns = s.Publishers
	d.CodeSigningPolicies.UntrustedArtifactOnDeployment = "Warn"
	if s.Enforce {
		d.CodeSigningPolicies.UntrustedArtifactOnDeployment = "Enforce"
	}
	return d
}

func (c *call) signingConfig(arn string) (*signingConfig, *apiError) {
	if !signingPattern.MatchString(arn) {
		return nil, violation(arn, "codeSigningConfigArn", "Member must satisfy regular expression pattern: "+
			`arn:(aws[a-zA-Z-]*)?:lambda:[a-z]{2}((-gov)|(-iso(b?)))?-[a-z]+-\d{1}:\d{12}:code-signing-config:csc-[a-z0-9]{17}`)
	}
	s := c.store.signing[arn]
	if s == nil {
		return nil, notFound("The code signing configuration cannot be found. Check that the provided configuration is not deleted: %s.", arn)
	}
	return s, nil
}

func (c *call) getCodeSigningConfig(in *lambda.GetCodeSigningConfigInput) (any, *apiError) {
	s, e := c.signingConfig(str(in.CodeSigningConfigArn))
	if e != nil {
		return nil, e
	}
	return map[string]signingDoc{"CodeSigningConfig": s.doc()}, nil
}

func (c *call) listCodeSigningConfigs(in *lambda.ListCodeSigningConfigsInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 10000); e != nil {
		return nil, e
	}
	docs := []signingDoc{}
	for _, arn := range sortedKeys(c.store.signing) {
		docs = append(docs, c.store.signing[arn].doc())
	}
	docs, next, e := page(c, docs, func(d signingDoc) string { return d.CodeSigningConfigArn }, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	return struct {
		CodeSigningConfigs []signingDoc
		NextMarker         *string
	}{docs, next}, nil
}

func (c *call) listFunctionsByCodeSigningConfig(in *lambda.ListFunctionsByCodeSigningConfigInput) (any, *apiError) {
	if e := checkMaxItems(in.MaxItems, 10000); e != nil {
		return nil, e
	}
	s, e := c.signingConfig(str(in.CodeSigningConfigArn))
	if e != nil {
		return nil, e
	}
	arns := []string{}
	for _, name := range sortedKeys(c.store.functions) {
		if f := c.store.functions[name]; f.signing == s.arn() {
			arns = append(arns, f.arn(""))
		}
	}
	arns, next, e := page(c, arns, func(arn string) string { return arn }, in.Marker, in.MaxItems)
	if e != nil {
		return nil, e
	}
	return struct {
		FunctionArns []string
		NextMarker   *string
	}{arns, next}, nil
}

// getFunctionCodeSigningConfig of a function that has none is no error: the
// ARN is missing from the answer.
func (c *call) getFunctionCodeSigningConfig(in *lambda.GetFunctionCodeSigningConfigInput) (any, *apiError) {
	f, _, e := c.function(str(in.FunctionName), "")
	if e != nil {
		return nil, e
	}
	return struct {
		CodeSigningConfigArn *string
		FunctionName         string
	}{optional(f.signing), f.name}, nil
}
