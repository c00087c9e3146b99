package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// maxBody is far more than any answer needs: the largest is a list of 100 organizations.
const maxBody = 256 << 10 // bytes

// answer is what came back from one call. What it means depends on the call.
type answer struct {
	call      string // for errors
	status    int
	kind      string   // the media type
	given     []string // the names of the cookies it sets
	forgotten []string // of those it clears
	body      []byte
}

var (
	errClosed = errors.New("the store is closed")
	errLarge  = fmt.Errorf("the answer is larger than %d KiB", maxBody>>10)
)

// unextended keeps get-session from extending the session, and from answering out of a cookie.
func unextended() url.Values {
	return url.Values{"disableCookieCache": {"true"}, "disableRefresh": {"true"}}
}

// get calls one endpoint when there is a slot for it. An error means that there was no answer, or not a whole one.
func (s *Store) get(ctx context.Context, path string, query url.Values, cookie string) (*answer, error) {
	call := "GET " + path
	if err := s.enter(ctx); err != nil {
		return nil, fmt.Errorf("%s: %w", call, err)
	}
	defer func() { <-s.slots }()
	target := s.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", call, bare(err))
	}
	request.Header = http.Header{"Accept": {"application/json"}, "User-Agent": {"usher"}}
	if cookie != "" {
		request.Header["Cookie"] = []string{cookie}
	}
	response, err := s.client.Do(request)
	if err != nil {
		err = bare(err)
		return nil, fmt.Errorf("%s: %w%s", call, err, remedy(err))
	}
	defer response.Body.Close()
	a := &answer{call: call, status: response.StatusCode}
	a.given, a.forgotten = setCookies(response.Header["Set-Cookie"])
	a.kind, _, _ = mime.ParseMediaType(response.Header.Get("Content-Type"))
	// All of it is read, or the connection is not used again.
	a.body, err = io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: read the answer: %w%s", call, err, remedy(err))
	case len(a.body) > maxBody:
		return nil, fmt.Errorf("%s: %w", call, errLarge)
	}
	return a, nil
}

// enter waits for a slot as long as ctx lets it.
func (s *Store) enter(ctx context.Context) error {
	select {
	case s.slots <- struct{}{}:
	default:
		if err := s.wait(ctx); err != nil {
			return err
		}
	}
	select {
	case <-s.closed: // Close has had every slot, and so waited for everybody before
		<-s.slots
		return errClosed
	default:
		return nil
	}
}

func (s *Store) wait(ctx context.Context) error {
	s.waits.Add(1)
	began := time.Now()
	defer func() { s.waited.Add(int64(time.Since(began))) }()
	select {
	case s.slots <- struct{}{}:
		return nil
	case <-s.closed:
		return errClosed
	case <-ctx.Done():
		return fmt.Errorf("%d calls are under way already: %w", cap(s.slots), ctx.Err())
	}
}

// bare is the error without the URL, which the text around it names well enough.
func bare(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}

// setCookies are the names of the cookies that get a value, and of those that are set to nothing.
func setCookies(lines []string) (given, forgotten []string) {
	for _, line := range lines {
		name, rest, found := strings.Cut(line, "=")
		switch name = strings.TrimSpace(name); {
		case !found:
		case rest == "" || rest[0] == ';':
			forgotten = append(forgotten, name)
		default:
			given = append(given, name)
		}
	}
	return given, forgotten
}

// cleared reports whether the answer clears this cookie: it is how Better Auth says that it believed it, and that its
// session is none.
func (a *answer) cleared(name string) bool { return slices.Contains(a.forgotten, name) }

// json is the body of an answer that says something.
func (a *answer) json() ([]byte, error) {
	switch {
	case a.status != http.StatusOK:
		return nil, a.refused()
	case a.kind != "application/json":
		return nil, fmt.Errorf("%s: the answer is no JSON: %w", a.call, errNotOK)
	case !utf8.Valid(a.body):
		return nil, fmt.Errorf("%s: the answer is not UTF-8", a.call)
	}
	return a.body, nil
}

// refused is the error of any other answer.
func (a *answer) refused() error { return &refusal{a.call, a.status, a.code()} }

// code is the name that Better Auth gave the refusal, if it did.
func (a *answer) code() string {
	if a.kind != "application/json" {
		return ""
	}
	f := fieldsOf("", a.body)
	code := f.optional("code")
	if f.err != nil || len(code) > 64 || strings.Trim(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		return ""
	}
	return code
}
