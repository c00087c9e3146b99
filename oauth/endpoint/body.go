package endpoint

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// maxBody is far above anything the library's client sends; additionalData is the only part without a natural end.
const maxBody = 64 << 10

// readBody reads the body as better-call does behind its adapter for node: without a content type there is none,
// whatever was sent, and with one that the route does not take, it is not read.
func (c *Call) readBody(route *Route) error {
	kind := c.R.Header.Get("Content-Type")
	if route.NoBody || c.R.Method == http.MethodGet || kind == "" || c.R.ContentLength == 0 {
		return nil
	}
	media := route.Media
	if media == nil {
		media = []string{"application/json"}
	}
	main, _, _ := strings.Cut(strings.ToLower(kind), ";")
	if main = strings.TrimSpace(main); !slices.Contains(media, main) {
		return &Error{
			Status: http.StatusUnsupportedMediaType, Code: "UNSUPPORTED_MEDIA_TYPE",
			Message: `Content-Type "` + shortened(kind) + `" is not allowed. Allowed types: ` + strings.Join(media, ", "),
		}
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.W, c.R.Body, maxBody))
	if err != nil {
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return &Error{Status: http.StatusRequestEntityTooLarge, Code: "PAYLOAD_TOO_LARGE", Message: "Request body is too large"}
		}
		return &Error{Status: http.StatusBadRequest} // it broke off: nobody reads this
	}
	if main == "application/x-www-form-urlencoded" {
		c.body = parseForm(string(text), false)
		return nil
	}
	if c.body, err = parseJSON(text); err != nil {
		return &Error{Status: http.StatusBadRequest, Code: "BAD_REQUEST", Message: "Invalid JSON in request body"}
	}
	return nil
}

// shortened is as much of a header as an answer repeats, in node's reading of it.
func shortened(header string) string {
	runes := make([]rune, 0, len(header))
	for i := 0; i < len(header) && i < 256; i++ {
		runes = append(runes, rune(header[i]))
	}
	return string(runes)
}

func (c *Call) queryValue() Value {
	if c.query == nil {
		v := parseForm(c.R.URL.RawQuery, true)
		c.query = &v
	}
	return *c.query
}

// parseForm reads a query or a form as URLSearchParams does, which never fails: what is no escape stands for itself. Of
// a name sent twice, a query has a list, and a form the last.
func parseForm(text string, lists bool) Value {
	v := Value{kind: Record}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, value := unescape(rawName), Value{kind: String, text: unescape(rawValue)}
		if before := v.member(name); lists && before.kind == Array {
			value = Value{kind: Array, items: append(before.items, value)}
		} else if lists && before.kind == String {
			value = Value{kind: Array, items: []Value{before, value}}
		}
		v.set(name, value)
		if len(v.members) > maxParameters {
			break
		}
	}
	return v
}

// maxParameters is how many names are read: each is looked for among those before it.
const maxParameters = 256

func unescape(s string) string {
	if text, err := url.QueryUnescape(s); err == nil {
		return strings.ToValidUTF8(text, "\ufffd")
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]):
			text, _ := url.PathUnescape(s[i : i+3])
			b.WriteString(text)
			i += 2
		default:
			b.WriteByte(s[i])
		}
	}
	return strings.ToValidUTF8(b.String(), "\ufffd")
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
