package provider

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

var errEndpoint = errors.New("must be an https:// URL without user and fragment (http:// on loopback only)")

// endpoint admits where codes, secrets and tokens may be sent: TLS, or this very machine.
func endpoint(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || strings.ContainsAny(raw, " \\\t\r\n") {
		return errEndpoint
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return nil
	}
	return errEndpoint
}

// loopback is this machine by number, or by the one name that browsers and resolvers keep for it (RFC 6761).
func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// trimBase and expand put a host of one's own into a preset's URLs.
func trimBase(base string) string { return strings.TrimRight(base, "/") }

func expand(template, base string) string { return strings.ReplaceAll(template, "{base}", base) }
