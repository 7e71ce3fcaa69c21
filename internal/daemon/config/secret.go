package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Secret is where a secret is, and never what it is. The zero Secret is one
// that the file does not name.
//
//	{file: /run/secrets/token}          a file
//	{env: GITHUB_TOKEN}                 a variable of the environment (ECS: secrets)
//	{credential: git-token}             systemd's LoadCredential=
//	{secretsmanager: layerd/git}        AWS Secrets Manager: name or ARN; with key: one field of a JSON secret
//	{ssm: /layerd/git-token}            SSM Parameter Store: name or ARN, decrypted
type Secret struct {
	File           string `json:"file,omitempty"`
	Env            string `json:"env,omitempty"`
	Credential     string `json:"credential,omitempty"`
	SecretsManager string `json:"secretsmanager,omitempty"`
	Key            string `json:"key,omitempty"` // with SecretsManager only
	SSM            string `json:"ssm,omitempty"`
}

// IsZero reports whether no secret is named.
func (s Secret) IsZero() bool { return s == Secret{} }

// String names the place, for errors and logs.
func (s Secret) String() string {
	switch {
	case s.File != "":
		return "secret file " + s.File
	case s.Env != "":
		return "secret env " + s.Env
	case s.Credential != "":
		return "secret credential " + s.Credential
	case s.SecretsManager != "" && s.Key != "":
		return "secret secretsmanager " + s.SecretsManager + " key " + s.Key
	case s.SecretsManager != "":
		return "secret secretsmanager " + s.SecretsManager
	case s.SSM != "":
		return "secret ssm " + s.SSM
	}
	return "no secret"
}

// LogValue is String, whatever the handler makes of structs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// UnreachableError is why a store of secrets did not answer: it may in a moment.
type UnreachableError struct{ Err error }

func (e *UnreachableError) Error() string { return e.Err.Error() }
func (e *UnreachableError) Unwrap() error { return e.Err }

// Lookup fetches a secret by the name or ARN that stands in the file.
type Lookup func(ctx context.Context, name string) (string, error)

const (
	// maxSecret is what Secrets Manager takes; nothing else is longer.
	maxSecret = 64 << 10
	// fresh is how long the answer of a remote store is used: a secret that was
	// replaced is seen within it, and a Git that is looked at every ten seconds
	// costs twelve calls an hour.
	fresh = 5 * time.Minute
	// remoteTimeout keeps a round from waiting for a store that does not answer.
	remoteTimeout = 15 * time.Second
)

// Secrets reads secrets at the places that Secret names. It is safe for
// concurrent use. A nil Lookup is a store that this process cannot reach.
type Secrets struct {
	Env            func(name string) (string, bool) // nil = os.LookupEnv
	SecretsManager Lookup
	SSM            Lookup

	mu    sync.Mutex // guards cache; not held while a store is asked
	cache map[Secret]answer
}

type answer struct {
	value string
	until time.Time
}

// Read returns the secret, without the line end that files tend to have. It is
// read anew each time, from remote stores every five minutes. An empty one is
// an error. Errors name the place and never anything of the value.
func (r *Secrets) Read(ctx context.Context, s Secret) (string, error) {
	value, err := r.read(ctx, s)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", s, err)
	}
	value = strings.TrimRight(value, "\r\n")
	if strings.TrimSpace(value) == "" {
		return "", fmt.Errorf("read %s: it is empty", s)
	}
	if len(value) > maxSecret {
		return "", fmt.Errorf("read %s: it has more than %d bytes", s, maxSecret)
	}
	return value, nil
}

// Source is Read for one secret, as gitrepo.Auth.Token wants it; nil when none
// is named.
func (r *Secrets) Source(s Secret) func(context.Context) (string, error) {
	if s.IsZero() {
		return nil
	}
	return func(ctx context.Context) (string, error) { return r.Read(ctx, s) }
}

// Forget makes the next Read ask the store again. It is for the moment a secret
// was refused: it may have been replaced since.
func (r *Secrets) Forget(s Secret) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cache, Secret{SecretsManager: s.SecretsManager, SSM: s.SSM})
}

func (r *Secrets) read(ctx context.Context, s Secret) (string, error) {
	switch {
	case s.File != "":
		return readSmall(s.File)
	case s.Env != "":
		value, ok := r.env(s.Env)
		if !ok {
			return "", errors.New("the variable is not set")
		}
		return value, nil
	case s.Credential != "":
		dir, ok := r.env("CREDENTIALS_DIRECTORY")
		if !ok || dir == "" {
			return "", errors.New("CREDENTIALS_DIRECTORY is not set: the unit has no LoadCredential=")
		}
		return readSmall(filepath.Join(dir, s.Credential))
	case s.SecretsManager != "":
		value, err := r.remote(ctx, Secret{SecretsManager: s.SecretsManager}, r.SecretsManager, s.SecretsManager)
		if err != nil || s.Key == "" {
			return value, err
		}
		return field(value, s.Key)
	case s.SSM != "":
		return r.remote(ctx, Secret{SSM: s.SSM}, r.SSM, s.SSM)
	}
	return "", errors.New("none is configured")
}

func (r *Secrets) env(name string) (string, bool) {
	if r.Env == nil {
		return os.LookupEnv(name)
	}
	return r.Env(name)
}

// remote asks a store, or remembers its answer. Two who ask at once may both
// ask the store; an error is not remembered.
func (r *Secrets) remote(ctx context.Context, place Secret, lookup Lookup, name string) (string, error) {
	if lookup == nil {
		return "", errors.New("this process was not given access to the store")
	}
	now := time.Now()
	r.mu.Lock()
	known, ok := r.cache[place]
	r.mu.Unlock()
	if ok && now.Before(known.until) {
		return known.value, nil
	}
	ctx, cancel := context.WithTimeout(ctx, remoteTimeout)
	defer cancel()
	value, err := lookup(ctx, name)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cache == nil {
		r.cache = map[Secret]answer{}
	}
	r.cache[place] = answer{value, now.Add(fresh)}
	return value, nil
}

// field takes one text out of a JSON object. The decoder's own errors quote
// what they read.
func field(value, key string) (string, error) {
	var fields map[string]any
	if err := json.Unmarshal([]byte(value), &fields); err != nil {
		return "", errors.New("it is not a JSON object, so it has no keys")
	}
	text, ok := fields[key].(string)
	if !ok {
		return "", fmt.Errorf("it has no key %q with text", key)
	}
	return text, nil
}

// readSmall reads a file that should hold a secret. The error of the disk is
// told without the path, which the caller names.
func readSmall(path string) (string, error) {
	// A pipe would keep whoever opens it waiting, and has its content only once.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return "", errors.New("it is not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", withoutPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSecret+3)) // its line end, and one more to see that it is too long
	if err != nil {
		return "", withoutPath(err)
	}
	return string(data), nil
}

func withoutPath(err error) error {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err
	}
	return err
}
