package proxy

func nginx() family {
	return family{
		Kind:  Kind{Name: "nginx", Summary: "nginx with auth_request; one complete nginx.conf"},
		modes: []string{"http"},
		files: one("nginx.conf"),
	}
}
