package daemon

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	archives "github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/archive/ranged"
	"github.com/layerd/layerd/internal/inspect"
	"github.com/layerd/layerd/internal/state"
	"github.com/layerd/layerd/internal/state/awslambda"
)

// LayerArchive is the archive of a layer version while it is read.
type LayerArchive struct {
	io.ReaderAt
	Size   int64
	SHA256 string // as AWS has it, lower-case hex; empty = it has none
}

// readTwice is how often an archive is read whose pieces do not come: its address is asked
// for anew, since it ends after ten minutes.
const readTwice = 2

// ReadLayer hands the archive of a layer version to use, which reads of it what it needs.
// One of another account needs to be shared with this one.
func (c Connection) ReadLayer(ctx context.Context, v state.LayerVersionARN, use func(LayerArchive) error) error {
	for try := 1; ; try++ {
		again, err := c.readLayer(ctx, v, use)
		if err == nil || !again || try == readTwice || ctx.Err() != nil {
			return err
		}
	}
}

func (c Connection) readLayer(ctx context.Context, v state.LayerVersionARN, use func(LayerArchive) error) (again bool, err error) {
	found, err := c.Archive(ctx, v)
	if err != nil {
		return false, err
	}
	if found.Bucket != "" {
		return false, c.readReference(ctx, found, use)
	}
	r, err := ranged.Open(ctx, c.http, found.Address(), found.Size)
	if err != nil {
		return false, fmt.Errorf("read %s: %w", v, err)
	}
	defer r.Close()
	if err := use(LayerArchive{r, found.Size, found.SHA256}); err != nil {
		if lost := r.Err(); lost != nil { // whoever reads a zip takes it for a bad one
			return true, fmt.Errorf("read %s: %w", v, lost)
		}
		return false, fmt.Errorf("read %s: %w", v, err)
	}
	return false, nil
}

// ReadAddress hands the archive that a link of AWS leads to, which has size bytes, to use.
// The link is in no error.
func (c Connection) ReadAddress(ctx context.Context, address string, size int64, use func(io.ReaderAt) error) error {
	r, err := ranged.Open(ctx, c.http, address, size)
	if err != nil {
		return err
	}
	defer r.Close()
	return cmp.Or(use(r), r.Err())
}

// readReference reads an archive that stays in S3, with this account's own rights.
func (c Connection) readReference(ctx context.Context, found awslambda.Content, use func(LayerArchive) error) error {
	o, err := c.objects.Head(ctx, found.Bucket, found.Key, found.ObjectVersion)
	if err != nil {
		return err
	}
	if o.Size > archives.MaxUnzipped {
		return fmt.Errorf("%s has %d bytes, more than a layer may have", o.URL(), o.Size)
	}
	f, err := os.CreateTemp("", "layerd-*.zip")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := c.objects.Read(ctx, o, f); err != nil {
		return err
	}
	return use(LayerArchive{f, o.Size, found.SHA256})
}

// LayerContents returns which packages a layer version has.
func (c Connection) LayerContents(ctx context.Context, v state.LayerVersionARN) (found inspect.Contents, err error) {
	err = c.ReadLayer(ctx, v, func(a LayerArchive) error {
		contents, err := archives.Skim(a, a.Size)
		if err != nil {
			return err
		}
		found = inspect.ContentsOf(contents)
		found.SHA256 = a.SHA256
		return nil
	})
	return found, err
}

// downloader is what addresses that AWS hands out are read with: the same proxy and the
// same certificates as its own calls, and nothing that signs.
func downloader(cfg aws.Config, o AWSOptions) aws.HTTPClient {
	switch {
	case o.HTTPClient != nil:
		return o.HTTPClient
	case cfg.HTTPClient != nil:
		return cfg.HTTPClient
	}
	return awshttp.NewBuildableClient()
}
