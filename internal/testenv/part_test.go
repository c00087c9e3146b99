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
		"fastapi":      {"-c", "import fastapi, psycopg, uvicorn; print('fastapi', fastapi.__version__)", "fastapi 0."},
	}
	for name, call := range says {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := exec.Command(Part(t, name), call[:len(call)-1]...).CombinedOutput()
			if err != nil {
				t.Fatal(err)
			}
			if want := call[len(call)-1]; !strings.Contains(string(out), want) {
				t.Errorf("%s %s says %q, which lacks %q", name, call[0], out, want)
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
