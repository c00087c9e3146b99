package extauthz

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
)

// now is when every test happens.
var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

// people by token.
func people() map[string]*gate.Principal {
	person := func(id string) *gate.Principal {
		return &gate.Principal{
			Session:     gate.Session{ID: "s-" + id, CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)},
			User:        gate.User{ID: "u-" + id, Name: "Zoë " + id, Email: id + "@app.test", EmailVerified: true, Roles: "user"},
			Memberships: []gate.Membership{{OrganizationID: "o-" + id, Slug: id, Name: "Org", Roles: "owner"}},
		}
	}
	return map[string]*gate.Principal{"alice": person("alice"), "bob": person("bob")}
}

func newServer(t testing.TB, adjust ...func(*gate.Config)) (*Server, *gatetest.Resolver) {
	t.Helper()
	preset, _ := gate.Preset("usher")
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id"})
	must(t, err)
	policy, err := gate.NewPolicy([]gate.Rule{
		{Path: "/public/**", Access: gate.Open},
		{Path: "/feed", Access: gate.Optional},
		{Name: "admin", Path: "/admin/**", OrgRoles: []string{"owner"}},
	})
	must(t, err)
	sessions := gatetest.NewResolver(people())
	config := gate.Config{
		Reader: gatetest.Reader{}, Resolver: sessions, Headers: headers, Policy: policy,
		OrgSources: []gate.OrgSource{gate.OrgFromHeader, gate.OrgFromFirst}, SignInURL: "https://app.test/sign-in",
		Timeout: 50 * time.Millisecond, Now: func() time.Time { return now },
	}
	for _, f := range adjust {
		f(&config)
	}
	g, err := gate.New(config)
	must(t, err)
	proxies, err := gate.NewProxies([]string{"10.0.0.0/8", "127.0.0.1"})
	must(t, err)
	s, err := New(Config{Gate: g, Proxies: proxies})
	must(t, err)
	return s, sessions
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// from is a call from this address.
func from(address string) context.Context {
	addr := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(address), 40000))
	return peer.NewContext(context.Background(), &peer.Peer{Addr: addr})
}

// asking is a CheckRequest with headers in the map.
func asking(method, path string, headers ...string) *authv3.CheckRequest {
	http := &authv3.AttributeContext_HttpRequest{
		Method: method, Path: path, Host: "app.test", Scheme: "https",
		Headers: map[string]string{":method": method, ":path": path, ":authority": "app.test", ":scheme": "https"},
	}
	for i := 0; i < len(headers); i += 2 {
		http.Headers[headers[i]] = headers[i+1]
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:  &authv3.AttributeContext_Peer{Address: socket("203.0.113.50")},
		Request: &authv3.AttributeContext_Request{Http: http},
	}}
}

func socket(address string) *corev3.Address {
	return &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
	}}}
}

// listed moves the headers of a question into the list, as encode_raw_headers does.
func listed(q *authv3.CheckRequest) *authv3.CheckRequest {
	q = proto.CloneOf(q)
	http := q.Attributes.Request.Http
	http.HeaderMap = &corev3.HeaderMap{}
	for name, value := range http.Headers {
		http.HeaderMap.Headers = append(http.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte(value)})
	}
	http.Headers = nil
	return q
}

func marshal(t testing.TB, m proto.Message) question {
	t.Helper()
	raw, err := proto.Marshal(m)
	must(t, err)
	return question(raw)
}

// unparsed is a message of these bytes, whether or not anybody can read it: one without fields keeps all it is given.
func unparsed(raw question) *emptypb.Empty {
	m := new(emptypb.Empty)
	m.ProtoReflect().SetUnknown([]byte(raw))
	return m
}

func decode(t testing.TB, raw []byte) *authv3.CheckResponse {
	t.Helper()
	response := new(authv3.CheckResponse)
	must(t, proto.Unmarshal(raw, response))
	return response
}

func reason(r *authv3.CheckResponse) string {
	return r.GetDynamicMetadata().GetFields()["reason"].GetStringValue()
}

// shown is the status the client sees: 200 when Envoy lets the request pass.
func shown(r *authv3.CheckResponse) int {
	if r.GetStatus().GetCode() == 0 {
		return 200
	}
	return int(r.GetDeniedResponse().GetStatus().GetCode())
}

// switches are the two ways a header says whether it replaces the client's: the obsolete one and its successor.
func switches(o *corev3.HeaderValueOption) (*wrapperspb.BoolValue, corev3.HeaderValueOption_HeaderAppendAction) {
	//lint:ignore SA1019 every Envoy of today reads this one, and ignores the other
	return o.GetAppend(), o.GetAppendAction()
}

// readInto is read, into a request that outlives the exchange.
func (s *Server) readInto(q *gate.Request, raw question, asker netip.Addr) (whole bool) {
	x := &exchange{server: s, asked: raw}
	whole = s.read(x, asker)
	*q = x.request
	return whole
}
