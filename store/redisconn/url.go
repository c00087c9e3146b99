package redisconn

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/store"
)

// Forms are the URLs that Open and Check understand, for help and documentation.
//
// Those with rediss are the same over TLS. They take ?ca=FILE (certificates to trust instead of the system's), cert=FILE
// and key=FILE (a client's certificate) and server_name=NAME (the name to look for in the server's certificate, where
// Sentinel or Cluster announce addresses). There is no way to turn verification off. Those with +sentinel take
// sentinel_username and sentinel_password, for Sentinels that ask for their own.
const Forms = `redis://[[user]:password@]host[:6379][/database]
rediss://[[user]:password@]host[:6379][/database][?ca=FILE]
redis+sentinel://[[user]:password@]host[:26379],host…/master[/database][?sentinel_password=…]
redis+cluster://[[user]:password@]host[:6379],host…`

// kind is what answers at the URL's hosts.
type kind uint8

const (
	server kind = iota
	sentinel
	cluster
)

// target is a URL, read.
type target struct {
	kind     kind
	tls      bool
	hosts    []string // host:port
	user     string
	password string
	master   string // of Sentinel
	database int

	sentinelUser     string
	sentinelPassword string

	ca         string // files
	cert, key  string
	serverName string
}

var schemes = map[string]target{
	"redis":           {kind: server},
	"rediss":          {kind: server, tls: true},
	"redis+sentinel":  {kind: sentinel},
	"rediss+sentinel": {kind: sentinel, tls: true},
	"redis+cluster":   {kind: cluster},
	"rediss+cluster":  {kind: cluster, tls: true},
}

// Handles reports whether a URL's scheme is one of Redis'.
func Handles(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	_, known := schemes[strings.ToLower(scheme)]
	return found && known
}

// Check reports what is wrong with a URL, without connecting or reading files. The error says what to write and quotes
// nothing of the URL, of which a password is a part.
func Check(text string) error {
	_, err := parse(text)
	return err
}

// parse is not net/url's: that reads no list of hosts, and its errors quote what they refuse.
func parse(text string) (target, error) {
	scheme, rest, found := strings.Cut(text, "://")
	t, known := schemes[strings.ToLower(scheme)]
	if !found || !known {
		return target{}, refuse("write redis://host:6379, rediss://… for TLS, redis+sentinel://host:26379,host:26379/master " +
			"or redis+cluster://host:6379,host:6379")
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return target{}, refuse("there is a space or a control character in it")
	}
	if strings.ContainsRune(rest, '#') {
		return target{}, refuse("there is a # in it: in a password, write " + escapes)
	}
	authority, path, query := rest, "", ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority, path = rest[:i], rest[i:]
	}
	path, query, _ = strings.Cut(path, "?")
	if strings.ContainsRune(path, '@') || strings.ContainsRune(query, '@') && !strings.ContainsRune(authority, '@') {
		return target{}, refuse("there is an @ behind the host: in a password, write " + escapes)
	}
	if err := t.readAuthority(authority); err != nil {
		return target{}, err
	}
	if err := t.readPath(path); err != nil {
		return target{}, err
	}
	if err := t.readQuery(query); err != nil {
		return target{}, err
	}
	return t, nil
}

const escapes = "@ as %40, : as %3A, / as %2F, ? as %3F, # as %23 and % as %25"

func refuse(what string) error {
	return &store.UnusableError{Err: errors.New("the URL cannot be used (it is not shown, for it may hold a password): " + what)}
}

func (t *target) readAuthority(authority string) error {
	hosts := authority
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, password, colon := strings.Cut(authority[:i], ":")
		var err, err2 error
		t.user, err = url.PathUnescape(user)
		t.password, err2 = url.PathUnescape(password)
		if err != nil || err2 != nil {
			return refuse("a % in the user's name or the password begins no escape: write " + escapes)
		}
		if !colon || t.password == "" {
			return refuse("there is no password before the @: write redis://user:password@host or, for the default user, redis://:password@host")
		}
		hosts = authority[i+1:]
	}
	port := "6379"
	if t.kind == sentinel {
		port = "26379"
	}
	for host := range strings.SplitSeq(hosts, ",") {
		address, err := withPort(host, port)
		if err != nil {
			return err
		}
		t.hosts = append(t.hosts, address)
	}
	if t.kind == server && len(t.hosts) > 1 {
		return refuse("several hosts: write redis+cluster://host,host for a Cluster, redis+sentinel://host,host/master for Sentinels")
	}
	return nil
}

func withPort(host, port string) (string, error) {
	name := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", refuse("a port is a number from 1 to 65535; if this is a piece of a password, write " + escapes)
		}
	}
	if inner, ok := strings.CutPrefix(name, "["); ok {
		name, ok = strings.CutSuffix(inner, "]")
		if address, _, _ := strings.Cut(name, "%"); !ok || net.ParseIP(address) == nil {
			return "", refuse("an IPv6 address is written [::1]:6379")
		}
	} else if strings.ContainsAny(name, ":[]%@") {
		return "", refuse("a host is a name or an address, an IPv6 address in brackets: [::1]:6379")
	}
	if name == "" {
		return "", refuse("a host is missing: write redis://host:6379")
	}
	return net.JoinHostPort(name, port), nil
}

func (t *target) readPath(path string) error {
	path = strings.TrimPrefix(path, "/")
	if t.kind == sentinel {
		master, rest, _ := strings.Cut(path, "/")
		name, err := url.PathUnescape(master)
		if name == "" || err != nil {
			return refuse("the name of the master is missing: write redis+sentinel://host:26379,host:26379/mymaster")
		}
		t.master, path = name, rest
	}
	if path == "" {
		return nil
	}
	n, err := strconv.ParseUint(path, 10, 16)
	if err != nil {
		return refuse("the database is a number, as in redis://host:6379/0")
	}
	if t.kind == cluster && n != 0 {
		return refuse("a Cluster has only database 0: leave the number out")
	}
	t.database = int(n)
	return nil
}

func (t *target) readQuery(query string) error {
	if query == "" {
		return nil
	}
	parameters := map[string]*string{}
	if t.tls {
		parameters["ca"], parameters["cert"], parameters["key"], parameters["server_name"] = &t.ca, &t.cert, &t.key, &t.serverName
	}
	if t.kind == sentinel {
		parameters["sentinel_username"], parameters["sentinel_password"] = &t.sentinelUser, &t.sentinelPassword
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return refuse("what follows the ? cannot be read: write name=value&name=value, with " + escapes)
	}
	for name, value := range values {
		to := parameters[name]
		if to == nil {
			if len(parameters) == 0 {
				return refuse("nothing may follow a ? here; ca, cert, key and server_name belong to rediss://, sentinel_password to redis+sentinel://; in a password, write ? as %3F")
			}
			return refuse("after the ? only these may stand here: " + strings.Join(names(parameters), ", "))
		}
		if len(value) != 1 || value[0] == "" {
			return refuse("a parameter after the ? has no value, or several")
		}
		*to = value[0]
	}
	if (t.cert == "") != (t.key == "") {
		return refuse("cert and key belong together: the client's certificate and its private key")
	}
	if t.sentinelUser != "" && t.sentinelPassword == "" {
		return refuse("sentinel_username needs sentinel_password")
	}
	return nil
}

func names(parameters map[string]*string) []string {
	list := make([]string, 0, len(parameters))
	for name := range parameters {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
