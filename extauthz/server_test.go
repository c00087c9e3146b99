package extauthz

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/usherauth/usher/gate"
)

var errTest = errors.New("connection refused")

// local is an in-memory listener whose connections come from an address.
type local struct {
	*bufconn.Listener
	address string
}

func (l local) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	return addressed{conn, l.address}, err
}

type addressed struct {
	net.Conn
	address string
}

func (a addressed) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.ParseIP(a.address), Port: 40000}
}

// serve starts a real gRPC server and returns a connection to it that comes from an address.
func serve(t testing.TB, address string, register func(*grpc.Server), options ...grpc.ServerOption) *grpc.ClientConn {
	t.Helper()
	listener := local{bufconn.Listen(1 << 20), address}
	server := grpc.NewServer(options...)
	register(server)
	done := make(chan error, 1)
	go func() { done <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///gate", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	must(t, err)
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return conn
}

func TestOverTheWire(t *testing.T) {
	s, sessions := newServer(t)
	conn := serve(t, "10.0.0.7", func(g *grpc.Server) { s.Register(g, health.NewServer()) }, ServerOptions()...)
	envoy := authv3.NewAuthorizationClient(conn)
	ask := func(q *authv3.CheckRequest) *authv3.CheckResponse {
		t.Helper()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		response, err := envoy.Check(ctx, q)
		if err != nil {
			t.Fatalf("an RPC error, which failure_mode_allow makes a pass: %v", err)
		}
		return response
	}
	signedIn := asking("GET", "/private", "cookie", "session=alice")
	if got := ask(signedIn); shown(got) != 200 || reason(got) != "SIGNED_IN" {
		t.Errorf("%v", got)
	}
	if got := ask(listed(signedIn)); shown(got) != 200 || reason(got) != "SIGNED_IN" {
		t.Errorf("%v", got)
	}
	if got := ask(new(authv3.CheckRequest)); shown(got) != 403 || reason(got) != "AMBIGUOUS_REQUEST" {
		t.Errorf("an empty question: %v", got)
	}
	sessions.Hang(true)
	start := time.Now()
	if got := ask(signedIn); shown(got) != 503 || reason(got) != "STORE_TIMEOUT" || time.Since(start) > 2*time.Second {
		t.Errorf("a store that hangs: %v after %v", got, time.Since(start))
	}
	sessions.Hang(false)

	// Messages that generated code cannot read: text that is not UTF-8, and no message at all.
	for what, raw := range map[string]question{"not UTF-8": notUTF8(t), "cut off": marshal(t, signedIn)[:20]} {
		response := new(authv3.CheckResponse)
		err := conn.Invoke(context.Background(), authv3.Authorization_Check_FullMethodName, unparsed(raw), response)
		if err != nil || shown(response) != 403 || reason(response) != "AMBIGUOUS_REQUEST" {
			t.Errorf("%s: %v, %v", what, response, err)
		}
	}
	answer, err := grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
	if err != nil || answer.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("health: %v, %v", answer, err)
	}
}

func TestTheServiceIsEnvoys(t *testing.T) {
	envoys := authv3.Authorization_ServiceDesc
	if serviceName != envoys.ServiceName || checkName != authv3.Authorization_Check_FullMethodName {
		t.Errorf("%s and %s are not %s and %s", serviceName, checkName, envoys.ServiceName, authv3.Authorization_Check_FullMethodName)
	}
	if len(envoys.Methods) != 1 || len(envoys.Streams) != 0 {
		t.Errorf("the service has %d methods and %d streams; ours has one method", len(envoys.Methods), len(envoys.Streams))
	}
	s, _ := newServer(t)
	g := grpc.NewServer()
	s.Register(g, nil)
	got := g.GetServiceInfo()[serviceName]
	if got.Metadata != envoys.Metadata || len(got.Methods) != 1 || got.Methods[0].Name != envoys.Methods[0].MethodName {
		t.Errorf("%+v; Envoy's own is %v", got, envoys.Metadata)
	}
}

func TestStrangersAreRefused(t *testing.T) {
	s, _ := newServer(t)
	conn := serve(t, "203.0.113.200", func(g *grpc.Server) { s.Register(g, nil) }, ServerOptions()...)
	got, err := authv3.NewAuthorizationClient(conn).Check(context.Background(), asking("GET", "/public/x", "x-forwarded-for", "10.0.0.7"))
	if err != nil || shown(got) != 403 || reason(got) != "UNTRUSTED_PROXY" {
		t.Errorf("%v, %v", got, err)
	}
	for what, ctx := range map[string]context.Context{
		"no peer":       context.Background(),
		"a Unix socket": peer.NewContext(context.Background(), &peer.Peer{Addr: &net.UnixAddr{Name: "@", Net: "unix"}}),
		"no address":    peer.NewContext(context.Background(), &peer.Peer{}),
	} {
		if got := decode(t, s.answer(ctx, marshal(t, asking("GET", "/public/x")))); reason(got) != "UNTRUSTED_PROXY" {
			t.Errorf("%s: %v", what, got)
		}
	}
	if got := decode(t, s.answer(from("::ffff:10.0.0.7"), marshal(t, asking("GET", "/public/x")))); reason(got) != "PUBLIC" {
		t.Errorf("an IPv4 address on an IPv6 listener: %v", got)
	}
}

// E08: our faults, and those of interceptors added later.
func TestPanicsAndErrorsAreRefusals(t *testing.T) {
	broken, _ := newServer(t, func(c *gate.Config) {
		c.Observe = func(*gate.Request, gate.Decision, time.Duration) { panic("observer") }
	})
	sound, _ := newServer(t)
	for what, c := range map[string]struct {
		server *Server
		then   grpc.UnaryServerInterceptor
	}{
		"the gate panics": {broken, nil},
		"an interceptor panics": {sound, func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			panic("interceptor")
		}},
		"an interceptor refuses": {sound, func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) {
			return nil, status.Error(codes.PermissionDenied, "no")
		}},
	} {
		options := ServerOptions()
		if c.then != nil {
			options = append(options, grpc.ChainUnaryInterceptor(c.then))
		}
		conn := serve(t, "10.0.0.7", func(g *grpc.Server) { c.server.Register(g, health.NewServer()) }, options...)
		for range 2 { // and the process lives on
			got, err := authv3.NewAuthorizationClient(conn).Check(context.Background(), asking("GET", "/public/x"))
			if err != nil || shown(got) != 503 || reason(got) != "INTERNAL_ERROR" {
				t.Errorf("%s: %v, %v", what, got, err)
			}
		}
		_, err := grpc_health_v1.NewHealthClient(conn).Check(context.Background(), &grpc_health_v1.HealthCheckRequest{})
		if (err != nil) != (c.then != nil) {
			t.Errorf("%s: health answers %v", what, err)
		}
	}
}

// Two people ask at once: nobody gets the other's identity.
func TestNoCrosstalk(t *testing.T) {
	s, _ := newServer(t)
	conn := serve(t, "10.0.0.7", func(g *grpc.Server) { s.Register(g, nil) }, ServerOptions()...)
	var group sync.WaitGroup
	for i := range 32 {
		person := []string{"alice", "bob"}[i%2]
		q := asking("GET", "/private?"+person, "cookie", "session="+person)
		group.Go(func() {
			for range 50 {
				got, err := authv3.NewAuthorizationClient(conn).Check(context.Background(), q)
				if err != nil {
					t.Error(err)
					return
				}
				for _, option := range got.GetOkResponse().GetHeaders() {
					if option.GetHeader().GetKey() == "X-User-Id" && option.GetHeader().GetValue() != "u-"+person {
						t.Errorf("%s is told %v", person, option)
					}
				}
				if user := got.GetDynamicMetadata().GetFields()["user_id"].GetStringValue(); user != "u-"+person {
					t.Errorf("%s is logged as %s", person, user)
				}
			}
		})
	}
	group.Wait()
}
