package endpoint

import (
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/usherauth/usher/betterauth/record"
)

// Call is one request and its answer. It belongs to one goroutine.
type Call struct {
	W     http.ResponseWriter
	R     *http.Request
	Now   time.Time // one moment for the whole call
	Log   *slog.Logger
	Param string // the segment in braces of the route's path, as it was sent

	router *router
	body   Value
	query  *Value // nil: not read yet

	looked  bool // for the session, once
	session *record.Session
	user    *record.User
	failed  error
}

// JSON answers with a body. Whatever cookies were set go with it.
func (c *Call) JSON(status int, body []byte) error {
	c.W.Header().Set("Content-Type", "application/json")
	c.W.WriteHeader(status)
	_, _ = c.W.Write(body) // who does not listen any more is no error of ours
	return nil
}

// Redirect answers 302 with a Location, verbatim. As in the library there is a content type, and no content.
func (c *Call) Redirect(to string) error {
	h := c.W.Header()
	h.Set("Location", to)
	h.Set("Content-Type", "application/json")
	c.W.WriteHeader(http.StatusFound)
	return nil
}

// Body are the members of the request's body, or the library's 400 if it does not fit.
func (c *Call) Body(o *Object) (Values, error) { return o.validate(c.body, "body") }

// Query are the query's parameters, or the library's 400 if they do not fit. One that is sent twice is an array, which no
// text is.
func (c *Call) Query(o *Object) (Values, error) { return o.validate(c.queryValue(), "query") }

// Trusts reports whether somebody may be sent to a URL; see the type Trusts.
func (c *Call) Trusts(url string, relativeToo bool) bool {
	return c.router.config.Trusts(url, relativeToo)
}

// UserAgent is what the request's sender calls itself, as rows hold it: read as node reads headers, which is Latin-1,
// and no longer than 1024 bytes.
func (c *Call) UserAgent() string {
	const most = 1024
	raw := c.R.UserAgent()
	var b strings.Builder
	for i := 0; i < len(raw) && b.Len() < most-1; i++ {
		if raw[i] != 0 { // which no PostgreSQL text can hold
			b.WriteRune(rune(raw[i]))
		}
	}
	return b.String()
}
