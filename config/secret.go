package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"go.yaml.in/yaml/v4"
)

// redacted stands wherever a secret would.
const redacted = "(redacted)"

// Secret is a value nobody reads by accident: however it is printed, logged or encoded, it shows a placeholder. Reveal
// gives the value. The zero Secret is empty.
type Secret struct {
	value *string // a pointer, so that even fmt on an unexported field of this type shows an address only
	url   bool    // what it prints as is showURL's; false: the placeholder
	from  reference
}

// reference is where a secret is kept, if the configuration only says that.
type reference struct{ kind, name string } // file or env, and which

// NewSecret makes a Secret.
func NewSecret(value string) Secret {
	if value == "" {
		return Secret{}
	}
	return Secret{value: &value}
}

// Reveal gives the value, for what needs it and nothing else.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// IsZero reports whether there is no secret.
func (s Secret) IsZero() bool { return s.value == nil && s.from == reference{} }

// String is a placeholder, or nothing where there is no secret.
func (s Secret) String() string {
	switch {
	case s.IsZero():
		return ""
	case s.url && s.value != nil:
		return showURL(*s.value)
	default:
		return redacted
	}
}

// GoString is for %#v.
func (s Secret) GoString() string { return fmt.Sprintf("%q", s.String()) }

// Format is for every verb of fmt.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// LogValue is for slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is for every encoder that knows text.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is for JSON.
func (s Secret) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// MarshalYAML is for YAML.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// read takes a string, {file: path} or {env: NAME}. What is referred to is read later, once it is known to count.
func (s *Secret) read(d *decoder, n *yaml.Node, path string) {
	const want = "must be a string, {file: /path} or {env: NAME}"
	switch {
	case n.Kind == yaml.ScalarNode:
		if text, ok := d.text(n, path, "a string"); ok {
			*s = NewSecret(text)
		}
	case n.Kind == yaml.MappingNode && len(n.Content) == 2 && n.Content[1].Kind == yaml.ScalarNode && n.Content[1].Value != "":
		kind := n.Content[0].Value
		if kind != "file" && kind != "env" {
			d.at(d.place(n), path, want)
			return
		}
		*s = Secret{from: reference{kind, n.Content[1].Value}}
	default:
		d.at(d.place(n), path, want)
	}
}

// URL is a Secret that shows all of itself but its password and what its query may hide.
type URL struct{ Secret }

// NewURL makes a URL.
func NewURL(value string) URL {
	u := URL{NewSecret(value)}
	u.url = u.value != nil
	return u
}

func (u *URL) read(d *decoder, n *yaml.Node, path string) {
	u.Secret.read(d, n, path)
	if u.value != nil {
		*u = NewURL(*u.value)
	}
}

var (
	urlScheme    = pattern(`^(postgres|postgresql|sqlite|file|rediss?(?:\+(?:sentinel|cluster))?|https?|mysql|mariadb|mssql|libsql)$`)
	urlHosts     = pattern(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])?(:[0-9]{1,5})?(,([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?)*$`)
	urlUser      = pattern(`^[A-Za-z0-9._~-]{1,64}$`)
	plainQueries = pattern(`^(sslmode|search_path|application_name|connect_timeout|target_session_attrs|host|port|user|mode|cache|db|pool_[a-z_]+)$`)
)

// showURL is a URL without its password. It does not parse: what is no proper URL, because nobody escaped the password
// or because it is something else, must show even less of it.
func showURL(raw string) string {
	scheme, rest, ok := strings.Cut(raw, ":")
	if !ok || !urlScheme(scheme) {
		return redacted
	}
	rest, slashes := strings.CutPrefix(rest, "//")
	if !slashes {
		if scheme != "sqlite" && scheme != "file" || strings.Contains(rest, "@") {
			return scheme + ":" + redacted
		}
		path, query, _ := strings.Cut(rest, "?")
		return scheme + ":" + path + showQuery(query)
	}
	shown := scheme + "://"
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, password, both := strings.Cut(rest[:at], ":")
		if user != "" && !urlUser(user) {
			user = redacted
		}
		if shown += user; both && password != "" {
			shown += ":" + redacted
		}
		shown, rest = shown+"@", rest[at+1:]
	}
	rest, query, _ := strings.Cut(rest, "?")
	host, path, slash := strings.Cut(rest, "/")
	if !urlHosts(host) {
		return scheme + "://" + redacted
	}
	if slash {
		path = "/" + path
	}
	return shown + host + path + showQuery(query)
}

func showQuery(query string) string {
	if query == "" {
		return ""
	}
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		if name, _, _ := strings.Cut(pair, "="); !plainQueries(name) {
			pairs[i] = redacted
		}
	}
	return "?" + strings.Join(pairs, "&")
}
