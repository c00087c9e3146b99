package wire

import (
	"net/url"
	"strings"
)

// Param is one name and value of a query or a form. Order is kept, names may repeat.
type Param struct{ Name, Value string }

// Encode writes application/x-www-form-urlencoded as the URL Standard has it: a blank is "+", and of the punctuation
// only "*-._" stays.
func Encode(params []Param) string {
	var b strings.Builder
	for i, p := range params {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(Escape(p.Name))
		b.WriteByte('=')
		b.WriteString(Escape(p.Value))
	}
	return b.String()
}

// Escape is Encode for one word. Go keeps "~" and escapes "*", the URL Standard the other way round.
func Escape(s string) string {
	s = url.QueryEscape(strings.ToValidUTF8(s, "\ufffd"))
	return strings.ReplaceAll(strings.ReplaceAll(s, "~", "%7E"), "%2A", "*")
}

// EscapeComponent is encodeURIComponent inside the query of a URL, where "'" is escaped, too.
func EscapeComponent(s string) string {
	s = url.QueryEscape(strings.ToValidUTF8(s, "\ufffd"))
	for _, pair := range [][2]string{{"+", "%20"}, {"%21", "!"}, {"%28", "("}, {"%29", ")"}, {"%2A", "*"}} {
		s = strings.ReplaceAll(s, pair[0], pair[1])
	}
	return s
}

// Set gives name a value where it stands already, else at the end: URLSearchParams.set. An empty value is set, too.
func Set(params []Param, name, value string) []Param {
	for i := range params {
		if params[i].Name == name {
			params[i].Value = value
			return params
		}
	}
	return append(params, Param{name, value})
}

// AppendQuery adds params to the query of endpoint. Parameters of the endpoint that params replaces are dropped, the others
// keep their original text: some providers sign their query. A fragment stays behind it.
func AppendQuery(endpoint string, params []Param) string {
	endpoint, fragment, hasFragment := strings.Cut(endpoint, "#")
	base, query, _ := strings.Cut(endpoint, "?")
	var kept []string
	for pair := range strings.SplitSeq(query, "&") {
		raw, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(raw)
		if err != nil {
			name = raw
		}
		if pair != "" && !has(params, name) {
			kept = append(kept, pair)
		}
	}
	if added := Encode(params); added != "" {
		kept = append(kept, added)
	}
	if len(kept) > 0 {
		base += "?" + strings.Join(kept, "&")
	}
	if hasFragment {
		base += "#" + fragment
	}
	return base
}

func has(params []Param, name string) bool {
	for _, p := range params {
		if p.Name == name {
			return true
		}
	}
	return false
}
