package proxy

func istio() family {
	return family{Kind: Kind{"istio", "x"}, modes: []string{"grpc", "http"}, kubernetes: true, files: one("nginx.conf")}
}
func envoyGateway() family {
	return family{Kind: Kind{"envoy-gateway", "x"}, modes: []string{"grpc", "http"}, kubernetes: true, files: one("nginx.conf")}
}
func gatewayAPI() family {
	return family{Kind: Kind{"gateway-api", "x"}, modes: []string{"grpc", "http"}, kubernetes: true, files: one("nginx.conf")}
}
func ingressNginx() family {
	return family{Kind: Kind{"ingress-nginx", "x"}, modes: []string{"http"}, kubernetes: true, files: one("nginx.conf")}
}
