package companion

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

// replica is another Usher of a site.
type replica struct {
	url  *url.URL
	ops  string // URL
	proc *testenv.Proc
}

// another starts one more Usher with the site's configuration, each line changed, and more flags, and waits for a line of
// its log.
func (s *site) another(t *testing.T, change func(line string) string, ready string, flags ...string) replica {
	t.Helper()
	r := replica{url: parse(t, fmt.Sprintf("http://127.0.0.1:%d", testenv.FreePort(t))), ops: fmt.Sprintf("http://127.0.0.1:%d", testenv.FreePort(t))}
	file := filepath.Join(t.TempDir(), "usher.yaml")
	content := fmt.Sprintf("listen: { http: %q, grpc: \"off\", ops: %q }\nlog: { format: json }\n", r.url.Host, strings.TrimPrefix(r.ops, "http://"))
	for _, line := range s.lines {
		content += change(line) + "\n"
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	r.proc = testenv.Start(t, testenv.Command{Path: binary, Args: append([]string{"serve", "-config", file}, flags...), Env: []string{"PATH=" + os.Getenv("PATH")}})
	r.proc.WaitListening(t, r.url.Host)
	r.proc.WaitLine(t, ready)
	return r
}

// come opens a URL of the site, at whoever answers it now; it may run beside others.
func (b *browser) come(target string) (answer, error) { return b.comeTo("", target) }

// comeTo opens a URL of the site at one of its servers.
func (b *browser) comeTo(server, target string) (answer, error) {
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, target, nil)
	if err != nil {
		return answer{}, err
	}
	if server != "" {
		r.Host, r.URL.Host = r.URL.Host, server
		r.Header.Set("X-Forwarded-Host", r.Host)
		r.Header.Set("X-Forwarded-Proto", "http")
	}
	response, err := b.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return answer{response, string(text)}, err
}

// asTraefik asks the gate of a server about this browser.
func (b *browser) asTraefik(server *url.URL) answer {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, server.String()+"/gate/traefik", nil)
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Proto": "http", "X-Forwarded-Host": "app.test", "X-Forwarded-Uri": "/private",
	} {
		r.Header.Set(name, value)
	}
	response, err := b.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer{response, string(text)}
}
