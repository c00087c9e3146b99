package telemetry

import (
	"bytes"
	"strings"
	"testing"
)

// No level of the log silences the audit log, in no format.
func TestTheAuditLogHasNoLevel(t *testing.T) {
	for _, level := range []string{"", "debug", "info", "warn", "error"} {
		for format, want := range map[string]string{
			"json": `"level":"INFO","msg":"audit","action":"sign-in","user_id":"u\n1","client":"` + strings.Repeat("x", 128) + `…"}`,
			"text": `level=INFO msg=audit action=sign-in user_id="u\n1" client=` + strings.Repeat("x", 128) + "…",
		} {
			var b bytes.Buffer
			log, err := NewLogger(&b, LogConfig{Level: level, Format: format})
			if err != nil {
				t.Fatal(err)
			}
			Audit(log, "sign-in", "provider", "", "user_id", "u\n1", "client", strings.Repeat("x", 1000))
			line := b.String()
			if !strings.Contains(line, want) || strings.Count(line, "\n") != 1 || !strings.Contains(line, "time") || strings.Contains(line, "provider") {
				t.Errorf("level %q, %s: %s", level, format, line)
			}
		}
	}
}
