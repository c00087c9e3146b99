package proxy

func ingressNginx() family {
	return family{
		Kind:       Kind{Name: "ingress-nginx", Summary: "annotations of the (retired) Ingress NGINX controller"},
		modes:      []string{"http"},
		kubernetes: true,
		files:      one("ingress-nginx.yaml"),
	}
}
