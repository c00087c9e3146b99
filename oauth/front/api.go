package front

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// api asks the companion as the browser's own script would.
type api struct {
	handler http.Handler
	base    string // path before every route
	origin  string // our own, which our pages come from
	w       http.ResponseWriter
	r       *http.Request
}

// refusal is an answer that is no success.
type refusal struct {
	Status  int    `json:"-"`
	Code    string `json:"code"`
	Message string `json:"message"`
}

func (e *refusal) Error() string { return fmt.Sprintf("%d %s", e.Status, e.Code) }

// get asks for a path below the API's, and reads the answer into v.
func (a *api) get(path string, v any) error { return a.ask(http.MethodGet, path, nil, v) }

// post sends a body, and reads the answer into v unless that is nil.
func (a *api) post(path string, body, v any) error { return a.ask(http.MethodPost, path, body, v) }

func (a *api) ask(method, path string, body, v any) error {
	var sent []byte
	if body != nil {
		var err error
		if sent, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequestWithContext(a.r.Context(), method, a.base+path, bytes.NewReader(sent))
	if err != nil {
		return err
	}
	r.RequestURI, r.Host, r.RemoteAddr, r.TLS = r.URL.RequestURI(), a.r.Host, a.r.RemoteAddr, a.r.TLS
	for _, name := range [...]string{"Cookie", "User-Agent", "X-Forwarded-For"} {
		if lines := a.r.Header[name]; len(lines) > 0 {
			r.Header[name] = lines
		}
	}
	r.Header.Set("Origin", a.origin) // who asks is our own page: handlers of forms have made sure of that
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	answer := recorder{header: make(http.Header), status: http.StatusOK}
	a.handler.ServeHTTP(&answer, r)
	for _, line := range answer.header["Set-Cookie"] {
		a.w.Header().Add("Set-Cookie", line)
	}
	if answer.status != http.StatusOK {
		refused := &refusal{Status: answer.status}
		_ = json.Unmarshal(answer.body.Bytes(), refused) // an empty body says nothing more
		return refused
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(answer.body.Bytes(), v); err != nil {
		return fmt.Errorf("front: %s: %w", path, err)
	}
	return nil
}

// recorder keeps an answer.
type recorder struct {
	header http.Header
	status int
	wrote  bool
	body   bytes.Buffer
}

func (w *recorder) Header() http.Header { return w.header }

func (w *recorder) WriteHeader(status int) {
	if !w.wrote {
		w.status, w.wrote = status, true
	}
}

func (w *recorder) Write(b []byte) (int, error) {
	w.wrote = true
	return w.body.Write(b)
}

// query writes a path with parameters.
func query(path string, pairs ...string) string {
	v := make(url.Values, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return path + "?" + v.Encode()
}
