package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go"
)

// TestCredentialsFileIsReadAnew: who was found to be another account's caller must
// not stay so once the file is right. Only who asks for it pays for the reading.
func TestCredentialsFileIsReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("[default]\naws_access_key_id = ONE\naws_secret_access_key = x\n")
	cfg, err := (&app{}).awsConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	check := func(want string) {
		t.Helper()
		if got, err := cfg.Credentials.Retrieve(t.Context()); err != nil || got.AccessKeyID != want {
			t.Errorf("Retrieve = %q, %v, want %q", got.AccessKeyID, err, want)
		}
	}
	check("ONE")
	kept, ok := cfg.Credentials.(interface{ Invalidate() })
	if !ok {
		t.Fatal("the credentials cannot be fetched anew")
	}
	write("[default]\naws_access_key_id = TWO") // half of it
	kept.Invalidate()
	check("ONE")
	write("[default]\naws_access_key_id = TWO\naws_secret_access_key = x\n")
	check("TWO")
}

// AWS repeats the request that it refused, session token included.
func TestCredentialsThatAreRefusedShowNoToken(t *testing.T) {
	a := &app{env: func(string) string { return "" }}
	refused := &smithy.GenericAPIError{Code: "SignatureDoesNotMatch", Message: "The request signature we calculated does not match.\n\n" +
		"The Canonical String for this request should have been\n'POST\n/\n\nx-amz-security-token:IQoJsecret\n'"}
	cfg := aws.Config{Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, fmt.Errorf("assume role: %w", refused)
	})}
	err := a.credentials(t.Context(), cfg)
	if err == nil || strings.Contains(err.Error(), "IQoJsecret") || !strings.Contains(err.Error(), "does not match") {
		t.Errorf("%v, want AWS's words without the token", err)
	}
}
