package gitrepo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/layerd/layerd/internal/desired/gitrepo/gitserve"
)

// both calls have to fail the same way; the error of Pull is returned.
func failBoth(t *testing.T, r *Repo, want Kind) *Error {
	t.Helper()
	_, err := r.Tip(t.Context())
	assertKind(t, err, want)
	c, changed, err := r.Pull(t.Context(), "")
	if changed || c.Files != nil {
		t.Errorf("a failed pull brought %v", c)
	}
	return assertKind(t, err, want)
}

// answering is a server that answers every request with one status. It repeats
// the credentials, as some error pages do.
func answering(t *testing.T, status int) string {
	t.Helper()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		user, password, _ := req.BasicAuth()
		w.WriteHeader(status)
		fmt.Fprintf(w, "<html>\n\x1b[31mno, %s with %s and %s", user, password, req.Header.Get("Authorization"))
	}))
	t.Cleanup(web.Close)
	return web.URL + "/acme/layers.git"
}

func TestHTTPStatus(t *testing.T) {
	for status, want := range map[int]Kind{
		401: KindAuth, 403: KindAuth, 404: KindNotARepository, 410: KindNotARepository, 200: KindNotARepository,
		408: KindUnreachable, 429: KindUnreachable, 500: KindUnreachable, 502: KindUnreachable, 503: KindUnreachable,
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			r := open(t, Options{URL: answering(t, status), Auth: Auth{Token: StaticToken(testToken + "\n")}})
			e := failBoth(t, r, want)
			if status != 200 && !strings.Contains(e.Message, fmt.Sprint(status)) {
				t.Errorf("message %q does not name the status", e.Message)
			}
		})
	}
}

func TestUnauthorizedWithoutCredentialsSaysSo(t *testing.T) {
	e := failBoth(t, open(t, Options{URL: answering(t, 401)}), KindAuth)
	if !strings.Contains(e.Message, "none are configured") {
		t.Errorf("message %q", e.Message)
	}
}

func TestToken(t *testing.T) {
	s := gitserve.New()
	wantUser := "x-access-token"
	s.Allow = func(user, password string) bool { return user == wantUser && password == testToken }
	hash := commit(t, s.Add("layers"), gitserve.Change{Subject: "x", Files: desiredFiles()})
	web := httptest.NewServer(s)
	defer web.Close()
	url := web.URL + "/layers"

	calls := 0
	fresh := func(context.Context) (string, error) { calls++; return " " + testToken + "\n", nil }
	if got := pull(t, open(t, Options{URL: url, Auth: Auth{Token: fresh}})); got.Hash != hash || calls == 0 {
		t.Errorf("pulled %s, token asked %d times", got.Hash, calls)
	}
	failBoth(t, open(t, Options{URL: url, Auth: Auth{Token: StaticToken("wrong" + testToken)}}), KindAuth)
	failBoth(t, open(t, Options{URL: url}), KindAuth)

	inURL := strings.Replace(url, "http://", "http://x-access-token:"+strings.NewReplacer("+", "%2B", "/", "%2F").Replace(testToken)+"@", 1)
	r := open(t, Options{URL: inURL})
	if got := pull(t, r); got.Hash != hash || strings.Contains(r.String(), "S3cret") {
		t.Errorf("pulled %s as %s", got.Hash, r)
	}
	wantUser = "codecommit-user"
	pull(t, open(t, Options{URL: url, Auth: Auth{User: "codecommit-user", Token: StaticToken(testToken)}}))
}

func TestTokenThatCannotBeRead(t *testing.T) {
	url := answering(t, 200)
	for want, token := range map[Kind]func(context.Context) (string, error){
		KindAuth: func(context.Context) (string, error) {
			return "", errors.New("no such secret")
		},
		KindUnreachable: func(context.Context) (string, error) {
			return "", fmt.Errorf("ask for it: %w", &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")})
		},
	} {
		e := failBoth(t, open(t, Options{URL: url, Auth: Auth{Token: token}}), want)
		if !strings.Contains(e.Message, "read the token") {
			t.Errorf("message %q", e.Message)
		}
	}
	failBoth(t, open(t, Options{URL: url, Auth: Auth{Token: func(context.Context) (string, error) { return " ", nil }}}), KindAuth)
}

// A repository that has moved is followed, but the token stays at home.
func TestRedirectKeepsTheToken(t *testing.T) {
	repo := gitserve.New()
	hash := commit(t, repo.Add("new/layers"), gitserve.Change{Subject: "x", Files: desiredFiles()})
	var mu sync.Mutex
	var seen []string
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if auth := req.Header.Get("Authorization"); auth != "" {
			seen = append(seen, req.URL.Path+" "+auth)
		}
		repo.ServeHTTP(w, req)
	}))
	defer elsewhere.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if _, password, _ := req.BasicAuth(); password != testToken {
			t.Errorf("no token at home for %s", req.URL.Path)
		}
		http.Redirect(w, req, elsewhere.URL+strings.Replace(req.URL.RequestURI(), "/old/", "/new/", 1), http.StatusMovedPermanently)
	}))
	defer home.Close()
	// The same machine under another name is another host.
	url := strings.Replace(home.URL, "127.0.0.1", "localhost", 1) + "/old/layers"
	r := open(t, Options{URL: url, Auth: Auth{Token: StaticToken(testToken)}})
	if tip, err := r.Tip(t.Context()); err != nil || tip != hash {
		t.Errorf("tip %s, %v", tip, err)
	}
	if c := pull(t, r); c.Hash != hash {
		t.Errorf("pulled %s", c.Hash)
	}
	if len(seen) > 0 {
		t.Errorf("the token went to another host: %q", seen)
	}
}

func TestUnreachable(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	failBoth(t, open(t, Options{URL: "http://" + closed.Addr().String() + "/x"}), KindUnreachable)
}

func TestUntrustedCertificate(t *testing.T) {
	web := httptest.NewUnstartedServer(gitserve.New())
	web.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains that we hung up
	web.StartTLS()
	defer web.Close()
	failBoth(t, open(t, Options{URL: web.URL + "/x", Auth: Auth{Token: StaticToken(testToken)}}), KindHostKey)
}

func TestSilentServer(t *testing.T) {
	for _, place := range []string{"", "/info/refs", "/git-upload-pack"} {
		t.Run("at "+place, func(t *testing.T) {
			hold := make(chan struct{})
			repo, url := serve(t, func(next http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
					protocol2 := req.Method == http.MethodPost && req.Header.Get("Git-Protocol") != ""
					if strings.HasSuffix(req.URL.Path, place) && (place == "" || !protocol2) {
						_, _ = io.Copy(io.Discard, req.Body)
						w.WriteHeader(http.StatusOK)
						w.(http.Flusher).Flush()
						<-hold
						return
					}
					next.ServeHTTP(w, req)
				})
			})
			t.Cleanup(func() { close(hold) })
			commit(t, repo, gitserve.Change{Subject: "x", Files: desiredFiles()})
			r := open(t, Options{URL: url, Timeout: 300 * time.Millisecond})
			start := time.Now()
			_, _, err := r.Pull(t.Context(), "")
			assertKind(t, err, KindUnreachable)
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
				t.Errorf("after %s: %v", time.Since(start), err)
			}
		})
	}
}

// Shutting down is not an error of the repository.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, url := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) { cancel(); <-req.Context().Done() })
	})
	_, _, err := open(t, Options{URL: url}).Pull(ctx, "")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// cutting lets only so many bytes of the pack through.
func cutting(after int, mend func([]byte)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if !strings.HasSuffix(req.URL.Path, "/git-upload-pack") || req.Header.Get("Git-Protocol") != "" {
				next.ServeHTTP(w, req)
				return
			}
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, req)
			body := rec.Body.Bytes()
			if mend != nil {
				mend(body)
			}
			w.Header().Set("Content-Type", "application/x-git-upload-pack-result")
			_, _ = w.Write(body[:min(after, len(body))])
		})
	}
}

func TestTruncatedPack(t *testing.T) {
	for _, after := range []int{0, 3, 8, 12, 20, 60, 200} {
		repo, url := serve(t, cutting(after, nil))
		commit(t, repo, gitserve.Change{Subject: "x", Files: desiredFiles()})
		_, _, err := open(t, Options{URL: url}).Pull(t.Context(), "")
		if e := assertKind(t, err, KindUnreachable); e.Message == "" {
			t.Errorf("cut after %d: no message", after)
		}
	}
}

func TestDamagedPack(t *testing.T) {
	// The first bytes are "0008NAK\nPACK", the last twenty the checksum.
	for name, mend := range map[string]func([]byte){
		"version":  func(b []byte) { b[8+7] = 9 },
		"content":  func(b []byte) { b[len(b)/2] ^= 0xff },
		"checksum": func(b []byte) { b[len(b)-1] ^= 0xff },
	} {
		t.Run(name, func(t *testing.T) {
			repo, url := serve(t, cutting(1<<20, mend))
			commit(t, repo, gitserve.Change{Subject: "x", Files: desiredFiles()})
			_, _, err := open(t, Options{URL: url}).Pull(t.Context(), "")
			assertKind(t, err, KindCorrupt)
		})
	}
}

func copyAnswer(w http.ResponseWriter, rec *httptest.ResponseRecorder) {
	maps.Copy(w.Header(), rec.Header())
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes())
}

// The connection breaks while a Content-Length promises more.
func TestBrokenConnection(t *testing.T) {
	dir := worktree(t, desiredFiles())
	url := backend(t, dir, func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, req)
			if !bytes.Contains(rec.Body.Bytes(), []byte("PACK")) {
				copyAnswer(w, rec)
				return
			}
			w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
			w.Header().Set("Content-Length", fmt.Sprint(rec.Body.Len()))
			_, _ = w.Write(rec.Body.Bytes()[:rec.Body.Len()/2])
		})
	})
	_, _, err := open(t, Options{URL: url}).Pull(t.Context(), "")
	assertKind(t, err, KindUnreachable)
}

// A list of refs without end must not fill the memory.
func TestEndlessRefs(t *testing.T) {
	_, url := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			if req.Method == http.MethodPost {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			_, _ = io.WriteString(w, "001e# service=git-upload-pack\n0000")
			for i := 0; ; i++ {
				line := fmt.Sprintf("%040d refs/heads/%020d\x00ofs-delta\n", i+1, i)
				if i > 0 {
					line = strings.Replace(line, "\x00ofs-delta", "", 1)
				}
				if _, err := fmt.Fprintf(w, "%04x%s", len(line)+4, line); err != nil {
					return
				}
			}
		})
	})
	failBoth(t, open(t, Options{URL: url, MaxBytes: 1 << 20}), KindTooLarge)
}
