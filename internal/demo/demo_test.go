package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a demo that a test talks to as a browser or curl would.
type running struct {
	document
	t      *testing.T
	client *http.Client
	stop   func() error
}

// start runs a demo in a temporary folder of its own, which must be empty again when it has stopped.
func start(t *testing.T) *running {
	t.Helper()
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	ctx, cancel := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() {
		done <- Run(ctx, Options{Listen: "127.0.0.1:0", JSON: true, Stdout: writer, StartUsher: startUsher})
		_ = writer.Close()
	}()
	began := time.Now()
	d := &running{t: t, client: &http.Client{
		Transport: transport(), Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	decoder := json.NewDecoder(reader)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&d.document); err != nil {
		cancel()
		t.Fatalf("%v; Run: %v", err, <-done)
	}
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("ready after %s", took)
	}
	more := make(chan []byte, 1)
	go func() {
		rest, _ := io.ReadAll(io.MultiReader(decoder.Buffered(), reader))
		more <- rest
	}()
	var stopped bool
	d.stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		d.client.CloseIdleConnections()
		cancel()
		err := <-done
		if rest := bytes.TrimSpace(<-more); len(rest) > 0 {
			t.Errorf("more on standard output: %q", rest)
		}
		if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
		return err
	}
	t.Cleanup(func() {
		if err := d.stop(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// request is a request to the demo, to change before it is sent.
func (d *running) request(method, path string, headers ...string) *http.Request {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, strings.TrimSuffix(d.URL, "/")+path, nil)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header[headers[i]] = append(r.Header[headers[i]], headers[i+1]) // spelled as given
	}
	return r
}

func (d *running) send(r *http.Request) (*http.Response, string) {
	d.t.Helper()
	answer, err := d.client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer closeQuietly(answer.Body)
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer, string(body)
}

// received is what the backend received of a request that passes.
func (d *running) received(path string, headers ...string) echo {
	d.t.Helper()
	answer, body := d.send(d.request(http.MethodGet, path, append(headers, "Accept", "application/json")...))
	if answer.StatusCode != http.StatusOK {
		d.t.Fatalf("GET %s: %s %s", path, answer.Status, body)
	}
	var e echo
	if err := json.Unmarshal([]byte(body), &e); err != nil {
		d.t.Fatalf("%v: %s", err, body)
	}
	return e
}

// refused is the code of a request that does not pass.
func (d *running) refused(status int, path string, headers ...string) string {
	d.t.Helper()
	answer, body := d.send(d.request(http.MethodGet, path, append(headers, "Accept", "application/json")...))
	if answer.StatusCode != status {
		d.t.Fatalf("GET %s: %s %s, want %d", path, answer.Status, body, status)
	}
	var p problem
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		d.t.Fatalf("%v: %s", err, body)
	}
	return p.Code
}

func TestDocument(t *testing.T) {
	d := start(t)
	if !strings.HasPrefix(d.URL, "http://127.0.0.1:") || !strings.HasSuffix(d.URL, "/") ||
		!strings.HasPrefix(d.Gate.HTTP, "http://127.0.0.1:") || !strings.HasPrefix(d.Gate.Ops, "http://127.0.0.1:") ||
		!strings.HasPrefix(d.Gate.GRPC, "127.0.0.1:") {
		t.Errorf("addresses: %+v", d.document)
	}
	if len(d.People) != 2 {
		t.Fatalf("%d people", len(d.People))
	}
	places := make(map[string]int)
	for _, p := range d.People {
		if !strings.HasPrefix(p.Cookie, "better-auth.session_token=") || len(p.Bearer) != 32 || p.Name == "" || p.Email == "" {
			t.Errorf("%+v", p)
		}
		for _, m := range p.Organizations {
			places[m.Slug]++
		}
		for how, headers := range map[string][]string{
			"cookie": {"Cookie", p.Cookie},
			"bearer": {"Authorization", "Bearer " + p.Bearer},
		} {
			got := d.received("/some/path?q=1", headers...)
			if got.Method != "GET" || got.Path != "/some/path" {
				t.Errorf("%s %s", got.Method, got.Path)
			}
			for name, want := range map[string]string{
				"x-user-id": p.UserID, "x-user-email": p.Email, "x-auth-method": how,
				"x-org-id": p.Organizations[0].ID, "x-org-slug": p.Organizations[0].Slug, "x-org-role": p.Organizations[0].Role,
			} {
				if values := got.Headers[name]; len(values) != 1 || values[0] != want {
					t.Errorf("%s by %s: %s: %q, want %q", p.Name, how, name, values, want)
				}
			}
			if name := got.Headers["x-user-name"]; len(name) != 1 || decoded(name[0]) != p.Name {
				t.Errorf("name %q", name)
			}
		}
	}
	if len(places) != 2 {
		t.Errorf("organizations: %v", places)
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	d := start(t)
	address := strings.TrimSuffix(strings.TrimPrefix(d.URL, "http://"), "/")
	if err := d.stop(); err != nil { // looks at the folder too
		t.Fatal(err)
	}
	var dialer net.Dialer
	if c, err := dialer.DialContext(t.Context(), "tcp", address); err == nil {
		closeQuietly(c)
		t.Errorf("%s still answers", address)
	}
}

func TestRunCleansUpAfterAFailedStart(t *testing.T) {
	broken := errors.New("usher does not start")
	for name, start := range map[string]func(context.Context, Settings) (*Usher, error){
		"usher fails": func(context.Context, Settings) (*Usher, error) { return nil, broken },
		"usher stops by itself": func(ctx context.Context, s Settings) (*Usher, error) {
			ctx, stop := context.WithCancel(ctx)
			g, err := startUsher(ctx, s)
			if err != nil {
				stop()
				return nil, err
			}
			wait := g.Wait
			g.HTTP, g.Ops = "127.0.0.1:1", "127.0.0.1:1"
			// Wait promises a gate that has stopped: one that ran on would write to the folder while that is removed.
			g.Wait = func() error { stop(); return errors.Join(broken, wait()) }
			return g, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			t.Setenv("TMPDIR", folder)
			var out bytes.Buffer
			err := Run(t.Context(), Options{Listen: "127.0.0.1:0", Stdout: &out, StartUsher: start})
			if !errors.Is(err, broken) || out.Len() > 0 {
				t.Errorf("err %v, output %q", err, out.String())
			}
			if left, _ := os.ReadDir(folder); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func TestListen(t *testing.T) {
	for _, address := range []string{":0", "0.0.0.0:0", "192.0.2.1:0", "[::]:0", "example.com:0", "4488"} {
		if l, err := listen(t.Context(), address); err == nil {
			closeQuietly(l)
			t.Errorf("listens on %s", address)
		}
	}
	for _, address := range []string{"", "", "127.0.0.1:0", "localhost:0"} { // twice the friendly one: the second gets another
		l, err := listen(t.Context(), address)
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		defer closeQuietly(l)
	}
}

// TestTextForAPerson pastes the printed lines into sh.
func TestTextForAPerson(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Fatal("this test runs the printed lines: install curl")
	}
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, writer := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- Run(ctx, Options{Listen: "127.0.0.1:0", Stdout: writer, StartUsher: startUsher}) }()
	text := make([]byte, 8<<10)
	n, err := reader.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text[:n])) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "curl ") {
			lines = append(lines, line)
		}
	}
	if len(lines) != 2 || !strings.Contains(string(text[:n]), "http://127.0.0.1:") {
		t.Fatalf("%s", text[:n])
	}
	for _, line := range lines {
		out, err := exec.CommandContext(ctx, "sh", "-c", line).Output()
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		var e echo
		if err := json.Unmarshal(out, &e); err != nil {
			t.Fatalf("%s: %v", out, err)
		}
		if got := e.Headers["x-user-name"]; len(got) != 1 || got[0] != "Ada Lovelace" {
			t.Errorf("%s: %q", line, got)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
