package demo

import (
	"log/slog"
	"net/http"
	"net/http/httputil"
	"strings"
)

// front is what listens where the browser looks, and the demo's map: who signs people in, and for all else the proxy that
// asks the gate. It is no ServeMux, because that would tidy up paths before the gate could judge them.
type front struct {
	companion http.Handler // Usher's sign-in server
	provider  http.Handler // whom that one asks who somebody is
	proxy     http.Handler
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case path == "/sign-in", path == accountPath, path == apiPath, strings.HasPrefix(path, apiPath+"/"):
		f.companion.ServeHTTP(w, r)
	case strings.HasPrefix(path, providerPath+"/"):
		f.provider.ServeHTTP(w, r)
	default:
		f.proxy.ServeHTTP(w, r)
	}
}

// Where the companion's pages and its API are, as Usher comes.
const (
	accountPath = "/account"
	apiPath     = "/api/auth"
)

// toCompanion leads to the companion, which listens where the gate does, with nothing changed. Your own proxy does the
// same with these paths.
func toCompanion(address string, through http.RoundTripper, log *slog.Logger) http.Handler {
	onward := &httputil.ReverseProxy{
		Transport: through,
		ErrorLog:  slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Rewrite: func(pr *httputil.ProxyRequest) {
			pr.Out.URL.Scheme, pr.Out.URL.Host = "http", address
			pr.Out.URL.RawQuery = pr.In.URL.RawQuery
			pr.Out.Host = pr.In.Host
			pr.SetXForwarded()
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			if r.Context().Err() == nil { // else the client left
				log.Warn("the companion did not answer", "error", err)
			}
			writeJSON(w, http.StatusBadGateway, problem{"The companion did not answer", "BAD_GATEWAY"})
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		withoutForwarded(r.Header)
		onward.ServeHTTP(w, r)
	})
}
