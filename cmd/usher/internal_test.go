package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestInternalCallers is a service's life: its token is made by the command and admitted by the line that it printed;
// every use is in the audit log, at whatever level; and a token whose hash is taken out is worth nothing after SIGHUP.
func TestInternalCallers(t *testing.T) {
	agent, again, cron := makeCaller("agent"), makeCaller("agent"), makeCaller("cron")
	callers := func(lines ...string) string {
		return "internal:\n  callers:\n    " + strings.Join(lines, "\n    ") + "\n"
	}
	base := "log: { level: error, format: json, decisions: { allowed: 0, refused: 0 } }\nrules:\n  - { name: jobs, path: /jobs/**, internal: true }\n"
	s := startServe(t, base+callers(agent.Config, strings.Replace(cron.Config, "}", ", rules: [jobs] }", 1)))
	as := func(token, user, target string) *http.Response {
		t.Helper()
		headers := map[string]string{"Authorization": "Bearer " + token}
		if user != "" {
			headers["X-User-Id"] = user
		}
		return s.askWith(t, target, headers)
	}
	want := func(r *http.Response, status int, reason, user, caller string) {
		t.Helper()
		if r.StatusCode != status || r.Header.Get("X-Usher-Reason") != reason || r.Header.Get("X-User-Id") != user || r.Header.Get("X-Internal-Caller") != caller {
			t.Errorf("got %d %v, want %d %s as %q by %q", r.StatusCode, r.Header, status, reason, user, caller)
		}
		if r.Header.Get("Authorization") != "" {
			t.Error("the token is said back")
		}
	}
	want(as(agent.Token, s.ada.UserID, "/x?secret=1"), 200, "INTERNAL", s.ada.UserID, "agent")
	want(as(agent.Token, "", "/jobs/nightly"), 200, "INTERNAL", "", "agent")
	want(as(cron.Token, s.bea.UserID, "/x"), 403, "CALLER_NOT_ALLOWED", "", "")
	want(as(agent.Token, "nobody, at all", "/x"), 403, "AMBIGUOUS_REQUEST", "", "")
	want(as(again.Token, s.ada.UserID, "/x"), 401, "UNKNOWN_CALLER", "", "")
	want(as(agent.TokenSHA256, s.ada.UserID, "/x"), 401, "SESSION_UNKNOWN", "", "")
	want(s.askWith(t, "/x", map[string]string{"X-User-Id": s.ada.UserID}), 401, "NO_CREDENTIAL", "", "")
	want(s.askWith(t, "/x", map[string]string{"X-User-Id": s.ada.UserID, "Cookie": s.bea.Cookie}), 200, "SIGNED_IN", s.bea.UserID, "")

	_, metrics := s.get(t, "/metrics")
	for _, line := range []string{
		`usher_internal_requests_total{caller="agent",verdict="allow"} 2`, `usher_internal_requests_total{caller="agent",verdict="deny"} 1`,
		`usher_internal_requests_total{caller="cron",verdict="deny"} 1`,
	} {
		if !strings.Contains(metrics, line+"\n") {
			t.Errorf("/metrics lacks %s", line)
		}
	}
	s.proc.WaitLine(t, "AMBIGUOUS_REQUEST")
	wantAudit(t, s, []string{
		"agent " + s.ada.UserID + "  default GET app.test /x allow INTERNAL", "agent   jobs GET app.test /jobs/nightly allow INTERNAL",
		"cron " + s.bea.UserID + "  default GET app.test /x deny CALLER_NOT_ALLOWED", "agent nobody, at all  default GET app.test /x deny AMBIGUOUS_REQUEST",
	})

	// The second token beside the first, and then alone.
	old, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	both := strings.Replace(string(old), agent.TokenSHA256+`"`, agent.TokenSHA256+`", "`+again.TokenSHA256+`"`, 1)
	for round, c := range []struct {
		yaml       string
		first, now int
	}{{both, 200, 200}, {strings.Replace(both, `"`+agent.TokenSHA256+`", `, "", 1), 401, 200}} {
		s.write(t, c.yaml)
		s.proc.Signal(syscall.SIGHUP)
		s.awaitStatus(t, c.now, func() *http.Response { return as(again.Token, s.ada.UserID, "/x") })
		s.awaitStatus(t, c.first, func() *http.Response { return as(agent.Token, s.ada.UserID, "/x") })
		if t.Failed() {
			t.Fatalf("round %d", round)
		}
	}
	log := s.proc.Output()
	for _, secret := range []string{agent.Token, again.Token, "secret=1"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %.8s…", secret)
		}
	}
}

// wantAudit demands these audit lines, in order, and that nothing else is written.
func wantAudit(t *testing.T, s *served, want []string) {
	t.Helper()
	var got []string
	for line := range strings.Lines(s.proc.Output()) {
		fields := map[string]string{}
		var raw map[string]any
		if err := json.Unmarshal([]byte(line), &raw); err != nil {
			continue
		}
		for name, value := range raw {
			fields[name] = fmt.Sprint(value)
		}
		if fields["msg"] != "audit" || fields["action"] != "internal" || fields["level"] != "INFO" {
			t.Errorf("at this level: %s", line)
			continue
		}
		got = append(got, strings.Join([]string{
			fields["caller"], fields["user_id"], fields["org_id"], fields["rule"], fields["method"], fields["host"], fields["path"], fields["verdict"], fields["reason"],
		}, " "))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
