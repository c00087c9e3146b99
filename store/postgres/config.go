package postgres

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Config says which database, and how its tables are called.
type Config struct {
	URL      string            // postgres://user:password@host:5432/database; pgx's parameters work
	Tables   betterauth.Tables // zero: Better Auth's own names
	MaxConns int               // zero: the URL's pool_max_conns, else 8

	// WithoutSessions says that Better Auth keeps its sessions elsewhere, in Redis: none is looked for here, and the
	// session table need not exist.
	WithoutSessions bool
}

const (
	// connectTimeout leaves room within the 1.5 s that a gate gives a lookup. A longer one in the URL is shortened: a
	// connection that is still being made would only keep others from being tried.
	connectTimeout = 1250 * time.Millisecond

	// operatorTimeout is for those who look at the schema or change it: nobody's request waits for them.
	operatorTimeout = 10 * time.Second

	// idleTimeout is shorter than what load balancers and NAT forget connections after (Azure: 4 minutes).
	idleTimeout = 2 * time.Minute

	readOnly = "default_transaction_read_only"
)

// errURL says nothing of the URL, of which the password is a part.
var errURL = errors.New("the URL cannot be read (it is not shown, for it may hold a password): " +
	"write postgres://user:password@host:5432/database, with @ : / ? # % in the password percent-encoded")

// pool turns the configuration into pgx's.
func (c Config) pool() (*pgxpool.Config, error) {
	if err := checkURL(c.URL); err != nil {
		return nil, &store.UnusableError{Err: err}
	}
	config, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		var parse *pgconn.ParseConfigError
		if cause := errors.Unwrap(err); errors.As(err, &parse) && cause != nil && !mentions(cause.Error(), c.URL) {
			err := fmt.Errorf("the URL cannot be used: %s", cause)
			if errors.Is(cause, fs.ErrNotExist) || errors.Is(cause, fs.ErrPermission) {
				return nil, err // a certificate that may come
			}
			return nil, &store.UnusableError{Err: err}
		}
		return nil, &store.UnusableError{Err: errURL}
	}
	switch {
	case c.MaxConns > 0:
		config.MaxConns = int32(min(c.MaxConns, 1000))
	case !strings.Contains(c.URL, "pool_max_conns="):
		config.MaxConns = 8
	}
	if !strings.Contains(c.URL, "pool_max_conn_idle_time=") {
		config.MaxConnIdleTime = idleTimeout
	}
	// A dead connection is noticed by the lookup itself, which then takes another.
	config.ShouldPing = func(context.Context, pgxpool.ShouldPingParams) bool { return false }

	conn := config.ConnConfig
	if conn.ConnectTimeout <= 0 || conn.ConnectTimeout > connectTimeout {
		conn.ConnectTimeout = connectTimeout
	}
	conn.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3,
	}}).DialContext
	for name, value := range map[string]string{"application_name": "usher", "client_encoding": "UTF8", "datestyle": "ISO"} {
		if conn.RuntimeParams[name] == "" {
			conn.RuntimeParams[name] = value // poolers know these
		}
	}
	// target_session_attrs=read-write asks the server whether it is read-only, and it would be.
	if conn.ValidateConnect == nil && conn.RuntimeParams[readOnly] == "" {
		conn.RuntimeParams[readOnly] = "on"
	}
	return config, nil
}

// checkURL refuses URLs whose parts are ambiguous: pgx would take a piece of the password for a host or a database, and
// its errors name those.
func checkURL(url string) error {
	rest, ok := strings.CutPrefix(url, "postgres://")
	if !ok {
		if rest, ok = strings.CutPrefix(url, "postgresql://"); !ok {
			return errURL
		}
	}
	authority := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority = rest[:i]
	}
	if strings.Count(rest, "@") != strings.Count(authority, "@") || strings.Count(rest, "@") > 1 || strings.Contains(rest, "#") {
		return errURL
	}
	_, hosts, found := strings.Cut(authority, "@")
	if !found {
		hosts = authority
	}
	for host := range strings.SplitSeq(hosts, ",") {
		if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') && strings.Trim(host[i+1:], "0123456789") != "" {
			return errURL
		}
	}
	return nil
}

// mentions reports whether a text may quote the URL's password.
func mentions(text, url string) bool {
	_, rest, _ := strings.Cut(url, "://")
	userinfo, _, found := strings.Cut(rest, "@")
	if _, password, ok := strings.Cut(userinfo, ":"); found && ok && password != "" && strings.Contains(text, password) {
		return true
	}
	return strings.Contains(text, "assword") || strings.Contains(text, "://")
}
