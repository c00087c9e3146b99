package gate

import (
	"net/netip"
	"strings"
)

// host canonicalises an authority for comparison: lower case, without port and trailing dot. Two hosts, user
// information, or anything no host name holds is ambiguous: Envoy joins two Host lines to "a,b".
func host(authority string) (string, Reason) {
	name, _, ok := splitAuthority(authority)
	if !ok {
		return "", AmbiguousRequest
	}
	return name, ""
}

// splitAuthority takes host[:port] apart. The name is lower-cased and loses one trailing dot; an IPv6 address is written
// as netip writes it, because it has many spellings.
func splitAuthority(authority string) (name, port string, ok bool) {
	if authority == "" || len(authority) > 255+6 {
		return "", "", false
	}
	name = authority
	if authority[0] == '[' {
		end := strings.IndexByte(authority, ']')
		if end < 0 {
			return "", "", false
		}
		address, err := netip.ParseAddr(authority[1:end])
		if err != nil || !address.Is6() || address.Zone() != "" {
			return "", "", false
		}
		name, port = "["+address.String()+"]", authority[end+1:]
		if port != "" && port[0] != ':' {
			return "", "", false
		}
	} else {
		if colon := strings.IndexByte(authority, ':'); colon >= 0 {
			name, port = authority[:colon], authority[colon:]
		}
		name = strings.TrimSuffix(name, ".")
		if name == "" || name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, "..") {
			return "", "", false
		}
		for i := range len(name) {
			if c := name[i]; !isAlnum(c) && c != '-' && c != '.' && c != '_' {
				return "", "", false
			}
		}
	}
	if port != "" {
		if port = port[1:]; port == "" || len(port) > 5 {
			return "", "", false
		}
		for i := range len(port) {
			if port[i] < '0' || port[i] > '9' {
				return "", "", false
			}
		}
	}
	return strings.ToLower(name), port, true
}
