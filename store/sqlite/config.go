package sqlite

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/store"
)

// Config says which database, and how its tables are called.
type Config struct {
	URL      string            // sqlite:///absolute/path.db, sqlite:relative.db, or file: instead of sqlite:
	Tables   betterauth.Tables // zero: Better Auth's own names
	MaxConns int               // zero: 4

	// WithoutSessions says that Better Auth keeps its sessions elsewhere, in Redis: none is looked for here, and the
	// session table need not exist.
	WithoutSessions bool
}

var errURL = errors.New("write store.url as sqlite:///absolute/path.db or sqlite:relative/path.db")

// path is the absolute path of the file, so that a later change of directory means nothing.
func (c Config) path() (string, error) {
	name, err := c.name()
	if err != nil {
		return "", &store.UnusableError{Err: err}
	}
	return filepath.Abs(name)
}

func (c Config) name() (string, error) {
	rest, ok := strings.CutPrefix(c.URL, "sqlite:")
	if !ok {
		if rest, ok = strings.CutPrefix(c.URL, "file:"); !ok {
			return "", errURL
		}
	}
	if c.Tables.Schema != "" {
		return "", errors.New("better_auth.tables.schema is for PostgreSQL; SQLite has no schemas")
	}
	name, parameters, _ := strings.Cut(rest, "?")
	if parameters != "" {
		return "", fmt.Errorf("store.url: take %q away: the connection's parameters are Usher's own", "?"+parameters)
	}
	if after, found := strings.CutPrefix(name, "//"); found {
		if !strings.HasPrefix(after, "/") {
			return "", fmt.Errorf("%w; after // comes a host", errURL)
		}
		name = after
	}
	name, err := url.PathUnescape(name)
	switch {
	case err != nil:
		return "", fmt.Errorf("store.url: %w", err)
	case name == "" || name == ":memory:" || strings.HasSuffix(name, "/"):
		return "", fmt.Errorf("%w; a database in memory could not be shared with Better Auth", errURL)
	case strings.IndexByte(name, 0) >= 0:
		return "", errURL
	}
	return name, nil
}

// file looks at the file without opening it: closing it again would drop the locks of every connection in this process.
func file(path string) (os.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil, fmt.Errorf("there is no file %s: check store.url, or make it with `usher schema apply`", path)
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &store.UnusableError{Err: fmt.Errorf("%s is not a file", path)}
	}
	return info, nil
}

// dsn is the driver's form. Quoted names are never taken for texts.
func dsn(path, mode string, pragmas ...string) string {
	parameters := url.Values{"mode": {mode}, "_dqs": {"0"}, "_pragma": pragmas}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + parameters.Encode()
}
