package endpoint

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// limitOf is how many requests of one client to one path may follow each other (api/rate-limiter of 1.7.25). The
// library's rules for what we do not have are left out.
func limitOf(path string) (window time.Duration, most int) {
	for _, delicate := range []string{"/sign-in", "/sign-up", "/change-password", "/change-email"} {
		if strings.HasPrefix(path, delicate) {
			return 10 * time.Second, 3
		}
	}
	return 10 * time.Second, 100
}

// limit counts the request, and answers it when there were too many. What no route answers at all is not counted, and
// neither are preflights, which would halve what a page of another origin may do. Names that somebody made up share one
// count: with one for each, as in the library, whoever makes up more is never limited.
func (c *Call) limit(p *place, path string, route *Route) (ok bool) {
	limiter := c.router.config.Limiter
	if limiter == nil {
		return true
	}
	switch {
	case route != nil && route.Bucket != "":
		path = route.Bucket
	case c.Param != "" && (route == nil || route.Known == nil || !route.Known(c.Param)):
		path = p.path
	}
	window, most := limitOf(path)
	ok, retry := limiter.Take(c.R.Context(), c.Address()+"|"+path, window, most)
	if ok {
		return true
	}
	h := c.W.Header()
	h.Set("X-Retry-After", strconv.Itoa(max(1, int((retry+time.Second-1)/time.Second))))
	if h.Get("Access-Control-Allow-Origin") != "" {
		expose(h, "X-Retry-After")
	}
	_ = c.JSON(http.StatusTooManyRequests, []byte(`{"message":"Too many requests. Please try again later."}`))
	return false
}

// Address is who asks, as rows and rate limits hold it: the rightmost address of X-Forwarded-For that is not one of our
// proxies, else the connection's; of IPv6 the network of 64 bits, since the rest is everybody's own choice
// (GHSA-p6v2-xcpg-h6xw).
func (c *Call) Address() string {
	client := c.router.config.Proxies.Client(c.R.Header["X-Forwarded-For"], peer(c.R)).Unmap().WithZone("")
	if !client.Is6() {
		if !client.IsValid() {
			return "" // as the library writes down that it does not know
		}
		return client.String()
	}
	network, _ := client.Prefix(64) // an address of 128 bits has one
	return netip.AddrFrom16(network.Addr().As16()).StringExpanded()
}
