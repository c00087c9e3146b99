package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Store is a gate.Resolver that asks Better Auth. It is safe for concurrent use.
type Store struct {
	base    string
	cookie  string // the session cookie's name
	secret  string
	timeout time.Duration
	client  http.Client
	own     *http.Transport // nil: the caller's

	slots  chan struct{} // full of the calls under way
	waits  atomic.Int64
	waited atomic.Int64 // nanoseconds

	api    atomic.Pointer[api]
	looked atomic.Int64 // when the plugins were looked for, in Unix nanoseconds; 0: look again

	closing sync.Once
	closed  chan struct{}
}

// api is what a look found of a Better Auth. It is never changed.
type api struct {
	dontRemember         string // the name of its dont_remember cookie
	organizations, teams bool
}

// plugins are looked for this often, and when a lookup missed one.
const plugins = time.Minute

// Open asks Better Auth once whether it is there and whether it believes what is signed here. It says what to do when
// not. It starts no goroutine that outlives a call, but keeps connections until Close.
func Open(ctx context.Context, c Config) (*Store, error) {
	base, err := c.base()
	if err != nil {
		return nil, fmt.Errorf("remote: %w", &store.UnusableError{Err: err})
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("remote: %w", err)
	}
	s := &Store{base: base, cookie: c.CookieName, secret: c.Secret, timeout: c.Timeout, closed: make(chan struct{})}
	if s.timeout <= 0 {
		s.timeout = defaultTimeout
	}
	inFlight := min(c.MaxInFlight, mostInFlight)
	if inFlight <= 0 {
		inFlight = defaultInFlight
	}
	s.slots = make(chan struct{}, inFlight)
	s.client.Transport = c.Transport
	if c.Transport == nil {
		s.own = newTransport(inFlight)
		s.client.Transport = s.own
	}
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Ping reports whether sessions can be resolved now: Better Auth answers, looks into its storage, and believes our
// signature. Once a minute it also looks which plugins there are, and whenever a lookup missed one.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.look(ctx); err != nil {
		return fmt.Errorf("remote: %w", s.hide(probe, err))
	}
	return nil
}

// probe is the token of a session that nobody has. Asking for it is how to learn what Better Auth thinks of us.
const probe = "usher-asks-for-nobody"

var (
	errNotOK = errors.New("what answers there is not Better Auth: store.url must end with its basePath, usually /api/auth")

	errDisbelieved = errors.New("the session cookie that is signed here is not believed by Better Auth: " +
		"better_auth.secret or the cookie's name (better_auth.cookie_prefix, better_auth.secure_cookies) differs from its own, " +
		"or something between takes Set-Cookie out of its answers")

	errRenamed = errors.New("the dont_remember cookie of Better Auth has a name that does not end in dont_remember: " +
		"it cannot be asked about organizations without extending sessions that must not be; " +
		"take advanced.cookies.dont_remember.name out of its options")
)

func (s *Store) look(ctx context.Context) error {
	began := time.Now()
	ok, err := s.get(ctx, "/ok", nil, "")
	if err != nil {
		return err
	}
	body, err := ok.json()
	if err != nil {
		return err
	}
	if f := fieldsOf("/ok", body); !f.flag("ok") || f.err != nil {
		return fmt.Errorf("%s: %w", ok.call, errNotOK)
	}
	cookie := s.sign(probe)
	asked, err := s.get(ctx, "/get-session", unextended(), cookie)
	if err != nil {
		return err
	}
	if body, err = asked.json(); err != nil {
		return err
	}
	if !isNull(body) {
		return fmt.Errorf("%s: there is a session where none can be; something answers in Better Auth's place", asked.call)
	}
	if !asked.cleared(s.cookie) {
		return fmt.Errorf("%s: %w", asked.call, errDisbelieved)
	}
	found := api{}
	for _, name := range asked.forgotten {
		if strings.HasSuffix(name, "dont_remember") && strings.Trim(name, cookieNameBytes) == "" {
			found.dontRemember = name
		}
	}
	if found.dontRemember == "" {
		return fmt.Errorf("%s: %w", asked.call, errRenamed)
	}
	known := s.api.Load()
	if known != nil && known.dontRemember == found.dontRemember && began.UnixNano()-s.looked.Load() < int64(plugins) {
		return nil
	}
	if known == nil {
		known = &found
	}
	if found.organizations, err = s.has(ctx, "/organization/list", cookie, known.organizations); err != nil {
		return err
	}
	if found.organizations {
		if found.teams, err = s.has(ctx, "/organization/list-user-teams", cookie, known.teams); err != nil {
			return err
		}
	}
	s.api.Store(&found)
	s.looked.Store(began.UnixNano())
	return nil
}

// has reports whether there is an endpoint that wants a session. One that there was is gone when Better Auth itself says
// so, without a word: a proxy in the middle of a deployment says 404 and more, and members must not lose their
// organizations over it.
func (s *Store) has(ctx context.Context, path, cookie string, had bool) (bool, error) {
	a, err := s.get(ctx, path, nil, cookie)
	switch {
	case err != nil:
		return false, err
	case a.status == http.StatusUnauthorized:
		return true, nil
	case a.status == http.StatusNotFound && (len(a.body) == 0 || !had):
		return false, nil
	default:
		return false, a.refused()
	}
}

// sign is the Cookie header that makes Better Auth look for this token.
func (s *Store) sign(token string) string { return s.cookie + "=" + betterauth.Sign(s.secret, token) }

// Stats counts the calls under way. Max is how many there may be, and Open is InUse: what is kept open for the next
// call is the transport's affair.
func (s *Store) Stats() store.PoolStats {
	inUse := len(s.slots)
	return store.PoolStats{
		Max: cap(s.slots), Open: inUse, InUse: inUse,
		Waits: s.waits.Load(), Waited: time.Duration(s.waited.Load()),
	}
}

// Close closes every connection, after the calls under way have ended. Lookups fail from then on.
func (s *Store) Close() {
	s.closing.Do(func() {
		close(s.closed)
		for range cap(s.slots) {
			s.slots <- struct{}{}
		}
		for range cap(s.slots) {
			<-s.slots
		}
		if s.own != nil {
			s.own.CloseIdleConnections()
		}
	})
}
