package gate_test

import (
	"net/netip"
	"testing"

	"github.com/usherauth/usher/gate"
)

func TestProxies(t *testing.T) {
	p, err := gate.NewProxies([]string{"10.0.0.0/8", "192.168.1.5", "2001:db8::/32", "::1", "::ffff:172.16.0.0/108", "::ffff:203.0.113.7", "fe80::/10"})
	must(t, err)
	for address, want := range map[string]bool{
		"10.0.0.1": true, "10.255.255.255": true, "11.0.0.1": false, "192.168.1.5": true, "192.168.1.6": false,
		"::ffff:10.0.0.1": true, "::ffff:11.0.0.1": false, // IPv4 seen through an IPv6 socket
		"172.16.3.4": true, "172.32.0.1": false, "::ffff:172.16.3.4": true, "203.0.113.7": true, "203.0.113.8": false,
		"2001:db8::1": true, "2001:db9::1": false, "::1": true, "::2": false, "fe80::1%eth0": true, "127.0.0.1": false,
		"::10.0.0.1": false,
	} {
		if got := p.Trusts(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %v", address, got)
		}
	}
	if p.Trusts(netip.Addr{}) {
		t.Error("an address that is none is trusted")
	}
	var nobody gate.Proxies
	for _, address := range []string{"127.0.0.1", "::1", "10.0.0.1"} {
		if nobody.Trusts(netip.MustParseAddr(address)) {
			t.Errorf("the zero value trusts %s", address)
		}
	}
}

func TestNobodyTrustsEverybody(t *testing.T) {
	for _, entry := range []string{"0.0.0.0/0", "::/0", "10.0.0.0/0", "2001:db8::/0", "::ffff:0.0.0.0/96", "::ffff:1.2.3.4/96", "", "everybody", "10.0.0.0/33", "10.0.0/8", "10.0.0.1:80", "[::1]", "10.0.0.1 ", "*"} {
		if p, err := gate.NewProxies([]string{"127.0.0.1", entry}); err == nil {
			t.Errorf("%q is no problem", entry)
		} else if p.Trusts(netip.MustParseAddr("127.0.0.1")) {
			t.Errorf("%q: beside an error somebody is trusted", entry)
		}
	}
}

func TestClient(t *testing.T) {
	p, err := gate.NewProxies([]string{"10.0.0.0/8", "2001:db8::/32"})
	must(t, err)
	for _, c := range []struct {
		it    string
		lines []string
		peer  string
		want  string
	}{
		{"nobody forwarded", nil, "10.0.0.1", "10.0.0.1"},
		{"one hop", []string{"203.0.113.9"}, "10.0.0.1", "203.0.113.9"},
		{"what stands left was written by the client", []string{"1.1.1.1, 203.0.113.9"}, "10.0.0.1", "203.0.113.9"},
		{"our own are skipped", []string{"1.1.1.1, 203.0.113.9, 10.0.0.2,10.0.0.3"}, "10.0.0.1", "203.0.113.9"},
		{"several lines, the last first", []string{"1.1.1.1", "203.0.113.9", "10.0.0.2"}, "10.0.0.1", "203.0.113.9"},
		{"IPv6", []string{"2001:db9::1, 2001:db8::1"}, "10.0.0.1", "2001:db9::1"},
		{"IPv4 in IPv6", []string{"::ffff:203.0.113.9, ::ffff:10.0.0.9"}, "10.0.0.1", "203.0.113.9"},
		{"only our own", []string{"10.0.0.9"}, "10.0.0.1", "10.0.0.1"},
		{"nonsense at the right end", []string{"203.0.113.9, unknown"}, "10.0.0.1", "10.0.0.1"},
		{"nonsense behind the client", []string{"<script>, 203.0.113.9"}, "10.0.0.1", "203.0.113.9"},
		{"an empty line", []string{""}, "10.0.0.1", "10.0.0.1"},
		{"a comma before", []string{",203.0.113.9"}, "10.0.0.1", "203.0.113.9"},
		{"commas", []string{",,,"}, "10.0.0.1", "10.0.0.1"},
		{"somebody who is no proxy of ours", []string{"1.1.1.1"}, "203.0.113.9", "203.0.113.9"},
	} {
		if got := p.Client(c.lines, netip.MustParseAddr(c.peer)); got != netip.MustParseAddr(c.want) {
			t.Errorf("%s: %s, want %s", c.it, got, c.want)
		}
	}
}
