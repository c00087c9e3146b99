package proxy

func envoyGateway() family {
	return family{
		Kind:       Kind{Name: "envoy-gateway", Summary: "Envoy Gateway's SecurityPolicy; -mode grpc (default) or http"},
		modes:      []string{"grpc", "http"},
		kubernetes: true,
		files:      one("envoy-gateway.yaml"),
	}
}
