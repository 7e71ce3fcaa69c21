package gitrepo

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"
	"unicode"
)

// Kind sorts errors by what to do next. It is an error itself, so that
// errors.Is(err, gitrepo.KindBranchGone) works.
type Kind string

// Only KindUnreachable may pass by itself. All others need a person: at the
// repository, at the configuration or at the server.
const (
	KindUnreachable    Kind = "unreachable"      // no or no complete answer in time, or the server said "later"
	KindAuth           Kind = "auth"             // credentials are missing, unreadable or not enough
	KindHostKey        Kind = "host_key"         // the server did not prove to be the one we mean (SSH key, TLS certificate)
	KindNotARepository Kind = "not_a_repository" // nothing there, or nothing that speaks Git
	KindEmpty          Kind = "empty"            // a repository without any commit
	KindBranchGone     Kind = "branch_gone"      // the repository is there, the branch is not
	KindPathGone       Kind = "path_gone"        // the commit is there, the folder is not
	KindTooLarge       Kind = "too_large"        // more than Options.MaxBytes
	KindSubmodule      Kind = "submodule"        // a submodule where desired state should be
	KindLFS            Kind = "lfs"              // the file holds a Git LFS pointer, not its content
	KindCorrupt        Kind = "corrupt"          // what came or lies on disk is no sound Git data
	KindUnsupported    Kind = "unsupported"      // sound, but of a form that go-git 5 cannot read
	KindInvalid        Kind = "invalid"          // the options make no sense
)

// Error makes a Kind usable as the target of errors.Is.
func (k Kind) Error() string { return "git: " + strings.ReplaceAll(string(k), "_", " ") }

// Error is what every function of this package returns when it fails. Its
// text never holds a credential, and neither does anything it unwraps to: of
// the errors below only the text is kept, with the secrets taken out.
type Error struct {
	Op      string // what was being done: "look at", "pull", "open"
	Repo    string // the repository, without credentials
	Kind    Kind
	Message string // what is wrong and, where it is known, what helps

	cause error // context.Canceled or context.DeadlineExceeded, else nil
}

func (e *Error) Error() string {
	if e.Op == "" {
		return e.Message // about one file, whose reader names it, or a name that is not to be had
	}
	if e.Repo == "" {
		return fmt.Sprintf("%s: %s", e.Op, e.Message)
	}
	return fmt.Sprintf("%s %s: %s", e.Op, e.Repo, e.Message)
}

// Unwrap lets errors.Is find the Kind, and the context's error when it ended.
func (e *Error) Unwrap() []error {
	if e.cause != nil {
		return []error{e.Kind, e.cause}
	}
	return []error{e.Kind}
}

// Retryable reports whether the same call may succeed later without anybody
// doing anything.
func (e *Error) Retryable() bool { return e.Kind == KindUnreachable }

// secrets are the strings that must not appear in a message.
type secrets []string

// add notes a secret in the forms in which it may come back: as it is, escaped
// in a URL, and as HTTP's basic credentials.
func (s *secrets) add(user, secret string) {
	if secret == "" {
		return
	}
	*s = append(*s, secret, url.QueryEscape(secret), url.PathEscape(secret), url.UserPassword("", secret).String()[1:],
		base64.StdEncoding.EncodeToString([]byte(user+":"+secret)))
}

// messageLimit is how many bytes of a foreign text we repeat: servers answer
// with whole web pages.
const messageLimit = 300

// clean makes a foreign text fit for one line of a log or a terminal: without
// secrets, control characters and endless length.
func (s secrets) clean(text string) string {
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, "***")
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " ")
	if len(text) > messageLimit {
		text = strings.ToValidUTF8(text[:messageLimit], "") + "…"
	}
	return text
}
