package gate_test

import (
	"testing"

	"github.com/usherauth/usher/gate"
)

// What a request carries beside its method and its path must not let it be judged as one thing and served as another.
func TestWhatIsJudgedIsWhatIsServed(t *testing.T) {
	policy, err := gate.NewPolicy([]gate.Rule{
		{Path: "/things/**", Methods: []string{"GET", "POST"}, Access: gate.Open},
		{Path: "/open/**", Access: gate.Open},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, nil, func(c *gate.Config) { c.Policy = policy })
	for _, c := range []struct {
		it, method, path, name, value, want string
	}{
		{"no override", "POST", "/things/1", "X-Other", "x", "allow PUBLIC"},
		{"an override to what another rule judges", "POST", "/things/1", "X-HTTP-Method-Override", "DELETE", "deny AMBIGUOUS_REQUEST"},
		{"its like", "GET", "/things/1", "X-Method-Override", "delete", "deny AMBIGUOUS_REQUEST"},
		{"its other like", "POST", "/things/1", "X-HTTP-Method", "PATCH", "deny AMBIGUOUS_REQUEST"},
		{"an alias of it", "POST", "/things/1", "X_HTTP_Method_Override", "DELETE", "deny AMBIGUOUS_REQUEST"},
		{"an override within one rule", "POST", "/things/1", "X-HTTP-Method-Override", "GET", "allow PUBLIC"},
		{"an override where methods do not matter", "POST", "/open/1", "X-HTTP-Method-Override", "DELETE", "allow PUBLIC"},
		{"h2c, a tunnel past the gate", "GET", "/open/1", "Upgrade", "h2c", "deny AMBIGUOUS_REQUEST"},
		{"h2c beside websocket", "GET", "/open/1", "Upgrade", "websocket, h2c", "deny AMBIGUOUS_REQUEST"},
		{"a WebSocket", "GET", "/open/1", "Upgrade", "WebSocket", "allow PUBLIC"},
	} {
		t.Run(c.it, func(t *testing.T) {
			r := &gate.Request{Method: c.method, Scheme: "https", Host: "app.test", Target: c.path}
			w.Headers().Collect(r, c.name, c.value)
			if got := verdict(w.Check(t.Context(), r)); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("a handshake is no preflight", func(t *testing.T) {
		r := &gate.Request{Method: "OPTIONS", Scheme: "https", Host: "app.test", Target: "/private", Origin: "https://app.test", Announced: "GET", Upgrade: true}
		if got := verdict(w.Check(t.Context(), r)); got != "sign-in NO_CREDENTIAL" {
			t.Errorf("got %s", got)
		}
	})
}
