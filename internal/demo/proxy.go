package demo

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"time"
)

// gateTimeout is how long the proxy waits for the gate, as the configurations that `usher proxy` prints do.
const gateTimeout = 3 * time.Second

// maxDenial bounds what the gate may say to the client.
const maxDenial = 1 << 20

// proxy asks the gate about every request, as Traefik's forwardAuth middleware does, and lets pass what the gate lets
// pass. It is the part that your own proxy plays in production; `usher proxy` prints that one's configuration.
type proxy struct {
	gate     string // the address to ask at
	ask      *http.Client
	backend  string // host:port
	forward  *http.Transport
	identity []string // names of the headers that only the gate may set
	ledger   *ledger
	log      *slog.Logger
}

func newProxy(gate, backend string, identity []string, l *ledger, log *slog.Logger) *proxy {
	return &proxy{
		gate: gate, backend: backend, identity: identity, ledger: l, log: log,
		forward: transport(),
		ask: &http.Client{
			Transport: transport(), Timeout: gateTimeout,
			// A redirect is the gate's answer to the client, not to us.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// transport keeps connections open and adds nothing to a request: no proxy of the environment, no Accept-Encoding.
func transport() *http.Transport {
	return &http.Transport{
		DialContext:        (&net.Dialer{Timeout: time.Second}).DialContext,
		DisableCompression: true, MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute,
	}
}

// close lets go of the connections that nobody uses.
func (p *proxy) close() {
	p.ask.CloseIdleConnections()
	p.forward.CloseIdleConnections()
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{Method: r.Method, Target: r.URL.RequestURI(), Sent: r.Header.Clone()}
	withoutForwarded(r.Header)

	start := time.Now()
	answer, err := p.question(r)
	x.Took = time.Since(start)
	if err != nil {
		p.log.Warn("the gate did not answer", "error", err)
		w.Header().Set("Retry-After", "1")
		writeJSON(w, http.StatusServiceUnavailable, problem{"The gate did not answer; nothing passes without it", "GATE_UNREACHABLE"})
		return
	}
	defer closeQuietly(answer.Body)
	x.Reason = answer.Header.Get("X-Usher-Reason")
	timing := fmt.Sprintf(`gate;desc="asking the gate";dur=%.3f`, float64(x.Took.Microseconds())/1000)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		withoutHopByHop(answer.Header)
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		w.Header().Set("Server-Timing", timing)
		w.WriteHeader(answer.StatusCode)
		_, _ = io.Copy(w, io.LimitReader(answer.Body, maxDenial)) // the client is gone when this fails
		return
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxDenial)) // an unread body would cost the connection
	p.pass(w, r, x, answer.Header, timing)
}

// question asks the gate: may r pass, and who is it? The original request stands in X-Forwarded-*, where the client's
// own words were removed before; its body stays here.
func (p *proxy) question(r *http.Request) (*http.Response, error) {
	q, err := http.NewRequestWithContext(r.Context(), http.MethodGet, p.gate, nil)
	if err != nil {
		return nil, err
	}
	q.Header = r.Header.Clone()
	withoutHopByHop(q.Header)
	q.Header.Del("Content-Length")
	q.Header.Del("Expect")
	if _, ok := q.Header["User-Agent"]; !ok {
		q.Header.Set("User-Agent", "") // none, instead of Go's own
	}
	q.Header.Set("X-Forwarded-Method", r.Method)
	q.Header.Set("X-Forwarded-Proto", "http")
	q.Header.Set("X-Forwarded-Host", r.Host)
	q.Header.Set("X-Forwarded-Uri", r.URL.RequestURI()) // what pass sends on, byte for byte
	if client, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		q.Header.Set("X-Forwarded-For", client)
	}
	return p.ask.Do(q)
}

// pass sends r to the backend with the gate's identity headers in place of whatever the client sent.
func (p *proxy) pass(w http.ResponseWriter, r *http.Request, x *exchange, verified http.Header, timing string) {
	ctx, leave := p.ledger.enter(r.Context(), x)
	defer leave()
	forward := httputil.ReverseProxy{
		Transport:     p.forward,
		FlushInterval: -1, // streams reach the client as they come
		ErrorLog:      slog.NewLogLogger(p.log.Handler(), slog.LevelDebug),
		// ReverseProxy has removed what Connection names before it calls Rewrite, so naming an identity header there
		// removes the client's copy and never ours.
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", p.backend
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery // as it is, also where Go's parser finds no meaning in it
			pr.Out.Host = pr.In.Host
			pr.Out.Trailer = nil // a trailer could carry an identity header too
			pr.SetXForwarded()
			for _, name := range p.identity {
				pr.Out.Header.Del(name)
				if values := verified.Values(name); len(values) > 0 {
					pr.Out.Header[http.CanonicalHeaderKey(name)] = values
				}
			}
		},
		ModifyResponse: func(answer *http.Response) error {
			answer.Header.Add("Server-Timing", timing)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else the client left
				p.log.Warn("the backend did not answer", "error", err)
			}
			writeJSON(w, http.StatusBadGateway, problem{"The backend did not answer", "BAD_GATEWAY"})
		},
	}
	forward.ServeHTTP(w, r.WithContext(ctx))
}

// withoutForwarded removes what a client says about hops before it: nobody stands there.
func withoutForwarded(h http.Header) {
	for name := range h {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "Forwarded" || name == "X-Real-Ip" {
			delete(h, name)
		}
	}
}

// hopByHop are headers for the next hop only (RFC 9110, section 7.6.1).
var hopByHop = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// withoutHopByHop removes them, and those that Connection names.
func withoutHopByHop(h http.Header) {
	for _, line := range h["Connection"] {
		for option := range strings.SplitSeq(line, ",") {
			if option = strings.TrimSpace(option); option != "" {
				h.Del(option)
			}
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
}
