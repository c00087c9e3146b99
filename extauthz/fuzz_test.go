package extauthz

import (
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/usherauth/usher/gate"
)

// FuzzCheckRequest: any bytes get an answer that can be read; nobody passes as somebody without a credential; and what
// is read is what the generated code reads.
func FuzzCheckRequest(f *testing.F) {
	for _, q := range []*authv3.CheckRequest{
		{},
		asking("GET", "/feed", "authorization", "Bearer "+serviceToken, "x-user-id", "u-alice"), asking("GET", "/private", "x-user-id", "u-bob"),
		asking("GET", "/public/x"), asking("GET", "/private", "cookie", "session=alice", "x-user-id", "evil", "x_user_id", "evil"),
		asking("POST", "/feed?x", "authorization", "Bearer bob", "x-org-id", "acme", "x.org.id", "evil"),
		asking("GET", "/private", "accept", "text/html", "upgrade", "websocket", "connection", "upgrade, x-user-id"),
		asking("OPTIONS", "/private", "origin", "https://a.test", "access-control-request-method", "PUT", "host", "evil.test"),
	} {
		f.Add([]byte(marshal(f, q)))
		if q.Attributes != nil {
			f.Add([]byte(marshal(f, listed(q))))
			q.Attributes.ContextExtensions = map[string]string{"rule": "admin"}
			f.Add([]byte(marshal(f, q)))
			q.Attributes.Source.Principal = "spiffe://prod/agent"
			f.Add([]byte(marshal(f, q)))
			f.Add(append([]byte(marshal(f, q)), marshal(f, q)...)) // what comes twice is merged
		}
	}
	s, _ := newServer(f, func(c *gate.Config) { c.Callers = agents(f) })
	ctx := from("10.0.0.7")
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := decode(t, s.answer(ctx, question(raw)))
		allow, refusal := got.GetOkResponse() != nil, got.GetDeniedResponse() != nil
		if got.GetStatus() == nil || allow == refusal || allow != (got.GetStatus().GetCode() == 0) {
			t.Errorf("neither an allow nor a refusal: %v", got)
		}
		if reason(got) == string(gate.InternalError) {
			t.Errorf("we are at fault: %v", got)
		}
		credential := false
		for token := range people() {
			credential = credential || strings.Contains(string(raw), token)
		}
		credential = credential || strings.Contains(string(raw), serviceToken) || strings.Contains(string(raw), "spiffe://prod/agent")
		if len(got.GetOkResponse().GetHeaders()) > 0 && !credential {
			t.Errorf("nobody passes as %v", got.GetOkResponse().GetHeaders())
		}
		for _, option := range got.GetDeniedResponse().GetHeaders() {
			if s.headers.Value(option.GetHeader().GetValue()) != option.GetHeader().GetValue() && option.GetHeader().GetKey() != "Location" {
				t.Errorf("header %v", option)
			}
		}
		compare(t, s, raw)
	})
}

// compare reads the message with the generated code as well.
func compare(t *testing.T, s *Server, raw []byte) {
	t.Helper()
	q := new(authv3.CheckRequest)
	if proto.Unmarshal(raw, q) != nil {
		return
	}
	r := new(gate.Request)
	if !s.readInto(r, question(raw), askerOf(from("10.0.0.7"))) {
		return // groups, which nobody sends, and names that are not UTF-8: refused
	}
	http := q.GetAttributes().GetRequest().GetHttp()
	if r.Method != http.GetMethod() || r.Target != http.GetPath() || r.Host != http.GetHost() || r.Scheme != http.GetScheme() ||
		r.SPIFFE != q.GetAttributes().GetSource().GetPrincipal() ||
		r.Rule != q.GetAttributes().GetContextExtensions()["rule"] && r.Rule == "" {
		t.Errorf("read as %+v, by generated code as %v", r, q)
	}
	again := new(gate.Request)
	for name, value := range http.GetHeaders() {
		if name == "" || name[0] != ':' {
			s.headers.Collect(again, name, value)
		}
	}
	for _, header := range http.GetHeaderMap().GetHeaders() {
		if value := header.GetRawValue(); len(value) > 0 {
			s.headers.Collect(again, header.GetKey(), string(value))
		} else {
			s.headers.Collect(again, header.GetKey(), header.GetValue())
		}
	}
	// A map with a name twice is one entry to generated code; ours has seen both, and so is stricter.
	if len(r.Sent) < len(again.Sent) || len(r.Aliases) < len(again.Aliases) || len(r.Cookies) < len(again.Cookies) ||
		again.Fault != "" && r.Fault == "" {
		t.Errorf("read as %+v, by generated code as %+v", r, again)
	}
}
