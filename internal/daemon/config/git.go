package config

import (
	"context"
	"path/filepath"

	"github.com/layerd/layerd/internal/desired"
	"github.com/layerd/layerd/internal/desired/gitrepo"
)

// Options are what gitrepo needs to follow the branch. The token, and a key
// that is a file, are read at each use; a key from elsewhere and the passphrase
// are read now, since gitrepo takes them as they are.
func (g Git) Options(ctx context.Context, secrets *Secrets) (gitrepo.Options, error) {
	o := gitrepo.Options{URL: g.URL, Branch: g.Branch, Path: g.Path, Read: desired.ReadPaths(), Timeout: g.Timeout.Duration, MaxBytes: g.MaxBytes, Auth: gitrepo.Auth{
		Token: secrets.Source(g.Auth.Token), User: g.Auth.User, KnownHosts: g.Auth.KnownHosts,
	}}
	switch key := g.Auth.SSHKey; {
	case key.IsZero():
	case key.File != "":
		o.Auth.SSHKeyFile = key.File
	case key.Credential != "":
		if dir, ok := secrets.env("CREDENTIALS_DIRECTORY"); ok && dir != "" {
			o.Auth.SSHKeyFile = filepath.Join(dir, key.Credential)
			break
		}
		fallthrough // for the error
	default:
		text, err := secrets.Read(ctx, key)
		if err != nil {
			return gitrepo.Options{}, err
		}
		o.Auth.SSHKey = []byte(text + "\n")
	}
	if !g.Auth.SSHPassphrase.IsZero() {
		text, err := secrets.Read(ctx, g.Auth.SSHPassphrase)
		if err != nil {
			return gitrepo.Options{}, err
		}
		o.Auth.Passphrase = text
	}
	return o, nil
}
