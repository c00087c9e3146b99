package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
)

// check judges the whole, once everything is in its place.
func check(c *Config, f *findings) {
	checkListen(&c.Listen, f)
	checkProxies(c, f)
	checkStore(c, f)
	checkBetterAuth(c, f)
	checkTables(&c.BetterAuth.Tables, f)
	checkSignInURL(c, f)
	checkHeaders(c, f)
	checkOrganization(c, f)
	policy := checkRules(c, f)
	checkInternal(c, f)
	checkLimits(c, f)
	checkOAuth(c, f)
	checkProvision(c, f)
	if c.Enabled && !Refused(f.problems) {
		warnRules(c, policy, f)
		warnSignIn(c, policy, f)
		warnCallers(c, f)
	}
}

func checkListen(l *Listen, f *findings) {
	type listener struct {
		key     string
		address *string
	}
	all := []listener{{"listen.http", &l.HTTP}, {"listen.grpc", &l.GRPC}, {"listen.ops", &l.Ops}}
	for i, one := range all {
		if *one.address == "off" {
			*one.address = ""
		}
		if *one.address != "" && !isAddress(*one.address) {
			f.problem(one.key, "%s: write host:port, :port for every address of this machine, or off", quoted(*one.address))
			continue
		}
		for _, other := range all[:i] {
			if collide(*one.address, *other.address) {
				if _, written := f.places[one.key]; !written { // then it is the other one that can be mended
					one, other = other, one
				}
				f.problem(one.key, "%s is taken by %s; choose another port", quoted(*one.address), other.key)
			}
		}
	}
	if l.HTTP == "" && l.GRPC == "" {
		f.problem("listen", "http and grpc are both off, so no proxy could ask; switch one on")
	}
}

// collide reports whether only one of two addresses can be listened on.
func collide(a, b string) bool {
	hostA, portA, _ := cutLast(a, ":")
	hostB, portB, _ := cutLast(b, ":")
	return a != "" && b != "" && portA == portB && portA != "0" && (hostA == hostB || hostA == "" || hostB == "")
}

// cutLast is strings.Cut at the last separator; without one, everything is behind it.
func cutLast(s, separator string) (before, after string, found bool) {
	at := strings.LastIndex(s, separator)
	if at < 0 {
		return "", s, false
	}
	return s[:at], s[at+len(separator):], true
}

func isAddress(address string) bool {
	host, port, found := cutLast(address, ":")
	if n, err := strconv.Atoi(port); err != nil || !found || n < 0 || n > 65535 {
		return false
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		inner, closed := strings.CutSuffix(inner, "]")
		_, err := netip.ParseAddr(inner)
		return closed && err == nil
	}
	return !strings.ContainsAny(host, ":/ @")
}

func checkProxies(c *Config, f *findings) {
	for i, entry := range c.TrustedProxies {
		if strings.Contains(entry, "@") {
			f.problem(indexed("trusted_proxies", i), "write an address or a prefix, as 10.0.0.0/8")
		} else if _, err := gate.NewProxies([]string{entry}); err != nil {
			f.problem(indexed("trusted_proxies", i), "%s", err)
		}
	}
	if len(c.TrustedProxies) == 0 {
		f.warn("trusted_proxies", "is empty, so nobody may ask and every request is refused; name your proxies")
	}
}

func checkLimits(c *Config, f *findings) {
	for key, share := range map[string]float64{"log.decisions.allowed": c.Log.Decisions.Allowed, "log.decisions.refused": c.Log.Decisions.Refused} {
		if !(share >= 0 && share <= 1) {
			f.problem(key, "%v: must be a share from 0 to 1; 0.01 is one in a hundred", share)
		}
	}
	for key, d := range map[string]time.Duration{
		"cache.ttl": c.Cache.TTL, "cache.ttl_unnotified": c.Cache.TTLUnnotified,
		"better_auth.session.update_age": c.BetterAuth.Session.UpdateAge, "better_auth.session.fresh_age": c.BetterAuth.Session.FreshAge,
	} {
		if d < 0 {
			f.problem(key, "%s: must not be negative", formatDuration(d))
		}
	}
	if c.Cache.TTLUnnotified > longestUnnotified {
		f.problem("cache.ttl_unnotified", "%s: a revoked session may pass as long as that; write %s at most",
			formatDuration(c.Cache.TTLUnnotified), formatDuration(longestUnnotified))
	}
	if c.Cache.TTL > longestTTL {
		f.problem("cache.ttl", "%s: write %s at most; a longer memory saves nothing", formatDuration(c.Cache.TTL), formatDuration(longestTTL))
	}
	if c.BetterAuth.Session.ExpiresIn <= 0 {
		f.problem("better_auth.session.expires_in", "%s: must be more than 0", formatDuration(c.BetterAuth.Session.ExpiresIn))
	}
	if c.Cache.Size < 0 {
		f.problem("cache.size", "%d: must not be negative", c.Cache.Size)
	}
}

const (
	longestTTL        = time.Hour
	longestUnnotified = time.Minute
)

// cookieName is what RFC 6265 lets a name be, without what Better Auth's own parser takes apart.
var cookieName = pattern("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
