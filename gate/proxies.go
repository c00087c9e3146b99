package gate

import (
	"fmt"
	"net/netip"
	"strings"
)

// Proxies are the callers that may ask, and say what the original request was. The zero value trusts nobody.
type Proxies struct{ prefixes []netip.Prefix }

// NewProxies reads addresses and prefixes. A prefix of length zero trusts everybody and is refused.
func NewProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, entry := range list {
		prefix, err := netip.ParsePrefix(entry)
		if err != nil {
			address, err := netip.ParseAddr(entry)
			if err != nil {
				return Proxies{}, fmt.Errorf("%q: write an address or a prefix such as 10.0.0.0/8", entry)
			}
			prefix = netip.PrefixFrom(address, address.BitLen())
		}
		if address := prefix.Addr(); address.Is4In6() && prefix.Bits() >= 96 { // Trusts unmaps what it compares
			prefix = netip.PrefixFrom(address.Unmap(), prefix.Bits()-96)
		}
		if prefix.Bits() == 0 {
			return Proxies{}, fmt.Errorf("%q trusts everybody, so anybody could choose who they are; name your proxies", entry)
		}
		p.prefixes = append(p.prefixes, prefix.Masked())
	}
	return p, nil
}

// Trusts reports whether the address may ask.
func (p Proxies) Trusts(address netip.Addr) bool {
	address = address.Unmap().WithZone("")
	for _, prefix := range p.prefixes {
		if prefix.Contains(address) {
			return true
		}
	}
	return false
}

// Client is the rightmost address of the X-Forwarded-For lines that is not one of ours, else the peer: whatever stands
// left of it was written by the client, and so was all of it where the peer is not one of ours. Only logs use it.
func (p Proxies) Client(forwardedFor []string, peer netip.Addr) netip.Addr {
	if !p.Trusts(peer) {
		return peer
	}
	for i := len(forwardedFor) - 1; i >= 0; i-- {
		rest := forwardedFor[i]
		for rest != "" {
			var last string
			if comma := strings.LastIndexByte(rest, ','); comma >= 0 {
				rest, last = rest[:comma], rest[comma+1:]
			} else {
				rest, last = "", rest
			}
			address, err := netip.ParseAddr(strings.TrimSpace(last))
			if err != nil {
				return peer
			}
			if !p.Trusts(address) {
				return address.Unmap().WithZone("")
			}
		}
	}
	return peer
}
