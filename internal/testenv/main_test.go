package testenv

import (
	"testing"

	"go.uber.org/goleak"
)

// Packages that look for leaks use this one, shared server included.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
