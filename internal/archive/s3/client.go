package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/layerd/layerd/internal/archive"
	"github.com/layerd/layerd/internal/awscall"
	"github.com/layerd/layerd/internal/state"
)

// readTimeout bounds the reading of one object, of which the largest has 250 MB.
const readTimeout = 5 * time.Minute

// Client reads as one account in one Region. It is safe for concurrent use.
type Client struct {
	region string
	s3     *s3.Client
	creds  *awscall.Credentials
}

// New wires a Client; it makes no call. cfg comes from the SDK's usual chain, so
// AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 work. See awscall.Wire for what of it is
// replaced.
func New(cfg aws.Config, o awscall.Options) (*Client, error) {
	cfg, creds, err := awscall.Wire{}.Connect(cfg, o)
	if err != nil {
		return nil, err
	}
	return &Client{region: o.Region, creds: creds, s3: s3.NewFromConfig(cfg, func(o *s3.Options) {
		// A bucket before the name of an endpoint of one's own is a name that nobody knows.
		o.UsePathStyle = o.BaseEndpoint != nil
	})}, nil
}

// checked makes sure of the credentials before a call, so that their error is not
// taken for the call's.
func (c *Client) checked(ctx context.Context) error {
	_, err := c.creds.Place(ctx)
	return sorter.Read("GetCallerIdentity", "", err)
}

// Head returns an object as it is now, or one version where version names it.
func (c *Client) Head(ctx context.Context, bucket, key, version string) (archive.Object, error) {
	if err := c.checked(ctx); err != nil {
		return archive.Object{}, err
	}
	in := &s3.HeadObjectInput{Bucket: &bucket, Key: &key}
	if version != "" {
		in.VersionId = &version
	}
	out, err := c.s3.HeadObject(ctx, in)
	if err != nil {
		return archive.Object{}, c.readError("HeadObject", bucket, key, err)
	}
	o := archive.Object{Bucket: bucket, Key: key, Version: aws.ToString(out.VersionId), ETag: aws.ToString(out.ETag), Size: aws.ToInt64(out.ContentLength)}
	if o.Version == "null" { // written while the bucket had no versioning: it can be replaced
		o.Version = ""
	}
	return o, nil
}

// Read writes what an object has to a writer. An error of the writer comes back as it
// is.
func (c *Client) Read(ctx context.Context, o archive.Object, to io.Writer) error {
	if err := c.checked(ctx); err != nil {
		return err
	}
	reading, cancel := context.WithTimeout(ctx, readTimeout)
	defer cancel()
	err := c.read(reading, o, to)
	if err != nil && reading.Err() != nil && ctx.Err() == nil {
		return &state.Error{Op: "GetObject", Resource: o.URL(), Kind: state.Again, Message: fmt.Sprintf("it did not come whole within %s", readTimeout)}
	}
	return err
}

func (c *Client) read(ctx context.Context, o archive.Object, to io.Writer) error {
	in := &s3.GetObjectInput{Bucket: &o.Bucket, Key: &o.Key, IfMatch: &o.ETag}
	if o.Version != "" {
		in.VersionId = &o.Version
	}
	// The deadline of an attempt ends with the headers, and would cut off the body.
	out, err := c.s3.GetObject(ctx, in, s3.WithAPIOptions(awscall.Unbounded))
	if err != nil {
		return c.readError("GetObject", o.Bucket, o.Key, err)
	}
	defer out.Body.Close()
	w := &sink{Writer: to}
	n, err := io.Copy(w, io.LimitReader(out.Body, o.Size+1))
	switch {
	case w.err != nil:
		return w.err
	case err != nil && awscall.Ended(err) == nil, err == nil && n != o.Size:
		if err == nil {
			err = errors.New("the object was cut off, or replaced")
		}
		return &state.Error{Op: "GetObject", Resource: o.URL(), Kind: state.Again, Message: fmt.Sprintf("%d of %d bytes came: %s", n, o.Size, awscall.Clean(err.Error()))}
	case err != nil:
		return c.readError("GetObject", o.Bucket, o.Key, err)
	}
	return nil
}

// sink keeps the error of a writer apart from those of what is read.
type sink struct {
	io.Writer
	err error
}

func (s *sink) Write(p []byte) (n int, err error) {
	n, err = s.Writer.Write(p)
	s.err = err
	return n, err
}
