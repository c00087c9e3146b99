package proxy

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/gate"
)

// site is what templates see: Params after every value was parsed. Nothing in it has a character that any of the
// configuration languages gives a meaning to, so templates need not quote.
type site struct {
	Listen   address
	Upstream address
	Gate     address
	GRPC     bool
	Origin   string // https://app.example.com without a default port; empty: none fixed
	Scheme   string // of Origin
	Host     string // of Origin, with its port if it has one
	At       string // "@" and the rule, or nothing: what follows /gate/NAME
	Rule     string
	Cookies  []string
	API      string   // path of the companion's API; empty: there is no companion
	Pages    address  // where the companion is, which speaks HTTP
	Remove   []string // further headers the gate removes
	Names    []string // every identity header as it is spelled, the organization header included
	Org      string   // the header a client may ask for an organization with, as spelled; empty: none
	User     string   // the header an internal caller names a user with, as spelled; empty: there is no caller
}

// Others are the identity headers that are no question: a client has no reason to send one.
func (s *site) Others() []string {
	return slices.DeleteFunc(slices.Clone(s.Names), func(name string) bool { return name == s.Org || name == s.User })
}

// ServiceTokens is the regular expression of an Authorization that no backend may see.
func (s *site) ServiceTokens() string { return gate.ServiceTokens }

// address is host:port.
type address struct {
	Host string // a name, an IPv4 address, or an IPv6 address without brackets; of a listener empty for all
	Port string
}

func (a address) String() string { return net.JoinHostPort(a.Host, a.Port) }

// IP reports whether the host is an address, which needs no resolver.
func (a address) IP() bool {
	_, err := netip.ParseAddr(a.Host)
	return err == nil
}

// Service and Namespace take a Kubernetes name apart: usher.auth.svc.cluster.local. Without a namespace it is the
// resource's own.
func (a address) Service() string { name, _, _ := strings.Cut(a.Host, "."); return name }

// FQDN is the name as the cluster's DNS has it.
func (a address) FQDN() string { return a.Service() + "." + a.Namespace() + ".svc.cluster.local" }

// Namespace is empty where the name has none.
func (a address) Namespace() string {
	_, rest, _ := strings.Cut(a.Host, ".")
	namespace, _, _ := strings.Cut(rest, ".")
	return namespace
}

const (
	defaultListen   = ":8080"
	defaultUpstream = "127.0.0.1:3000"
	defaultHTTP     = ":4480"
	defaultGRPC     = ":4481"
)

// newSite parses p for one proxy. It refuses more than the configuration languages would, because a value that means
// something in one of them (a quote, a brace, a blank) could end a directive and begin another.
func newSite(f family, p Params) (*site, error) {
	var problems []error
	complain := func(flag, value, want string) {
		problems = append(problems, fmt.Errorf("%s %q: want %s", flag, value, want))
	}
	s := &site{}
	var ok bool
	listen, upstream, mode := or(p.Listen, defaultListen), or(p.Upstream, defaultUpstream), or(p.Mode, f.modes[0])
	if s.Listen, ok = parseListen(listen); !ok {
		complain("-listen", listen, ":PORT or IP:PORT")
	}
	if s.Upstream, ok = parseAddress(upstream); !ok {
		complain("-upstream", upstream, "HOST:PORT")
	}
	if !slices.Contains(f.modes, mode) {
		complain("-mode", mode, strings.Join(f.modes, " or ")+", with "+f.Name)
	}
	s.GRPC = mode == "grpc"
	usher := or(p.Gate, gateOf(p, s.GRPC, f.kubernetes))
	if s.Gate, ok = parseAddress(usher); !ok {
		complain("-gate", usher, "HOST:PORT")
	} else if f.kubernetes && (s.Gate.IP() || s.Gate.Namespace() == "" || strings.Contains(s.Gate.Host, "_")) {
		complain("-gate", usher, "a Service, NAME.NAMESPACE:PORT, with "+f.Name)
	}
	if f.kubernetes && (s.Upstream.IP() || s.Upstream.Host == "localhost" || strings.Contains(s.Upstream.Host, "_")) {
		s.Upstream.Host = "app" // the flag's default means nothing in a cluster
	}
	if p.Public != "" && !s.public(p.Public) {
		complain("-public", p.Public, "an origin, https://app.example.com")
	}
	if s.Rule = p.Rule; s.Rule != "" {
		s.At = "@" + s.Rule
		if !plain(s.Rule, "-_") {
			complain("rule", s.Rule, "letters, digits, - and _")
		}
	}
	s.Cookies = p.Cookies
	for _, name := range p.Cookies {
		if !plain(name, "-_.") {
			complain("cookie", name, "letters, digits, -, _ and .")
		}
	}
	if s.API = p.API; s.API != "" {
		if s.API[0] != '/' || !plain(s.API[1:], "/-_.") || strings.HasSuffix(s.API, "/") || strings.Contains(s.API, "//") {
			complain("path of better_auth.url", s.API, "a path like /api/auth")
		}
		s.Pages = pagesAt(s.Gate, p.HTTPListen)
	}
	s.Remove = p.Remove
	for _, name := range p.Remove {
		if !plain(name, "-_") {
			complain("headers.remove", name, "letters, digits, - and _")
		}
	}
	if err := s.name(p.Headers, p.Callers); err != nil {
		problems = append(problems, err)
	}
	if f.check != nil {
		if err := f.check(s); err != nil {
			problems = append(problems, err)
		}
	}
	return s, errors.Join(problems...)
}

// SiteOrigin is what browsers see, or a stand-in for the user to replace.
func (s *site) SiteOrigin() string { return or(s.Origin, "https://app.example.com") }

// HostName is the host of SiteOrigin, without its port.
func (s *site) HostName() string {
	_, host, _ := strings.Cut(s.SiteOrigin(), "://")
	name, _, _ := strings.Cut(host, ":") // on Kubernetes no route has an IPv6 address for a name
	return name
}

func or(value, otherwise string) string {
	if value != "" {
		return value
	}
	return otherwise
}

// gateOf is where Usher is if nobody says: on this machine, at the port of its configuration.
func gateOf(p Params, grpc, kubernetes bool) string {
	listen := or(p.HTTPListen, defaultHTTP)
	if grpc {
		listen = or(p.GRPCListen, defaultGRPC)
	}
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if kubernetes {
		return net.JoinHostPort("usher.usher.svc.cluster.local", port)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}

// pagesAt is where the companion is: on the host of the gate, at the port of listen.http, whatever the gate is asked by.
func pagesAt(gate address, listen string) address {
	_, port, err := net.SplitHostPort(or(listen, defaultHTTP))
	if err != nil {
		return gate
	}
	return address{Host: gate.Host, Port: port}
}

func parseListen(s string) (address, bool) {
	a, ok := split(s)
	if a.Host == "" || !ok {
		return a, ok
	}
	ip, err := netip.ParseAddr(a.Host)
	return a, err == nil && ip.Zone() == ""
}

func parseAddress(s string) (address, bool) {
	a, ok := split(s)
	if !ok || a.Host == "" {
		return a, false
	}
	if ip, err := netip.ParseAddr(a.Host); err == nil {
		return a, ip.Zone() == "" && !ip.IsUnspecified()
	}
	return a, hostName(a.Host)
}

func split(s string) (address, bool) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return address{}, false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return address{Host: host, Port: strconv.FormatUint(n, 10)}, err == nil && n > 0
}

// hostName accepts DNS names, and the _ that Docker's have.
func hostName(s string) bool {
	return len(s) <= 253 && plain(s, "-_.") && !strings.Contains(s, "..") && !strings.ContainsAny(s[:1]+s[len(s)-1:], "-.")
}

// plain reports whether s is made of letters, digits and these others, and not empty.
func plain(s, others string) bool {
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return s != ""
}

// public parses the origin that browsers see.
func (s *site) public(origin string) bool {
	u, err := url.Parse(strings.TrimSuffix(origin, "/"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.String() != u.Scheme+"://"+u.Host {
		return false
	}
	port, byDefault := u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]
	a, ok := parseAddress(net.JoinHostPort(u.Hostname(), or(port, byDefault)))
	if !ok {
		return false
	}
	s.Scheme, s.Host = u.Scheme, strings.ToLower(a.String())
	if a.Port == byDefault {
		s.Host = strings.TrimSuffix(s.Host, ":"+byDefault)
	}
	s.Origin = s.Scheme + "://" + s.Host
	return true
}

// name takes the headers' names. gate.NewHeaders allows letters, digits and "-" only.
func (s *site) name(h *gate.Headers, callers bool) error {
	if h == nil {
		names, _ := gate.Preset("usher")
		var err error
		if h, err = gate.NewHeaders(gate.HeadersConfig{Names: names, Organization: "X-Org-Id"}); err != nil {
			return fmt.Errorf("headers: %w", err)
		}
	}
	s.Names = h.Names()
	for _, name := range s.Names {
		if strings.EqualFold(name, h.Organization()) {
			s.Org = name
		}
		if callers && strings.EqualFold(name, h.User()) {
			s.User = name
		}
	}
	return nil
}
