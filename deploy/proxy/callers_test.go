package proxy

import (
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
)

// TestInternalCallers: what names a user reaches the gate where there are callers, and nowhere else; what proves a caller
// reaches no backend, or the file says so.
func TestInternalCallers(t *testing.T) {
	const removes, loud = "remove: x-user-id\n", "INTERNAL CALLERS"
	for _, f := range families() {
		for _, mode := range f.modes {
			whole := func(p Params) string {
				p.Mode = mode
				text := ""
				for _, file := range render(t, f.Name, p) {
					text += file.Content
				}
				return text
			}
			without, with := whole(Params{}), whole(Params{Callers: true})
			switch f.Name {
			case "envoy", "istio":
				if !strings.Contains(without, removes) || strings.Contains(with, removes) {
					t.Errorf("%s %s: the client's user is removed too late, or too early", f.Name, mode)
				}
			case "envoy-gateway":
				if before, after := strings.Count(without, "- x-user-id\n"), strings.Count(with, "- x-user-id\n"); before != after+1 {
					t.Errorf("%s %s: x-user-id is named %d and %d times", f.Name, mode, before, after)
				}
			case "traefik", "ingress-nginx":
				if strings.Contains(without, "Authorization") || !strings.Contains(with, "Authorization") {
					t.Errorf("%s: Authorization is named without callers, or not with them", f.Name)
				}
			case "gateway-api":
				if strings.Contains(without, loud) || !strings.Contains(with, loud) {
					t.Errorf("%s %s does not say what it cannot", f.Name, mode)
				}
			default:
				if without != with || !strings.Contains(with, gate.ServiceTokens) {
					t.Errorf("%s: the token is not dropped, or not always", f.Name)
				}
			}
			if again := whole(Params{Callers: true, Headers: headers(t, map[gate.Field]string{gate.UserID: "X-Uid"}, "")}); strings.Contains(again, "remove: x-uid\n") {
				t.Errorf("%s %s: another name than the configuration's", f.Name, mode)
			}
		}
	}
}
