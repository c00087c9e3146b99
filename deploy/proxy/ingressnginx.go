package proxy

func ingressNginx() family {
	return family{
		Kind:       Kind{"ingress-nginx", "annotations of the (retired) Ingress NGINX controller"},
		modes:      []string{"http"},
		kubernetes: true,
		files:      one("ingress-nginx.yaml"),
	}
}
