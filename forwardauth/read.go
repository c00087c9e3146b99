package forwardauth

import (
	"net/http"
	"strings"

	"github.com/usherauth/usher/gate"
)

const (
	longestHead = 32 << 10 // of a request that Answer reads; a longer one is left to net/http
	mostLines   = 256      // the same

	longestMethod = 20 // the same; UPDATEREDIRECTREF is the longest that is registered
)

// read takes a question apart that is written in the one way that proxies write it: HTTP/1.1, one Host, no body, a
// connection that stays open, CR LF. It is given all up to the empty line, without it. Of anything else,
// right or wrong, it says false, and net/http decides what it is. So nothing is read here that net/http would read in another
// way, which is what FuzzAnswer asks of it.
func (q *question) read(head string) bool {
	line, rest, _ := strings.Cut(head, "\r\n")
	method, line, _ := strings.Cut(line, " ")
	target, version, _ := strings.Cut(line, " ")
	if version != "HTTP/1.1" || !plainMethod(method) || !plainTarget(target) {
		return false
	}
	q.method, q.target = method, target
	for rest != "" {
		line, rest, _ = strings.Cut(rest, "\r\n")
		name, value, ok := strings.Cut(line, ":")
		if !ok || !token(name) || len(q.lines) == mostLines {
			return false
		}
		value = strings.Trim(value, " \t")
		if !visible(value) || !q.header(name, value) {
			return false
		}
	}
	return q.host != ""
}

// header takes one header. It says no to those that change what a request or a connection is.
func (q *question) header(name, value string) bool {
	switch {
	case strings.EqualFold(name, "Host"):
		if q.host != "" || !plainHost(value) {
			return false
		}
		q.host = value
		return true // net/http takes it out of the headers
	case strings.EqualFold(name, "Content-Length"):
		if value != "0" || len(q.values(nil, name)) > 0 { // Envoy says 0 of every check
			return false
		}
	case strings.EqualFold(name, "Connection"):
		if strings.Contains(strings.ToLower(value), "close") {
			return false
		}
	case strings.EqualFold(name, "Expect"):
		if !strings.EqualFold(value, "100-continue") { // this is a client's, said on; it means nothing without a body
			return false
		}
	case strings.EqualFold(name, "Trailer"), strings.EqualFold(name, "Transfer-Encoding"):
		return false
	}
	q.lines = append(q.lines, gate.Header{Name: name, Value: value})
	return true
}

// plainMethod leaves out CONNECT, whose target is another thing. Envoy asks with the client's method, whatever that is.
func plainMethod(method string) bool {
	return method != http.MethodConnect && len(method) <= longestMethod && token(method)
}

// plainTarget reports whether this is a check's target, and one that net/url can parse: a path may have anything that can
// be seen, but not a % that begins no two digits.
func plainTarget(target string) bool {
	if !strings.HasPrefix(target, prefix) || !visible(target) || strings.IndexByte(target, '\t') >= 0 { // no space gets here
		return false
	}
	path, _, _ := strings.Cut(target, "?")
	for {
		_, after, found := strings.Cut(path, "%")
		if !found {
			return true
		}
		if len(after) < 2 || !hex(after[0]) || !hex(after[1]) {
			return false
		}
		path = after
	}
}

// plainHost reports whether this is a name or an address, with or without a port, as they are usually written.
func plainHost(host string) bool {
	for i := range len(host) {
		if class[host[i]]&inHost == 0 {
			return false
		}
	}
	return host != ""
}

// token reports whether this is a method, or a header's name: RFC 9110, section 5.6.2.
func token(name string) bool {
	for i := range len(name) {
		if class[name[i]]&inToken == 0 {
			return false
		}
	}
	return name != ""
}

// visible reports whether there is no control character but the tab.
func visible(value string) bool {
	for i := range len(value) {
		if class[value[i]]&inValue == 0 {
			return false
		}
	}
	return true
}

func hex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// Where a character may stand.
const (
	inToken = 1 << iota
	inValue
	inHost
)

var class = func() (table [256]byte) {
	for i := range table {
		c := byte(i)
		if c >= 0x20 && c != 0x7f || c == '\t' {
			table[i] |= inValue
		}
		alnum := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
		if alnum || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 {
			table[i] |= inToken
		}
		if alnum || strings.IndexByte("-._:[]", c) >= 0 {
			table[i] |= inHost
		}
	}
	return table
}()
