package proxy

// traefik reads one file twice: as its static configuration, of which it takes the keys it knows, and as the dynamic one
// that the file provider is pointed at.
func traefik() family {
	return family{
		Kind:  Kind{"traefik", "Traefik's forwardAuth, on the entry point"},
		modes: []string{"http"},
		files: one("traefik.yml"),
	}
}
