package testenv

import (
	"os/exec"
	"strings"
	"testing"
)

func TestEveryPartIsThereAndRuns(t *testing.T) {
	says := map[string][]string{
		"envoy":        {"--version", "1.40.0"},
		"traefik":      {"version", "linux/"},
		"caddy":        {"build-info", "v2.11.9"},
		"nginx":        {"-v", "nginx version"},
		"haproxy":      {"-v", "HAProxy version"},
		"postgres":     {"--version", "PostgreSQL"},
		"initdb":       {"--version", "PostgreSQL"},
		"redis-server": {"--version", "Redis server"},
		"chromium":     {"--version", "Chrom"},
		"node":         {"--version", "v"},
	}
	for name, call := range says {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command(Part(t, name), call[0]).CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(out), call[1]) {
				t.Errorf("%s %s says %q, which lacks %q", name, call[0], out, call[1])
			}
		})
	}
}

func TestAMissingPartIsNamedWithTheRemedy(t *testing.T) {
	t.Setenv("USHER_CACHE", t.TempDir())
	paths, err := askInstaller()
	if err != nil {
		t.Fatal(err)
	}
	_, err = pick(paths, "traefik")
	if err == nil || !strings.Contains(err.Error(), "traefik") || !strings.Contains(err.Error(), "make parts") {
		t.Errorf("error = %v, want one that names the part and `make parts`", err)
	}
	if _, err := pick(paths, "apache"); err == nil || !strings.Contains(err.Error(), "apache") {
		t.Errorf("error = %v for a part nobody has heard of", err)
	}
}
