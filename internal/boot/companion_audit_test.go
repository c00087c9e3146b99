package boot

import (
	"bytes"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/telemetry"
	"github.com/usherauth/usher/oauth"
)

// TestSignInsAreAuditedAtEveryLevel: log.level is about what is of use now, the audit log about who did what.
func TestSignInsAreAuditedAtEveryLevel(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogConfig{Level: "error", Format: "json"})
	if err != nil {
		t.Fatal(err)
	}
	newAudit(log, telemetry.NewMetrics("v", "c")).signIn(oauth.Event{Kind: oauth.SignedIn, UserID: "u1"})
	if !strings.Contains(out.String(), `"msg":"audit","action":"sign-in"`) {
		t.Errorf("written is %q", out.String())
	}
}
