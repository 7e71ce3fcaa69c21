package dynamotest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/truora/minidyn/server"
)

// DB is a DynamoDB with no tables at first. It is an http.Handler.
type DB struct {
	// mu makes one operation after the other: minidyn reads and writes its list
	// of tables without a lock.
	mu     sync.Mutex
	items  *server.Server
	tables map[string]*table
	calls  map[string]int
	onCall func(Call) Fault
	slow   int
}

// New returns a DB without tables.
func New() *DB {
	return &DB{items: server.NewServer(), tables: map[string]*table{}, calls: map[string]int{}}
}

// Slow has new tables be ready only after so many looks at them, and their
// backups after so many tries.
func (db *DB) Slow(looks int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.slow = looks
}

// Call is one request that came in.
type Call struct {
	Operation string // as PutItem
	Table     string
	Key       string // sk of the item, where one item is meant
	Number    int    // of this operation, from 1
}

// Fault is what goes wrong with a call. The zero Fault is nothing.
type Fault struct {
	Code, Message string // this answer instead of doing it; what it must look like is Status
	Status        int    // 400 when 0

	Lose  bool // the connection breaks before it is done …
	After bool // … or, together with Lose, when it was done
	Hang  bool // no answer before the context of the request ends; After counts here too
}

// Denied is what IAM says.
func Denied(c Call) Fault {
	return Fault{Code: "AccessDeniedException", Message: "User: arn:aws:iam::123456789012:user/test is not authorized to perform: dynamodb:" +
		c.Operation + " on resource: arn:aws:dynamodb:ap-northeast-1:123456789012:table/" + c.Table}
}

// Throttled is what a table says that is asked for too much.
func Throttled() Fault {
	return Fault{Code: "ProvisionedThroughputExceededException", Message: "The level of configured provisioned throughput for the table was exceeded."}
}

// OnCall has f decide the fate of every call from now on; nil: all go well. It
// is called with the DB locked and must not call it.
func (db *DB) OnCall(f func(Call) Fault) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.onCall = f
}

// Count is how often an operation was called.
func (db *DB) Count(operation string) int {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.calls[operation]
}

// Config reaches the DB without a socket, with credentials that it accepts.
func (db *DB) Config() aws.Config { return db.ConfigWith(nil) }

// ConfigWith is Config over a line of its own: f, which may be nil, decides the
// fate of the calls that come over it, before that of OnCall does.
func (db *DB) ConfigWith(f func(Call) Fault) aws.Config {
	return aws.Config{
		Region:      "ap-northeast-1",
		Credentials: credentials.NewStaticCredentialsProvider("TEST", "secret", ""),
		HTTPClient:  &http.Client{Transport: transport{db, f}},
	}
}

// Transport reaches the DB without a socket, whatever host a request names.
func (db *DB) Transport() http.RoundTripper { return transport{db, nil} }

type transport struct {
	db     *DB
	onCall func(Call) Fault
}

// errLost is what a broken connection looks like to a client.
var errLost = errors.New("connection reset by peer")

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	a := t.db.serve(r.Header.Get("X-Amz-Target"), body, t.onCall)
	switch {
	case a.hang:
		<-r.Context().Done()
		return nil, r.Context().Err()
	case a.lost:
		return nil, errLost
	case r.Context().Err() != nil:
		return nil, r.Context().Err() // it was done, and nobody heard the answer
	}
	rec := httptest.NewRecorder()
	a.write(rec)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

// ServeHTTP implements http.Handler.
func (db *DB) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	a := db.serve(r.Header.Get("X-Amz-Target"), body, nil)
	switch {
	case a.hang:
		<-r.Context().Done()
	case a.lost:
		panic(http.ErrAbortHandler) // breaks the connection
	default:
		a.write(w)
	}
}

// answer is what a call came to.
type answer struct {
	status     int
	body       []byte
	lost, hang bool
}

func (a answer) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", "REQUEST")
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(a.body)), 10))
	w.WriteHeader(a.status)
	_, _ = w.Write(a.body) // a client that is gone has nobody to tell
}

func problem(status int, code, message string) answer {
	body, _ := json.Marshal(map[string]string{"__type": "com.amazonaws.dynamodb.v20120810#" + code, "message": message}) // texts marshal
	return answer{status: status, body: body}
}

func invalid(message string) answer {
	return problem(http.StatusBadRequest, "ValidationException", message)
}

// serve does one call, or what its fault says.
func (db *DB) serve(target string, body []byte, line func(Call) Fault) answer {
	db.mu.Lock()
	defer db.mu.Unlock()
	_, op, _ := strings.Cut(target, ".")
	var in input
	if err := json.Unmarshal(body, &in); err != nil {
		return problem(http.StatusBadRequest, "SerializationException", err.Error())
	}
	db.calls[op]++
	c := Call{Operation: op, Table: in.TableName, Key: in.Key["sk"].S, Number: db.calls[op]}
	var f Fault
	for _, fate := range []func(Call) Fault{line, db.onCall} {
		if fate != nil && f == (Fault{}) {
			f = fate(c)
		}
	}
	switch {
	case f.Code != "":
		status := f.Status
		if status == 0 {
			status = http.StatusBadRequest
		}
		return problem(status, f.Code, f.Message)
	case (f.Lose || f.Hang) && !f.After:
		return answer{lost: f.Lose, hang: f.Hang}
	}
	a := db.do(op, in, body)
	a.lost, a.hang = f.Lose, f.Hang
	return a
}

// minidyn has the items do what is asked. It knows no empty bytes, so that all
// bytes get one more before it sees them.
func (db *DB) minidyn(op string, body []byte) answer {
	body, err := eachBinary(body, func(b []byte) []byte { return append(b, 0) })
	if err != nil {
		return problem(http.StatusBadRequest, "SerializationException", err.Error())
	}
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
	r.Header.Set("X-Amz-Target", "DynamoDB_20120810."+op)
	rec := httptest.NewRecorder()
	db.items.ServeHTTP(rec, r)
	body, err = eachBinary(rec.Body.Bytes(), func(b []byte) []byte { return b[:max(0, len(b)-1)] })
	if err != nil {
		return problem(http.StatusInternalServerError, "InternalServerError", err.Error())
	}
	return answer{status: rec.Code, body: body}
}

// eachBinary returns a document with all its values of type B changed. It looks
// for them in the text, where quotes inside of texts are escaped: to take a page
// of large values apart would be most of the time of a test.
func eachBinary(doc []byte, change func([]byte) []byte) ([]byte, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, doc); err != nil {
		return nil, err
	}
	var out []byte
	for rest := compact.Bytes(); ; {
		before, after, found := bytes.Cut(rest, []byte(`"B":"`))
		if !found {
			return append(out, rest...), nil
		}
		text, behind, _ := bytes.Cut(after, []byte(`"`))
		b, err := base64.StdEncoding.AppendDecode(nil, text)
		if err != nil {
			return nil, err
		}
		out = append(append(out, before...), `"B":"`...)
		out = append(base64.StdEncoding.AppendEncode(out, change(b)), '"')
		rest = behind
	}
}
