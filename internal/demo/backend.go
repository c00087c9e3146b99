package demo

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// backend is the application behind the gate. It has no sign-in code: it believes the identity headers it receives, as
// yours may when nothing reaches it but through the proxy. It answers every path and method with what it received.
type backend struct {
	identity []string
	ledger   *ledger
	view     *view
}

// maxBody is how much of a request's body is waited for; nobody looks at it.
const maxBody = 64 << 20

// echo is the backend's answer to a program.
type echo struct {
	Method  string              `json:"method"`
	Path    string              `json:"path"`
	Headers map[string][]string `json:"headers"` // as received, names in lower case
}

func (b *backend) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, maxBody)) // a proxy that still sends cannot hear the answer
	w.Header().Add("Vary", "Accept")
	if prefersJSON(r.Header["Accept"]) {
		writeJSON(w, http.StatusOK, echoOf(r))
		return
	}
	render(w, mainPage(), http.StatusOK, b.view.of(r, b.identity, b.ledger.find(r.RemoteAddr)))
}

func echoOf(r *http.Request) echo {
	e := echo{Method: r.Method, Path: r.URL.EscapedPath(), Headers: make(map[string][]string, len(r.Header))}
	for name, values := range r.Header {
		lower := strings.ToLower(name)
		e.Headers[lower] = append(e.Headers[lower], values...)
	}
	return e
}

// prefersJSON reports whether the Accept lines want application/json more than text/html, or as much and name it first.
func prefersJSON(accept []string) bool {
	best, bestQ := "", 0.0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, _ := strings.Cut(part, ";")
		q := 1.0
		for param := range strings.SplitSeq(params, ";") {
			if value, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(param)), "q="); ok {
				q, _ = strconv.ParseFloat(value, 64) // nonsense is 0: not wanted
			}
		}
		media = strings.ToLower(strings.TrimSpace(media))
		if (media == "application/json" || media == "text/html") && q > bestQ {
			best, bestQ = media, q
		}
	}
	return best == "application/json"
}

// problem is an error in Better Auth's own shape.
type problem struct {
	Message string `json:"message"`
	Code    string `json:"code"`
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false) // people read this in a terminal
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client is gone when this fails
}
