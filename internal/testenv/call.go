package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// Response is what Better Auth answered.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Call sends one request to Better Auth, to a path below /api/auth such as /get-session, with the person's cookies (nil:
// nobody's) and, as JSON, the body (nil: none). The person keeps the cookies of the answer.
func (s *BetterAuthServer) Call(t testing.TB, p *Person, method, path string, body any) Response {
	t.Helper()
	return s.send(t, p, method, "/api/auth"+path, body)
}

// must is Call for what has to succeed; the answer's JSON goes into result unless that is nil.
func (s *BetterAuthServer) must(t testing.TB, p *Person, method, path string, body, result any) Response {
	t.Helper()
	response := s.Call(t, p, method, path, body)
	if response.Status != http.StatusOK {
		t.Fatalf("Better Auth: %s %s: %d %s", method, path, response.Status, response.Body)
	}
	decode(t, response.Body, result)
	return response
}

// server calls what Better Auth lets only server code do: see server.mjs.
func (s *BetterAuthServer) server(t testing.TB, path string, body any) {
	t.Helper()
	if response := s.send(t, nil, http.MethodPost, path, body); response.Status != http.StatusOK {
		t.Fatalf("Better Auth: %s: %d %s", path, response.Status, response.Body)
	}
}

func (s *BetterAuthServer) send(t testing.TB, p *Person, method, target string, body any) Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, s.URL+target, content)
	if err != nil {
		t.Fatal(err)
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if p != nil && p.Cookie != "" {
		request.Header.Set("Cookie", p.Cookie)
		request.Header.Set("Origin", s.Origin) // Better Auth refuses a POST with cookies and without it
	}
	// One connection per request: an idle one would look like a leak to the test that uses this.
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if p != nil {
		p.keep(answer)
	}
	return Response{Status: answer.StatusCode, Header: answer.Header, Body: text}
}

// keep does what a browser does with Set-Cookie, as far as one server needs it.
func (p *Person) keep(answer *http.Response) {
	var pairs []string
	if p.Cookie != "" {
		pairs = strings.Split(p.Cookie, "; ")
	}
	for _, line := range answer.Header.Values("Set-Cookie") {
		cookie, err := http.ParseSetCookie(line)
		if err != nil {
			continue
		}
		pairs = slices.DeleteFunc(pairs, func(pair string) bool { return strings.HasPrefix(pair, cookie.Name+"=") })
		if cookie.MaxAge >= 0 {
			// The value exactly as it was sent; http.Cookie would quote some.
			pair, _, _ := strings.Cut(line, ";")
			pairs = append(pairs, pair)
		}
	}
	p.Cookie = strings.Join(pairs, "; ")
	if bearer := answer.Header.Get("Set-Auth-Token"); bearer != "" {
		p.Bearer = bearer
	}
}

func decode(t testing.TB, text []byte, into any) {
	t.Helper()
	if into == nil {
		return
	}
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("Better Auth answered %s: %v", text, err)
	}
}
