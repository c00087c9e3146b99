package proxy

func caddy() family {
	return family{
		Kind:  Kind{Name: "caddy", Summary: "Caddy; what forward_auth expands to, and what it lacks"},
		modes: []string{"http"},
		files: one("Caddyfile"),
	}
}

// OwnTLS reports whether Caddy is the one that browsers talk to, and therefore gets its certificate by itself.
func (s *site) OwnTLS() bool { return s.Scheme == "https" && s.Listen.Port == "443" }
