package proxy

// traefik reads one file twice: as its static configuration, of which it takes the keys it knows, and as the dynamic one
// that the file provider is pointed at.
func traefik() family {
	return family{
		Kind:  Kind{Name: "traefik", Summary: "Traefik's forwardAuth, on the entry point", AsksAboutPages: true},
		modes: []string{"http"},
		files: one("traefik.yml"),
	}
}
