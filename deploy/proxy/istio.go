package proxy

import "errors"

func istio() family {
	return family{
		Kind:       Kind{Name: "istio", Summary: "Istio's CUSTOM authorization, for a gateway; -mode grpc (default) or http"},
		modes:      []string{"grpc", "http"},
		kubernetes: true,
		files:      one("istio.yaml"),
		check: func(s *site) error {
			if s.GRPC && s.Rule != "" {
				return errors.New("rule: Istio cannot name one over gRPC; use -mode http")
			}
			return nil
		},
	}
}

// Questions are the header names an HTTP check must carry where a proxy cannot be told to send all: what the gate reads,
// and the identity headers, which it names for removal.
func (s *site) Questions() []string {
	names := []string{
		"accept", "access-control-request-method", "authorization", "cookie", "origin", "sec-fetch-dest", "sec-fetch-mode",
		"sec-fetch-site", "sec-websocket-key", "upgrade", "x-api-key", "x-forwarded-for", "x-forwarded-proto", "x-request-id",
	}
	return append(names, s.Names...)
}
