package extauthz

import (
	"net/netip"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/usherauth/usher/gate"
)

func TestFieldNumbers(t *testing.T) {
	check := (&authv3.CheckRequest{}).ProtoReflect().Descriptor()
	attributes := (&authv3.AttributeContext{}).ProtoReflect().Descriptor()
	http := (&authv3.AttributeContext_HttpRequest{}).ProtoReflect().Descriptor()
	header := (&corev3.HeaderValue{}).ProtoReflect().Descriptor()
	option := (&corev3.HeaderValueOption{}).ProtoReflect().Descriptor()
	response := (&authv3.CheckResponse{}).ProtoReflect().Descriptor()
	ok := (&authv3.OkHttpResponse{}).ProtoReflect().Descriptor()
	denied := (&authv3.DeniedHttpResponse{}).ProtoReflect().Descriptor()
	for _, c := range []struct {
		message protoreflect.MessageDescriptor
		field   protoreflect.Name
		number  protowire.Number
	}{
		{check, "attributes", checkAttributes},
		{attributes, "source", attributeSource},
		{attributes, "request", attributeRequest},
		{attributes, "context_extensions", attributeExtensions},
		{(&authv3.AttributeContext_Peer{}).ProtoReflect().Descriptor(), "address", peerAddress},
		{(&authv3.AttributeContext_Peer{}).ProtoReflect().Descriptor(), "principal", peerPrincipal},
		{(&corev3.Address{}).ProtoReflect().Descriptor(), "socket_address", addressSocket},
		{(&corev3.SocketAddress{}).ProtoReflect().Descriptor(), "address", socketAddress},
		{(&authv3.AttributeContext_Request{}).ProtoReflect().Descriptor(), "http", requestHTTP},
		{http, "method", httpMethod},
		{http, "headers", httpHeaders},
		{http, "path", httpPath},
		{http, "host", httpHost},
		{http, "scheme", httpScheme},
		{http, "header_map", httpHeaderMap},
		{(&corev3.HeaderMap{}).ProtoReflect().Descriptor(), "headers", headerMapHeaders},
		{header, "key", entryKey},
		{header, "value", entryValue},
		{header, "raw_value", headerRawValue},
		{http.Fields().ByName("headers").Message(), "key", entryKey},
		{http.Fields().ByName("headers").Message(), "value", entryValue},
		{response, "status", checkStatus},
		{response, "denied_response", checkDenied},
		{response, "ok_response", checkOK},
		{response, "dynamic_metadata", checkMetadata},
		{response.Fields().ByName("status").Message(), "code", statusCode},
		{ok, "headers", okHeaders},
		{ok, "headers_to_remove", okHeadersToRemove},
		{ok, "response_headers_to_add", okResponseHeaders},
		{option.Fields().ByName("append").Message(), "value", boolValue},
		{denied, "status", deniedStatus},
		{denied, "headers", deniedHeaders},
		{denied, "body", deniedBody},
		{denied.Fields().ByName("status").Message(), "code", httpStatusCode},
		{option, "header", optionHeader},
		{option, "append", optionAppend},
		{option, "append_action", optionAppendAction},
		{(&structpb.Struct{}).ProtoReflect().Descriptor(), "fields", structFields},
		{(&structpb.Value{}).ProtoReflect().Descriptor(), "string_value", valueString},
	} {
		if f := c.message.Fields().ByName(c.field); f == nil || f.Number() != c.number {
			t.Errorf("%s.%s is not %d", c.message.FullName(), c.field, c.number)
		}
	}
	if overwriteIfOrAdd != uint64(corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD) {
		t.Error("OVERWRITE_IF_EXISTS_OR_ADD has another number")
	}
	if appendOrAdd != uint64(corev3.HeaderValueOption_APPEND_IF_EXISTS_OR_ADD) {
		t.Error("APPEND_IF_EXISTS_OR_ADD has another number")
	}
}

// readAll is what the server makes of a question.
func (s *Server) readAll(t testing.TB, q *authv3.CheckRequest) *gate.Request {
	t.Helper()
	r := new(gate.Request)
	if !s.readInto(r, marshal(t, q), netip.MustParseAddr("10.0.0.7")) {
		t.Error("a sound message is not read to its end")
	}
	return r
}

func TestBothFormsOfHeaders(t *testing.T) {
	s, _ := newServer(t)
	q := asking(
		"POST", "/a/b?x=1&y=%20z", "cookie", "session=alice; other=1", "authorization", "Bearer bob", "x-org-id", "acme",
		"origin", "https://app.test", "accept", "text/html", "sec-fetch-site", "same-origin", "sec-fetch-mode", "navigate",
		"sec-fetch-dest", "document", "x-request-id", "id-1", "access-control-request-method", "PUT", "connection", "upgrade",
		"upgrade", "websocket", "x-user-id", "evil", "x_user_id", "evil", "x-forwarded-proto", "http",
		"x-forwarded-host", "evil.test", "x-original-url", "https://evil.test/", "x-forwarded-for", "1.1.1.1, 203.0.113.9",
	)
	for form, q := range map[string]*authv3.CheckRequest{"map": q, "list": listed(q)} {
		r := s.readAll(t, q)
		got := []string{
			r.Method, r.Scheme, r.Host, r.Target, strings.Join(r.Cookies, "|"), r.Authorization, r.Organization, r.Origin, r.Accept, r.FetchSite,
			r.FetchMode, r.FetchDest, r.ID, r.Announced, r.Connection, strings.Join(r.Aliases, "|"), r.Client.String(), r.Rule, string(r.Fault),
		}
		want := []string{
			"POST", "https", "app.test", "/a/b?x=1&y=%20z", "session=alice; other=1", "Bearer bob", "acme", "https://app.test", "text/html",
			"same-origin", "navigate", "document", "id-1", "PUT", "upgrade", "x_user_id", "203.0.113.50", "", "",
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%s: %d is %q, want %q", form, i, got[i], want[i])
			}
		}
		if !r.Upgrade || len(r.Sent) != 2 {
			t.Errorf("%s: upgrade %v, sent %q", form, r.Upgrade, r.Sent)
		}
	}
}

// E03, E02: what must be there, what must not, and what must not differ.
func TestAmbiguousQuestions(t *testing.T) {
	s, _ := newServer(t)
	http := func(q *authv3.CheckRequest) *authv3.AttributeContext_HttpRequest { return q.Attributes.Request.Http }
	raw := func(key, value, rawValue string) *corev3.HeaderValue {
		return &corev3.HeaderValue{Key: key, Value: value, RawValue: []byte(rawValue)}
	}
	add := func(values ...*corev3.HeaderValue) func(*authv3.CheckRequest) {
		return func(q *authv3.CheckRequest) {
			*q = authv3.CheckRequest{Attributes: listed(q).Attributes}
			http(q).HeaderMap.Headers = append(http(q).HeaderMap.Headers, values...)
		}
	}
	extend := func(name, value string) func(*authv3.CheckRequest) {
		return func(q *authv3.CheckRequest) { q.Attributes.ContextExtensions = map[string]string{name: value} }
	}
	for what, c := range map[string]struct {
		change func(*authv3.CheckRequest)
		want   string
	}{
		"as it is":          {func(*authv3.CheckRequest) {}, "PUBLIC"},
		"no attributes":     {func(q *authv3.CheckRequest) { q.Attributes = nil }, "AMBIGUOUS_REQUEST"},
		"no request":        {func(q *authv3.CheckRequest) { q.Attributes.Request = nil }, "AMBIGUOUS_REQUEST"},
		"no http (TCP)":     {func(q *authv3.CheckRequest) { q.Attributes.Request.Http = nil }, "AMBIGUOUS_REQUEST"},
		"no method":         {func(q *authv3.CheckRequest) { http(q).Method = "" }, "AMBIGUOUS_REQUEST"},
		"no path":           {func(q *authv3.CheckRequest) { http(q).Path = "" }, "AMBIGUOUS_REQUEST"},
		"no host":           {func(q *authv3.CheckRequest) { http(q).Host = "" }, "AMBIGUOUS_REQUEST"},
		"no scheme":         {func(q *authv3.CheckRequest) { http(q).Scheme = "" }, "AMBIGUOUS_REQUEST"},
		"two hosts":         {func(q *authv3.CheckRequest) { http(q).Host = "app.test,evil.test" }, "AMBIGUOUS_REQUEST"},
		"another :path":     {func(q *authv3.CheckRequest) { http(q).Headers[":path"] = "/private" }, "AMBIGUOUS_REQUEST"},
		"another :method":   {func(q *authv3.CheckRequest) { http(q).Headers[":method"] = "POST" }, "AMBIGUOUS_REQUEST"},
		"another authority": {func(q *authv3.CheckRequest) { http(q).Headers[":authority"] = "evil.test" }, "AMBIGUOUS_REQUEST"},
		"another scheme":    {func(q *authv3.CheckRequest) { http(q).Headers[":scheme"] = "http" }, "AMBIGUOUS_REQUEST"},
		"another host line": {func(q *authv3.CheckRequest) { http(q).Headers["host"] = "evil.test" }, "AMBIGUOUS_REQUEST"},
		"no headers at all": {func(q *authv3.CheckRequest) { http(q).Headers = nil }, "PUBLIC"},
		"no pseudo headers (allowed_headers)": {func(q *authv3.CheckRequest) {
			http(q).Headers = map[string]string{"cookie": "session=alice"}
		}, "PUBLIC"},
		"both forms": {func(q *authv3.CheckRequest) {
			http(q).HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{raw("cookie", "", "session=bob")}}
		}, "AMBIGUOUS_REQUEST"},
		"an empty list beside the map": {func(q *authv3.CheckRequest) { http(q).HeaderMap = &corev3.HeaderMap{} }, "PUBLIC"},
		"the list":                     {add(), "PUBLIC"},
		"the list, value instead of raw_value": {func(q *authv3.CheckRequest) {
			add(raw("x-org-id", "acme", ""))(q)
		}, "PUBLIC"},
		"the list, both values": {add(raw("x-org-id", "acme", "evil")), "AMBIGUOUS_REQUEST"},
		"the list, two :path":   {add(raw(":path", "", "/private")), "AMBIGUOUS_REQUEST"},
		"the list, two :path, the second right": {func(q *authv3.CheckRequest) {
			http(q).HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{raw(":path", "", "/x"), raw(":path", "", "/public/x")}}
			http(q).Headers = nil
		}, "AMBIGUOUS_REQUEST"},
		"the list, two authorization":   {add(raw("authorization", "", "Bearer a"), raw("authorization", "", "Bearer a")), "AMBIGUOUS_REQUEST"},
		"the list, two organizations":   {add(raw("x-org-id", "", "a"), raw("X-Org-Id", "", "b")), "AMBIGUOUS_REQUEST"},
		"the list, two cookies":         {add(raw("cookie", "", "a=1"), raw("cookie", "", "b=2")), "PUBLIC"},
		"the list, Latin-1":             {add(raw("x-note", "", "caf\xe9")), "PUBLIC"},
		"the list, a name of no length": {add(raw("", "", "x")), "PUBLIC"},
		"the list, control bytes":       {add(raw("origin", "", "https://app.test\x00")), "AMBIGUOUS_REQUEST"},
		"a rule":                        {extend("rule", "admin"), "NO_CREDENTIAL"},
		"an unknown rule":               {extend("rule", "x"), "UNKNOWN_RULE"},
		"an empty rule":                 {extend("rule", ""), "UNKNOWN_RULE"},
		"another extension":             {extend("Rule", "admin"), "PUBLIC"},
	} {
		q := asking("GET", "/public/x")
		c.change(q)
		response := decode(t, s.answer(from("10.0.0.7"), marshal(t, q)))
		if reason(response) != c.want {
			t.Errorf("%s: %s, want %s", what, reason(response), c.want)
		}
	}
}

func TestClientAddress(t *testing.T) {
	s, _ := newServer(t)
	for what, c := range map[string]struct {
		headers []string
		source  *corev3.Address
		want    string
	}{
		"as Envoy found it":           {[]string{"x-envoy-external-address", "203.0.113.9", "x-forwarded-for", "1.1.1.1"}, socket("203.0.113.50"), "203.0.113.9"},
		"the last stranger":           {[]string{"x-forwarded-for", "1.1.1.1, 203.0.113.9,10.1.1.1"}, socket("10.2.2.2"), "203.0.113.9"},
		"nonsense":                    {[]string{"x-envoy-external-address", "me", "x-forwarded-for", "me"}, socket("203.0.113.50"), "203.0.113.50"},
		"the connection of the proxy": {nil, socket("2001:db8::1"), "2001:db8::1"},
		"a pipe":                      {nil, &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/x"}}}, "10.0.0.7"},
		"nothing":                     {nil, nil, "10.0.0.7"},
	} {
		q := asking("GET", "/", c.headers...)
		q.Attributes.Source = &authv3.AttributeContext_Peer{Address: c.source, Service: "me", Principal: "me"}
		if got := s.readAll(t, q).Client.String(); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

// Whatever Envoy adds one day, or a body, is skipped; what is cut off is refused.
func TestUnknownFieldsAndBrokenMessages(t *testing.T) {
	s, _ := newServer(t)
	whole := marshal(t, asking("GET", "/public/x"))
	more := protowire.AppendTag([]byte(whole), 90, protowire.Fixed32Type)
	more = protowire.AppendFixed32(more, 7)
	more = protowire.AppendTag(more, 91, protowire.Fixed64Type)
	more = protowire.AppendFixed64(more, 7)
	more = protowire.AppendVarint(protowire.AppendTag(more, 92, protowire.VarintType), 1<<60)
	more = protowire.AppendString(protowire.AppendTag(more, 93, protowire.BytesType), "text")
	if got := decode(t, s.answer(from("10.0.0.7"), question(more))); reason(got) != "PUBLIC" {
		t.Errorf("with unknown fields: %s", reason(got))
	}
	disabled, _ := newServer(t, func(c *gate.Config) { c.Disabled = true })
	for end := range whole {
		if end == 0 {
			continue // an empty message is whole
		}
		for _, s := range []*Server{s, disabled} {
			if got := decode(t, s.answer(from("10.0.0.7"), whole[:end])); reason(got) != "AMBIGUOUS_REQUEST" || shown(got) != 403 {
				t.Fatalf("cut off after %d: %d %s", end, shown(got), reason(got))
			}
		}
	}
	for what, broken := range map[string]question{
		"a group": "\x0b\x0c", "field 0": "\x02\x00", "wire type 7": "\x0f", "a length too long": "\x0a\x7f",
		"a varint too long":   "\x08" + question(strings.Repeat("\xff", 10)) + "\x01",
		"more than 64 bits":   "\x08" + question(strings.Repeat("\xff", 9)) + "\x02",
		"a fixed32 too short": "\x0d\x00", "a name that is not UTF-8": notUTF8(t),
	} {
		if got := decode(t, s.answer(from("10.0.0.7"), broken)); reason(got) != "AMBIGUOUS_REQUEST" || shown(got) != 403 {
			t.Errorf("%s: %d %s", what, shown(got), reason(got))
		}
	}
	if got := decode(t, s.answer(from("10.0.0.7"), "")); shown(got) != 403 {
		t.Errorf("an empty message: %d", shown(got))
	}
}

func notUTF8(t *testing.T) question {
	q := asking("GET", "/public/x", "xxuserxid", "evil")
	return question(strings.Replace(string(marshal(t, q)), "xxuserxid", "x\xffuser\xffid", 1))
}

func TestCutAgreesWithProtowire(t *testing.T) {
	raw := string(marshal(t, asking("GET", "/public/x", "cookie", "a=b").Attributes.Request.Http))
	for raw != "" {
		number, _, n := protowire.ConsumeField([]byte(raw))
		f, rest, ok := cut(raw)
		if !ok || len(raw)-len(rest) != n || f.number != 0 && f.number != number {
			t.Fatalf("cut %d bytes of field %d, protowire %d of %d", len(raw)-len(rest), f.number, n, number)
		}
		raw = rest
	}
}
