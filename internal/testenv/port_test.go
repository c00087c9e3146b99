package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Two processes get no port in common, however many they ask for.
func TestPortsOfTwoProcesses(t *testing.T) {
	const many = 2500 // of 12 000
	if os.Getenv("USHER_TEST_PORTS") != "" {
		for range many {
			fmt.Println("port", FreePort(t))
		}
		return
	}
	mine := make(map[string]bool)
	for range many {
		mine[fmt.Sprint("port ", FreePort(t))] = true
	}
	other := exec.Command(os.Args[0], "-test.run", "^TestPortsOfTwoProcesses$", "-test.v")
	other.Env = append(os.Environ(), "USHER_TEST_PORTS=1")
	out, err := other.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs := 0
	for line := range strings.Lines(string(out)) {
		line = strings.TrimSpace(line)
		if mine[line] {
			t.Errorf("%s twice", line)
		}
		if strings.HasPrefix(line, "port ") {
			theirs++
		}
	}
	if len(mine) != many || theirs != many {
		t.Errorf("%d and %d ports, not %d each", len(mine), theirs, many)
	}
}
