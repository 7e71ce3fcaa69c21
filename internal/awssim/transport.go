package awssim

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
)

// Transport reaches the World without a socket, whatever host a request
// names. Every answer is made on the goroutine that asks, so that in a
// testing/synctest bubble a slow answer costs no time.
func (w *World) Transport() http.RoundTripper { return transport{w} }

type transport struct{ w *World }

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r = r.Clone(r.Context()) // a RoundTripper must not change its request
		r.Body = http.NoBody
	}
	defer r.Body.Close()
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	a, err := t.w.serve(r)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status:     strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode: a.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        a.header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: a.length(),
		Request:       r,
	}, nil
}

// readBody reads what a service would take, and one byte more so that more is
// noticed. What says its length is read into just as much memory.
// Read returns what a request asks for, as the log would have it, and does nothing about
// it; and the request as it can be sent on. It is for whoever stands between a client and
// an AWS, be that one this or not.
func (w *World) Read(r *http.Request) (Call, *http.Request, error) {
	r = r.Clone(r.Context())
	if r.Body == nil {
		r.Body = http.NoBody
	}
	body, err := readBody(r)
	if err != nil {
		return Call{}, r, err
	}
	if err := r.Body.Close(); err != nil {
		return Call{}, r, err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c, _ := w.understand(r, body)
	return c.log, r, nil
}

func readBody(r *http.Request) ([]byte, error) {
	most := int64(maxBody)
	if forS3(r) {
		most = maxObject
	}
	if r.ContentLength <= 0 || r.ContentLength > most {
		return io.ReadAll(io.LimitReader(r.Body, most+1))
	}
	body := make([]byte, r.ContentLength)
	_, err := io.ReadFull(r.Body, body)
	return body, err
}
