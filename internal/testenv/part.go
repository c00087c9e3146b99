package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// Part returns the path of a part: envoy, traefik, caddy, nginx, haproxy, postgres, initdb, redis-server, chromium,
// node or fastapi, a Python that has it. deploy/e2e/parts/install.sh decides where each one lives.
func Part(t testing.TB, name string) string {
	t.Helper()
	path, err := partPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func partPath(name string) (string, error) {
	paths, err := parts()
	if err != nil {
		return "", err
	}
	return pick(paths, name)
}

func pick(paths map[string]string, name string) (string, error) {
	path, known := paths[name]
	switch {
	case !known:
		return "", fmt.Errorf("testenv: there is no part called %q", name)
	case path == "":
		return "", fmt.Errorf("testenv: the part %q is missing: run `make parts`", name)
	}
	return path, nil
}

var parts = sync.OnceValues(askInstaller)

// askInstaller makes sure that tests and installation cannot disagree about a version.
func askInstaller() (map[string]string, error) {
	script, err := partsFile("install.sh")
	if err != nil {
		return nil, err
	}
	out, err := exec.Command(script, "--print").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, exit.Stderr)
		}
		return nil, fmt.Errorf("testenv: %s --print: %w", script, err)
	}
	paths := make(map[string]string)
	for line := range strings.Lines(string(out)) {
		if name, path, ok := strings.Cut(strings.TrimSpace(line), "="); ok {
			paths[name] = path
		}
	}
	return paths, nil
}

// partsFile finds a file below deploy/e2e/parts. Tests run in their package's folder, so the repository is above it.
func partsFile(name ...string) (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	below := filepath.Join("deploy", "e2e", "parts")
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, below, "install.sh")); err == nil {
			return filepath.Join(append([]string{dir, below}, name...)...), nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("testenv: no %s above %s", filepath.Join(below, "install.sh"), start)
		}
	}
}
