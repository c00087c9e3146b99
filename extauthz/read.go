package extauthz

import (
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/usherauth/usher/gate"
)

// Field numbers of go-control-plane/envoy v1.40.0; TestFieldNumbers compares them with the generated descriptors.
const (
	checkAttributes     protowire.Number = 1 // CheckRequest.attributes
	attributeSource     protowire.Number = 1 // AttributeContext.source, a Peer
	attributeRequest    protowire.Number = 4 // AttributeContext.request
	attributeExtensions protowire.Number = 10
	peerAddress         protowire.Number = 1 // Peer.address
	peerPrincipal       protowire.Number = 4 // Peer.principal
	addressSocket       protowire.Number = 1 // Address.socket_address
	socketAddress       protowire.Number = 2 // SocketAddress.address
	requestHTTP         protowire.Number = 2 // AttributeContext.Request.http
	httpMethod          protowire.Number = 2
	httpHeaders         protowire.Number = 3 // map<string, string>
	httpPath            protowire.Number = 4
	httpHost            protowire.Number = 5
	httpScheme          protowire.Number = 6
	httpHeaderMap       protowire.Number = 13 // HeaderMap
	headerMapHeaders    protowire.Number = 1  // repeated HeaderValue
	entryKey            protowire.Number = 1  // of a map entry and of a HeaderValue
	entryValue          protowire.Number = 2
	headerRawValue      protowire.Number = 3 // HeaderValue.raw_value
)

// message is a CheckRequest being read.
type message struct {
	headers *gate.Headers
	q       *gate.Request

	// What the request says of itself among its headers. Envoy makes both from the same place, so a difference means
	// that somebody else wrote one of them.
	method, path, host, scheme string

	mapped, listed bool     // headers came in the map, in the list
	external       string   // x-envoy-external-address
	forwardedFor   []string // x-forwarded-for, as received
	source         string   // the connection-level peer of the proxy
}

// reset makes m the zero message; the memory of its list stays.
func (m *message) reset() {
	clear(m.forwardedFor)
	chain := m.forwardedFor[:0]
	*m = message{}
	m.forwardedFor = chain
}

// read fills the request of an exchange from its question, which came from the proxy at the address asker. A message that
// has no single meaning is refused in the request; one that cannot be read to its end is reported, because then there may
// be headers nobody saw.
func (s *Server) read(x *exchange, asker netip.Addr) (whole bool) {
	m, q := &x.message, &x.request
	m.headers, m.q = s.headers, q
	if !each(string(x.asked), m.check) || slices.ContainsFunc(q.Aliases, unspeakable) {
		q.Refuse(gate.AmbiguousRequest)
		return false
	}
	if m.mapped && m.listed || differs(m.method, q.Method) || differs(m.path, q.Target) || differs(m.host, q.Host) ||
		differs(m.scheme, q.Scheme) { // what is missing altogether, the gate refuses
		q.Refuse(gate.AmbiguousRequest)
	}
	q.Client = m.client(s.proxies, asker)
	return true
}

// unspeakable reports a name that headers_to_remove cannot hold. No HTTP header has one.
func unspeakable(name string) bool { return !utf8.ValidString(name) }

func differs(said, is string) bool { return said != "" && said != is }

func (m *message) check(f field) bool {
	return f.number != checkAttributes || each(f.value, m.attributes)
}

func (m *message) attributes(f field) bool {
	switch f.number {
	case attributeSource:
		return each(f.value, m.peer)
	case attributeRequest:
		return each(f.value, m.request)
	case attributeExtensions:
		return m.extension(f.value)
	}
	return true
}

// peer reads who is at the other end of Envoy's connection: its address, and the first name of its certificate, a URI
// if there is one. Envoy makes both itself, of no header.
func (m *message) peer(f field) bool {
	if f.number == peerPrincipal {
		m.q.SPIFFE = f.value
		return true
	}
	return f.number != peerAddress || each(f.value, func(f field) bool {
		return f.number != addressSocket || each(f.value, func(f field) bool {
			if f.number == socketAddress {
				m.source = f.value
			}
			return true
		})
	})
}

func (m *message) request(f field) bool {
	return f.number != requestHTTP || each(f.value, m.http)
}

func (m *message) http(f field) bool {
	switch f.number {
	case httpMethod:
		m.q.Method = f.value
	case httpPath:
		m.q.Target = f.value
	case httpHost:
		m.q.Host = f.value
	case httpScheme:
		m.q.Scheme = f.value
	case httpHeaders:
		m.mapped = true
		return m.header(f.value)
	case httpHeaderMap:
		return m.list(f.value)
	}
	return true
}

// list reads a HeaderMap: a loop without a call in between, because it is most of a message.
func (m *message) list(encoded string) bool {
	for encoded != "" {
		f, rest, ok := cut(encoded)
		if !ok {
			return false
		}
		if encoded = rest; f.number == headerMapHeaders {
			m.listed = true
			if !m.header(f.value) {
				return false
			}
		}
	}
	return true
}

// entry reads a map entry or a HeaderValue: the first two fields are the same, and a map entry has no third.
func entry(encoded string) (name, value, raw string, ok bool) {
	// Nearly all of them: a short name, and the raw form of a short value.
	const nameTag, rawTag = byte(entryKey)<<3 | byte(protowire.BytesType), byte(headerRawValue)<<3 | byte(protowire.BytesType)
	if len(encoded) >= 4 && encoded[0] == nameTag {
		if end := 2 + int(encoded[1]); end+2 <= len(encoded) && end < 0x82 && encoded[end] == rawTag && end+2+int(encoded[end+1]) == len(encoded) &&
			encoded[end+1] < 0x80 {
			return encoded[2:end], "", encoded[end+2:], true
		}
	}
	for encoded != "" {
		var f field
		if f, encoded, ok = cut(encoded); !ok {
			return "", "", "", false
		}
		switch f.number {
		case entryKey:
			name = f.value
		case entryValue:
			value = f.value
		case headerRawValue:
			raw = f.value
		}
	}
	return name, value, raw, true
}

func (m *message) header(encoded string) bool {
	name, value, raw, ok := entry(encoded)
	if !ok {
		return false
	}
	if raw != "" {
		if differs(value, raw) {
			m.q.Refuse(gate.AmbiguousRequest)
		}
		value = raw
	}
	switch name {
	case ":method":
		m.say(&m.method, value)
	case ":path":
		m.say(&m.path, value)
	case ":authority", "host":
		m.say(&m.host, value)
	case ":scheme":
		m.say(&m.scheme, value)
	case "x-envoy-external-address":
		m.external = value
	case "x-forwarded-for":
		m.forwardedFor = append(m.forwardedFor, value)
	default:
		if name != "" && name[0] != ':' {
			m.headers.Collect(m.q, name, value)
		}
	}
	return true
}

// say notes what the request says of itself, once.
func (m *message) say(what *string, value string) {
	if differs(*what, value) {
		m.q.Refuse(gate.AmbiguousRequest)
	}
	*what = value
}

// extension finds the rule that the proxy's configuration picked: context_extensions is never client data.
func (m *message) extension(encoded string) bool {
	name, value, _, whole := entry(encoded)
	if name == "rule" {
		if m.q.Rule = value; value == "" { // somebody meant a rule; the first match need not be it
			m.q.Refuse(gate.UnknownRule)
		}
	}
	return whole
}

// client is who sent the request, for logs: what Envoy found out, else the last stranger in the chain of proxies, else
// the peer of Envoy's connection, else Envoy.
func (m *message) client(proxies gate.Proxies, asker netip.Addr) netip.Addr {
	if address, err := netip.ParseAddr(strings.TrimSpace(m.external)); err == nil {
		return address.Unmap().WithZone("")
	}
	if source, err := netip.ParseAddr(m.source); err == nil {
		asker = source.Unmap().WithZone("")
	}
	return proxies.Client(m.forwardedFor, asker)
}
