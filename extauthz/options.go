package extauthz

import (
	"context"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

const (
	connectionAge   = 5 * time.Minute  // then Envoy connects again and may find another replica
	connectionGrace = 10 * time.Second // for checks under way; the gate answers within 2 s
	pingInterval    = 10 * time.Second // Envoy's connection_keepalive may ping as often
	longestMessage  = 256 << 10        // Envoy's own limit for all headers of a request is 60 KiB by default
	mostStreams     = 256              // of one connection: with the longest message, 64 MiB that a caller can make us hold
	window          = 1 << 20          // of one connection, for messages nobody has read yet; checks are read at once
	streamWorkers   = 32               // goroutines that stay warm: their stacks have grown already
)

// ServerOptions are what a grpc.Server for Envoy must be made with.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		withCodec(),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionAge: connectionAge, MaxConnectionAgeGrace: connectionGrace}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingInterval, PermitWithoutStream: true}),
		grpc.MaxRecvMsgSize(longestMessage),
		// Windows of a fixed size: finding a better one takes a ping for each batch of messages, a twentieth of a check.
		grpc.StaticConnWindowSize(window),
		grpc.StaticStreamWindowSize(longestMessage),
		grpc.MaxConcurrentStreams(mostStreams),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.ChainUnaryInterceptor(recovered),
	}
}

// recovered makes a panic or an error anywhere in a check, also in an interceptor added later, a denial: the process
// lives on, and Envoy does not hear an RPC error, which may let the request pass.
func recovered(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (response any, err error) {
	server, ours := info.Server.(*Server)
	defer func() {
		if v := recover(); v != nil {
			err = status.Error(codes.Internal, "internal error")
			if ours {
				server.complain("extauthz: panic", v)
			}
		}
		if ours && err != nil {
			response, err = encode(broken()), nil // what was begun is left to whoever still runs with it
		}
	}()
	return next(ctx, request)
}
