package extauthz

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"slices"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/peer"

	"github.com/usherauth/usher/gate"
)

// Config is what a Server needs.
type Config struct {
	Gate    *gate.Gate   // required
	Proxies gate.Proxies // who may ask; zero: nobody
	Log     *slog.Logger // hears of our own faults; nil: nobody does. Decisions are the gate's to observe
}

// Server answers Envoy. It is safe for concurrent use. Its zero value refuses everything.
type Server struct {
	gate    *gate.Gate
	headers *gate.Headers
	proxies gate.Proxies
	log     *slog.Logger

	info      grpc.UnaryServerInfo // what interceptors are told of a check
	exchanges sync.Pool
	replies   replies
}

// The names of the service. go-control-plane says the same, and more: whatever is linked is initialised, and its messages,
// with all that they refer to, are a tenth of a start. TestTheServiceIsEnvoys compares.
const (
	serviceName = "envoy.service.auth.v3.Authorization"
	checkName   = "/" + serviceName + "/Check"
)

// New makes a Server.
func New(c Config) (*Server, error) {
	if c.Gate == nil {
		return nil, errors.New("extauthz: Gate is required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{gate: c.Gate, headers: c.Gate.Headers(), proxies: c.Proxies, log: c.Log}
	s.info = grpc.UnaryServerInfo{Server: s, FullMethod: checkName}
	return s, nil
}

// Register adds the service to a server made with ServerOptions, and the health service beside it unless it is nil.
func (s *Server) Register(server grpc.ServiceRegistrar, health grpc_health_v1.HealthServer) {
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: serviceName,
		HandlerType: (*any)(nil), // grpc-go would compare s with it
		Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: check}},
		Metadata:    "envoy/service/auth/v3/external_auth.proto",
	}, s)
	if health != nil {
		grpc_health_v1.RegisterHealthServer(server, health)
	}
}

// check is what a grpc.Server calls.
func check(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	s := server.(*Server)
	x := s.begin()
	if err := decode(x); err != nil {
		return nil, err // the message is too long or broke off; grpc-go has told Envoy already
	}
	if intercept == nil {
		return judged(ctx, x)
	}
	info := &s.info
	if info.Server == nil { // the zero Server
		info = &grpc.UnaryServerInfo{Server: s, FullMethod: checkName}
	}
	return intercept(ctx, x, info, judged)
}

// judged is the handler behind interceptors.
func judged(ctx context.Context, asked any) (any, error) {
	x := asked.(*exchange)
	if !x.server.judge(ctx, x) {
		return encode(broken()), nil
	}
	return x, nil
}

// Answer judges an encoded CheckRequest and returns the encoded CheckResponse: the same path as over the wire, for callers
// in the same process. It has an answer to everything. Who asks is the peer in ctx.
func (s *Server) Answer(ctx context.Context, request []byte) []byte {
	return s.answer(ctx, question(request))
}

func (s *Server) answer(ctx context.Context, asked question) reply {
	x := s.begin()
	x.asked = asked
	if !s.judge(ctx, x) {
		return encode(broken())
	}
	response := reply(slices.Clone(*x.reply))
	s.replies.Put(x.reply)
	s.end(x)
	return response
}

// judge answers the question of an exchange. It reports false when something panicked: the exchange is lost then.
func (s *Server) judge(ctx context.Context, x *exchange) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			ok = false
			s.complain("extauthz: panic", v)
		}
	}()
	q := &x.request
	q.Edge = "envoy-grpc"
	whole := true
	if asker := askerOf(ctx); s.proxies.Trusts(asker) {
		whole = s.read(x, asker)
	} else {
		q.Client = asker
		q.Refuse(gate.UntrustedProxy)
	}
	d := s.gate.Check(ctx, q)
	if !whole && d.Verdict == gate.Allow { // a gate that is switched off passes everybody, but not headers it has not seen
		d = gate.Decision{Reason: gate.AmbiguousRequest}
	}
	x.encode(&d)
	return true
}

func (s *Server) complain(what string, v any) {
	if s.log != nil {
		s.log.Error(what, "panic", fmt.Sprint(v), "stack", string(debug.Stack()))
	}
}

// askerOf is the address of the connection's other end; the zero Addr, which nobody trusts, where it has none.
func askerOf(ctx context.Context) netip.Addr {
	p, ok := peer.FromContext(ctx)
	if !ok {
		return netip.Addr{}
	}
	if tcp, ok := p.Addr.(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}
