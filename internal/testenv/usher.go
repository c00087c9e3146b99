package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// RunWithUsher builds the program under test, tells where it is, runs the tests, and returns their exit code: for a
// TestMain.
func RunWithUsher(m *testing.M, binary *string) int {
	dir, err := os.MkdirTemp("", "usher-under-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	*binary = filepath.Join(dir, "usher")
	build := exec.Command("go", "build", "-o", *binary, "github.com/usherauth/usher/cmd/usher")
	build.Stdout, build.Stderr = os.Stdout, os.Stderr
	if err := build.Run(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv: building usher:", err)
		return 1
	}
	return m.Run()
}
