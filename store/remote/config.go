package remote

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/usherauth/usher/store"
)

// Config says where Better Auth is, and how it knows a session.
type Config struct {
	URL         string            // https://app.example.com/api/auth, where GET …/ok answers
	CookieName  string            // the session cookie's whole name, as betterauth.CookieName makes it
	Secret      string            // Better Auth's current one; it takes no cookie signed with an older one
	Timeout     time.Duration     // of one lookup, all its calls together; zero: 1.5 s
	MaxInFlight int               // calls under way at the same time; zero: 32
	Transport   http.RoundTripper // nil: one of its own, which honours the standard proxy and root-certificate variables
}

const (
	defaultTimeout  = 1500 * time.Millisecond
	defaultInFlight = 32
	mostInFlight    = 10_000

	// connectTimeout leaves room within a lookup's time.
	connectTimeout = time.Second

	// idleTimeout is shorter than the five seconds after which Node closes a connection that nobody uses.
	idleTimeout = 4 * time.Second

	maxHeader = 64 << 10 // bytes
)

var errURL = errors.New("write store.url as https://app.example.com/api/auth, the address of Better Auth's API " +
	"(the URL is not shown, for it may hold a password)")

// base is the URL that the endpoints' paths are appended to.
func (c Config) base() (string, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "", u.Opaque != "":
		return "", errURL
	case u.User != nil:
		return "", errors.New("take user and password out of store.url: Better Auth's API asks for none")
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return "", errors.New("take everything from ? or # on out of store.url: it is the address of Better Auth's API")
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.EscapedPath(), "/"), nil
}

// check refuses what cannot work, whatever Better Auth says.
func (c Config) check() error {
	switch {
	case c.Secret == "":
		return &store.UnusableError{Err: errors.New("asking Better Auth itself needs better_auth.secret")}
	case c.CookieName == "" || strings.Trim(c.CookieName, cookieNameBytes) != "":
		return &store.UnusableError{Err: fmt.Errorf("%q is no cookie name; use letters, digits, dots, - and _", c.CookieName)}
	}
	return nil
}

// cookieNameBytes are those of a token (RFC 9110, section 5.6.2).
const cookieNameBytes = "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// newTransport keeps as many connections as there may be calls.
func newTransport(inFlight int) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: connectTimeout, KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
		}}).DialContext,
		TLSHandshakeTimeout:    connectTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConns:           inFlight,
		MaxIdleConnsPerHost:    inFlight,
		MaxConnsPerHost:        inFlight,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHeader,
		DisableCompression:     true, // the answers are small, and a small one cannot become a large one
		// Over HTTP/2 all calls share a connection: one that died must not take every lookup's time until TCP notices.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 2 * time.Second, PingTimeout: time.Second},
	}
}
