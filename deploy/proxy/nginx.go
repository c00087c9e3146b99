package proxy

func nginx() family {
	return family{
		Kind:  Kind{"nginx", "nginx with auth_request; one complete nginx.conf"},
		modes: []string{"http"},
		files: one("nginx.conf"),
	}
}
