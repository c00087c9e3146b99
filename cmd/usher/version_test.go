package main

import (
	"os"
	"strings"
	"testing"
)

// TestTestedVersions compares what `usher version` says with what deploy/e2e/parts fetches. nginx, HAProxy and PostgreSQL
// come from the distribution, so nothing here pins them.
func TestTestedVersions(t *testing.T) {
	pinned := map[string]struct{ file, before string }{
		"Better Auth": {"betterauth/package.json", "better-auth@"},
		"Envoy":       {"install.sh", "envoy_version="},
		"Traefik":     {"traefik/go.mod", "github.com/traefik/traefik/v3 v"},
		"Caddy":       {"caddy/go.mod", "github.com/caddyserver/caddy/v2 v"},
	}
	checked := 0
	for _, tested := range testedWith {
		where, ok := pinned[tested.Name]
		if !ok {
			continue
		}
		content, err := os.ReadFile("../../deploy/e2e/parts/" + where.file)
		if err != nil {
			t.Fatal(err)
		}
		for _, version := range tested.Versions {
			checked++
			if !strings.Contains(string(content), where.before+version) {
				t.Errorf("%s %s is not what %s fetches", tested.Name, version, where.file)
			}
		}
	}
	if checked != 5 {
		t.Errorf("compared %d versions, want 5", checked)
	}
}
