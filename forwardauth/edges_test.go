package forwardauth_test

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/usherauth/usher/gate"
)

// original is a client's request as its proxy received it.
type original struct {
	method, scheme, host, target string
	lines                        []gate.Header
	rule, peer                   string // the rule the configuration picks; where the check comes from
}

// outcome is what comes of it: what the client is shown, or what the backend is given.
type outcome struct {
	status  int
	reason  string
	answer  http.Header // of the answer that is shown, or of the allow
	body    string
	backend map[string][]string // headers of the request as forwarded, lower case; nil unless it passes
}

// edge is one proxy with its printed configuration, from the client's request to what becomes of it.
type edge struct {
	name string
	ask  func(t *testing.T, w *world, o original) outcome
}

func edges() []edge {
	return []edge{
		{"grpc-list", func(t *testing.T, w *world, o original) outcome { return w.askGRPC(t, o, true) }},
		{"grpc-map", func(t *testing.T, w *world, o original) outcome { return w.askGRPC(t, o, false) }},
		{"envoy", askEnvoy},
		{"traefik", func(t *testing.T, w *world, o original) outcome { return askForwarded(t, w, o, "traefik", "") }},
		{"caddy", func(t *testing.T, w *world, o original) outcome {
			_, query, _ := strings.Cut(o.target, "?")
			return askForwarded(t, w, o, "caddy", "?"+query)
		}},
		{"haproxy", func(t *testing.T, w *world, o original) outcome { return askForwarded(t, w, o, "haproxy", "") }},
		{"nginx", askNginx},
	}
}

// askGRPC is Envoy with use_remote_address: x-forwarded-proto and x-request-id are its own.
func (w *world) askGRPC(t *testing.T, o original, list bool) outcome {
	t.Helper()
	lines := []gate.Header{
		{Name: ":authority", Value: o.host},
		{Name: ":method", Value: o.method},
		{Name: ":path", Value: o.target},
		{Name: ":scheme", Value: o.scheme},
		{Name: "x-forwarded-proto", Value: o.scheme},
	}
	for _, line := range without(o.lines, "x-forwarded-proto", "x-envoy-external-address") {
		lines = append(lines, gate.Header{Name: strings.ToLower(line.Name), Value: line.Value})
	}
	utf8 := func(s string) string { return strings.ToValidUTF8(s, "!") } // as Envoy writes strings
	http := &authv3.AttributeContext_HttpRequest{
		Method: utf8(o.method), Host: utf8(o.host), Path: utf8(o.target), Scheme: o.scheme,
	}
	if list {
		http.HeaderMap = &corev3.HeaderMap{}
		for _, line := range lines {
			http.HeaderMap.Headers = append(http.HeaderMap.Headers, &corev3.HeaderValue{Key: line.Name, RawValue: []byte(line.Value)})
		}
	} else {
		http.Headers = make(map[string]string)
		for _, line := range lines {
			value := utf8(line.Value)
			if have, ok := http.Headers[line.Name]; ok {
				value = have + "," + value
			}
			http.Headers[line.Name] = value
		}
	}
	request := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: http}}}
	if o.rule != "" {
		request.Attributes.ContextExtensions = map[string]string{"rule": o.rule}
	}
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: tcp(o.peer)})
	raw, err := proto.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	response := new(authv3.CheckResponse)
	if err := proto.Unmarshal(w.grpc.Answer(ctx, raw), response); err != nil {
		t.Fatal(err)
	}
	out := outcome{reason: response.GetDynamicMetadata().GetFields()["reason"].GetStringValue(), answer: make(map[string][]string)}
	if response.GetStatus().GetCode() == 0 {
		out.status, out.backend = 200, forwarded(lines)
		for _, option := range response.GetOkResponse().GetHeaders() {
			out.backend[strings.ToLower(option.Header.Key)] = []string{option.Header.Value}
		}
		for _, name := range response.GetOkResponse().GetHeadersToRemove() {
			delete(out.backend, name)
		}
		return out
	}
	denied := response.GetDeniedResponse()
	out.status, out.body = int(denied.GetStatus().GetCode()), denied.GetBody()
	for _, option := range denied.GetHeaders() {
		out.answer.Add(option.Header.Key, option.Header.Value)
	}
	return out
}

// send asks the handler with these bytes on the wire.
func (w *world) send(t *testing.T, peer, method, path, host string, lines []gate.Header) outcome {
	t.Helper()
	var raw strings.Builder
	raw.WriteString(method + " " + path + " HTTP/1.1\r\nHost: " + host + "\r\n")
	for _, line := range lines {
		raw.WriteString(line.Name + ": " + line.Value + "\r\n")
	}
	raw.WriteString("\r\n")
	request, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw.String())))
	if err != nil {
		return outcome{status: 400} // as net/http does before it asks us
	}
	request.RemoteAddr = tcp(peer).String()
	recorder := httptest.NewRecorder()
	w.http.ServeHTTP(recorder, request)
	out := outcome{
		status: recorder.Code, reason: recorder.Header().Get("X-Usher-Reason"), answer: recorder.Header(),
		body: recorder.Body.String(),
	}
	w.sendDirectly(t, peer, raw.String(), out)
	return out
}

// sendDirectly asks the same without net/http, which has to come to the same, to the letter.
func (w *world) sendDirectly(t *testing.T, peer, raw string, want outcome) {
	t.Helper()
	answer, taken, known := w.http.Answer(t.Context(), netip.MustParseAddr(peer), []byte(raw), nil, false)
	if !known {
		return
	}
	method, _, _ := strings.Cut(raw, " ")
	response, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), &http.Request{Method: method})
	if err != nil || taken != len(raw) {
		t.Errorf("of %q %d bytes are answered, with %q: %v", raw, taken, answer, err)
		return
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Error(err)
	}
	response.Header.Del("Date")
	response.Header.Del("Content-Length") // net/http writes both after its recorder
	length := int64(len(body))
	if method == http.MethodHead {
		length = -1
	}
	if response.StatusCode != want.status || string(body) != want.body || response.ContentLength != length ||
		!maps.EqualFunc(response.Header, want.answer, slices.Equal) {
		t.Errorf("%q directly: %d %v %q\nby net/http: %d %v %q", raw, response.StatusCode, response.Header, body, want.status, want.answer, want.body)
	}
}

// passed makes of an allow what a proxy forwards that deletes every identity header and copies the answer's.
func (out outcome) passed(w *world, lines []gate.Header) outcome {
	out.backend = forwarded(lines)
	for _, name := range w.headers.Names() {
		delete(out.backend, strings.ToLower(name))
		if value := out.answer.Values(name); len(value) > 0 {
			out.backend[strings.ToLower(name)] = value
		}
	}
	return out
}

func askEnvoy(t *testing.T, w *world, o original) outcome {
	t.Helper()
	lines := append(without(o.lines, "x-forwarded-proto"), gate.Header{Name: "x-forwarded-proto", Value: o.scheme})
	out := w.send(t, o.peer, o.method, "/gate/envoy"+at(o.rule)+o.target, o.host, lines)
	if out.status != 200 {
		return out
	}
	out.backend = forwarded(lines)
	for name, values := range out.answer { // allowed_upstream_headers: x-user-*, x-org-*, …
		if slices.Contains(w.headers.Names(), name) {
			out.backend[strings.ToLower(name)] = values
		}
	}
	for name := range strings.SplitSeq(out.answer.Get("X-Envoy-Auth-Headers-To-Remove"), ",") {
		delete(out.backend, name)
	}
	return out
}

func askForwarded(t *testing.T, w *world, o original, name, query string) outcome {
	t.Helper()
	lines := append(
		without(o.lines, "x-forwarded-method", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri", "x-forwarded-for"),
		gate.Header{Name: "X-Forwarded-Method", Value: o.method}, gate.Header{Name: "X-Forwarded-Proto", Value: o.scheme},
		gate.Header{Name: "X-Forwarded-Host", Value: o.host}, gate.Header{Name: "X-Forwarded-Uri", Value: o.target},
		gate.Header{Name: "X-Forwarded-For", Value: client})
	out := w.send(t, o.peer, "GET", "/gate/"+name+at(o.rule)+query, "gate:4480", lines)
	if out.status != 200 {
		return out
	}
	out = out.passed(w, o.lines)
	if name == "traefik" { // authResponseHeaders names it
		delete(out.backend, "authorization")
		if values := out.answer.Values("Authorization"); len(values) > 0 {
			out.backend["authorization"] = values
		}
	} else if out.answer.Get("Authorization") != "" {
		t.Errorf("%s is told the credential again", name)
	} else { // the printed configuration drops it
		dropServiceToken(out.backend)
	}
	return out
}

// serviceTokens is the regular expression of the printed configurations.
var serviceTokens = regexp.MustCompile(gate.ServiceTokens)

func dropServiceToken(backend map[string][]string) {
	if slices.ContainsFunc(backend["authorization"], serviceTokens.MatchString) {
		delete(backend, "authorization")
	}
}

func askNginx(t *testing.T, w *world, o original) outcome {
	t.Helper()
	port := ":443"
	if o.scheme == "http" {
		port = ":80"
	}
	if strings.Contains(o.host, ":") {
		port = ""
	}
	lines := append(without(o.lines, "x-original-method", "x-original-url", "x-usher-ticket", "connection", "upgrade"),
		gate.Header{Name: "X-Original-Method", Value: o.method},
		gate.Header{Name: "X-Original-URL", Value: o.scheme + "://" + o.host + port + o.target})
	out := w.send(t, o.peer, "GET", "/gate/nginx"+at(o.rule), "gate", lines)
	if out.status == 200 {
		echoed := out.answer.Values("Authorization") // ingress-nginx sets it from here
		out = out.passed(w, o.lines)
		dropServiceToken(out.backend)
		if strings.Join(echoed, "|") != strings.Join(out.backend["authorization"], "|") {
			t.Errorf("the backend gets Authorization %q of nginx, and %q of ingress-nginx", out.backend["authorization"], echoed)
		}
		return out
	}
	if out.status == 400 {
		return out // of net/http; nginx makes 500 of it
	}
	if out.status != 401 && out.status != 403 {
		t.Errorf("nginx would make 500 of status %d", out.status)
	}
	for _, name := range []string{"WWW-Authenticate", "Location", "Retry-After"} {
		if out.answer.Get(name) != "" {
			t.Errorf("the check's answer has %s", name)
		}
	}
	lines = append(lines, gate.Header{Name: "X-Usher-Ticket", Value: out.answer.Get("X-Usher-Ticket")})
	shown := w.send(t, o.peer, "GET", "/gate/nginx"+at(o.rule)+"/answer", "gate", lines)
	if to := out.answer.Get("X-Usher-Sign-In"); to != shown.answer.Get("Location") {
		t.Errorf("X-Usher-Sign-In is %q, the redirect goes to %q", to, shown.answer.Get("Location"))
	}
	return shown
}

func at(rule string) string {
	if rule == "" {
		return ""
	}
	return "@" + rule
}

func without(lines []gate.Header, names ...string) []gate.Header {
	var out []gate.Header
	for _, line := range lines {
		if !slices.Contains(names, strings.ToLower(line.Name)) {
			out = append(out, line)
		}
	}
	return out
}

func forwarded(lines []gate.Header) map[string][]string {
	out := make(map[string][]string)
	for _, line := range lines {
		out[strings.ToLower(line.Name)] = append(out[strings.ToLower(line.Name)], line.Value)
	}
	return out
}
