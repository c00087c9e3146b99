package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/usherauth/usher/betterauth"
)

// refusal is an answer with another status than 200.
type refusal struct {
	call   string
	status int
	code   string // Better Auth's, or empty
}

func (r *refusal) Error() string {
	text := fmt.Sprintf("%s: %d %s", r.call, r.status, http.StatusText(r.status))
	if r.code != "" {
		text += " " + r.code
	}
	return text + r.remedy()
}

func (r *refusal) remedy() string {
	switch {
	case r.status == http.StatusTooManyRequests:
		return "; Better Auth's rate limit refuses the gate, which could not find out: set rateLimit.customRules in Better Auth's " +
			"options to false for /ok, /get-session, /organization/list, /organization/list-members and /organization/list-user-teams"
	case r.status >= 300 && r.status < 400:
		return "; a redirect is not followed: store.url must be the API itself, often with https:// or another host name"
	case r.status == http.StatusNotFound:
		return "; store.url must end with Better Auth's basePath, usually /api/auth"
	case r.status == http.StatusUnauthorized, r.status == http.StatusForbidden, r.status == http.StatusProxyAuthRequired:
		return "; let the gate pass whatever stands before Better Auth, and see the logs of both"
	case r.status >= 500:
		return "; see the log of Better Auth, or of what stands before it"
	}
	return ""
}

// is reports whether err is a refusal with this status and, unless empty, this code.
func is(err error, status int, code string) bool {
	var r *refusal
	return errors.As(err, &r) && r.status == status && (code == "" || r.code == code)
}

// remedy says what to do when there is no answer, where that is known.
func remedy(err error) string {
	var (
		unknown *net.DNSError
		issuer  x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
		plain   tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &issuer):
		return "; who signed its certificate is not known here: name a file with the root certificate in SSL_CERT_FILE"
	case errors.As(err, &host):
		return "; its certificate is for another name: write that one in store.url"
	case errors.As(err, &invalid):
		return "; its certificate is not valid now: renew it, or set this machine's clock"
	case errors.As(err, &plain), errors.Is(err, http.ErrSchemeMismatch):
		return "; what listens there speaks no TLS: check the port, and https:// in store.url"
	case errors.As(err, &unknown):
		return "; the host of store.url is not known here"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "; nothing listens there: is Better Auth running, and are host and port of store.url right?"
	case errors.Is(err, context.DeadlineExceeded):
		return "; Better Auth did not answer in time"
	}
	return ""
}

// errHidden stands for an error whose text quotes what it must not.
var errHidden = errors.New("the error is not shown, for it quotes the session's token")

// hide keeps the token out of errors: those of net/http quote what they cannot read, and a server may have sent back
// what it got.
func (s *Store) hide(token string, err error) error {
	text := err.Error()
	if strings.Contains(text, token) && token != probe || strings.Contains(text, betterauth.Sign(s.secret, token)) {
		return errHidden
	}
	return err
}
