package proxy

import "errors"

func gatewayAPI() family {
	return family{
		Kind:       Kind{Name: "gateway-api", Summary: "the Gateway API's ExternalAuth filter; -mode grpc (default) or http"},
		modes:      []string{"grpc", "http"},
		kubernetes: true,
		files:      one("gateway-api.yaml"),
		check: func(s *site) error {
			if s.GRPC && s.Rule != "" {
				return errors.New("rule: the Gateway API cannot name one over gRPC; use -mode http")
			}
			return nil
		},
	}
}
