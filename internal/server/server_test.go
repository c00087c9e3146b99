package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("connection refused by db.example:5432")

func TestReadiness(t *testing.T) {
	var down atomic.Bool
	h := NewHealth(Check{Name: "store", Ask: func(context.Context) error {
		if down.Load() {
			return errDown
		}
		return nil
	}})
	ask := func() (int, string) {
		h.mu.Lock()
		h.asked = time.Time{} // as if half a second had gone by
		h.mu.Unlock()
		w := httptest.NewRecorder()
		Ops(h, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
		return w.Code, w.Body.String()
	}
	if code, body := ask(); code != 200 || !strings.Contains(body, `"store":"ok"`) {
		t.Errorf("%d %s", code, body)
	}
	down.Store(true)
	if code, body := ask(); code != 503 || !strings.Contains(body, errDown.Error()) || !strings.Contains(body, "not ready") {
		t.Errorf("%d %s", code, body)
	}
	down.Store(false)
	if code, _ := ask(); code != 200 {
		t.Errorf("back: %d", code)
	}
	h.Drain()
	if code, body := ask(); code != 503 || !strings.Contains(body, "draining") {
		t.Errorf("draining: %d %s", code, body)
	}
}

func TestNotesAreSaidAndChangeNothing(t *testing.T) {
	h := NewHealth(Check{Name: "store", Ask: func(context.Context) error { return nil }})
	h.Note(Note{Name: "revocation", Say: func() string { return "ttl-bound: no triggers" }})
	w := httptest.NewRecorder()
	Ops(h, http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	if body := w.Body.String(); w.Code != 200 || !strings.Contains(body, `"revocation":"ttl-bound: no triggers"`) || !strings.Contains(body, `"status":"ready"`) {
		t.Errorf("%d %s", w.Code, body)
	}
}

func TestWatchTellsWhatChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var down atomic.Bool
		h := NewHealth(Check{Name: "store", Ask: func(context.Context) error {
			if down.Load() {
				return errDown
			}
			return nil
		}})
		ctx, cancel := context.WithCancel(t.Context())
		told := make(chan string, 10)
		go h.Watch(ctx, func(check string, err error) { told <- fmt.Sprint(check, ": ", err) })
		time.Sleep(5 * time.Second)
		down.Store(true)
		time.Sleep(5 * time.Second)
		down.Store(false)
		time.Sleep(5 * time.Second)
		cancel()
		synctest.Wait()
		close(told)
		var heard []string
		for line := range told {
			heard = append(heard, line)
		}
		if want := []string{"store: " + errDown.Error(), "store: <nil>"}; !slices.Equal(heard, want) {
			t.Errorf("heard %q, want %q", heard, want)
		}
	})
}

func TestAFloodOfProbesIsOneQuestion(t *testing.T) {
	var asked atomic.Int32
	h := NewHealth(Check{Name: "store", Ask: func(context.Context) error { asked.Add(1); return nil }})
	for range 100 {
		h.Ready(httptest.NewRecorder(), httptest.NewRequest("GET", "/readyz", nil))
	}
	if n := asked.Load(); n > 2 {
		t.Errorf("the store was asked %d times", n)
	}
}

// TestDrain ends a server while a request is open: it is answered, new ones are not, and the gRPC health is told first.
func TestDrain(t *testing.T) {
	listeners, err := Listen(t.Context(), "127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}), make(chan struct{})
	h := NewHealth()
	rpc := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(rpc, h.GRPC)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, Config{
			Listeners: listeners, GRPC: rpc, Ops: Ops(h, http.NotFoundHandler()), Health: h, Log: slog.New(slog.DiscardHandler),
			HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				close(entered)
				<-release
				_, _ = io.WriteString(w, "answered")
			}),
		})
	}()
	h.serving(true)
	client := dialHealth(t, listeners.GRPC.Addr())
	if got, err := client.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{}); err != nil || got.Status != grpc_health_v1.HealthCheckResponse_SERVING {
		t.Errorf("%v %v", got, err)
	}

	answer := make(chan string, 1)
	go func() {
		response, err := http.Get("http://" + listeners.HTTP.Addr().String())
		if err != nil {
			answer <- err.Error()
			return
		}
		defer response.Body.Close()
		body, _ := io.ReadAll(response.Body)
		answer <- string(body)
	}()
	<-entered
	cancel()
	waitFor(t, func() bool { // no new connection is taken while the old one is still being answered
		conn, err := net.Dial("tcp", listeners.HTTP.Addr().String())
		if err != nil {
			return true
		}
		conn.Close()
		return false
	})
	close(release)
	if got := <-answer; got != "answered" {
		t.Errorf("the open request got %q", got)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	http.DefaultClient.CloseIdleConnections()
}

func dialHealth(t *testing.T, address net.Addr) grpc_health_v1.HealthClient {
	t.Helper()
	conn, err := grpc.NewClient(address.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return grpc_health_v1.NewHealthClient(conn)
}

func waitFor(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time")
		}
	}
}

func TestListenNamesTheKeyAndLeavesNothingOpen(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if _, err := Listen(t.Context(), "127.0.0.1:0", taken.Addr().String(), ""); err == nil || !strings.Contains(err.Error(), "listen.grpc") {
		t.Errorf("got %v", err)
	}
}

func TestStrangersCannotUseUpConnections(t *testing.T) {
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var trusted atomic.Bool
	l := Guard(plain, func(netip.Addr) bool { return trusted.Load() }, Strangers)
	defer l.Close()
	accepted := make(chan net.Conn, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				close(accepted)
				return
			}
			accepted <- conn
		}
	}()
	dial := func() net.Conn {
		conn, err := net.Dial("tcp", plain.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	var open []net.Conn
	for range Strangers {
		dial()
		open = append(open, <-accepted)
	}
	if _, err := dial().Read(make([]byte, 1)); err == nil || len(accepted) != 0 {
		t.Errorf("one too many is let in: %v, %d accepted", err, len(accepted))
	}
	trusted.Store(true)
	dial()
	(<-accepted).Close()
	trusted.Store(false)
	open[0].Close()
	open[0].Close() // twice frees one place
	dial()
	open[0] = <-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil {
		t.Error("one place was freed twice")
	}
	for _, conn := range open {
		conn.Close()
	}
}

// TestWhoDoesNotListenIsLeft: an answer that nobody takes would hold its connection, its goroutine and its place among the
// strangers for ever.
func TestWhoDoesNotListenIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	left, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- Serve(ctx, Config{
			Listeners: Listeners{HTTP: l}, Health: NewHealth(), Log: slog.New(slog.DiscardHandler), WriteLimit: 100 * time.Millisecond,
			HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				for {
					if _, err := w.Write(make([]byte, 1<<20)); err != nil {
						close(left)
						return
					}
				}
			}),
		})
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("still writing")
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// TestWhatWasJustAskedIsNotAskedAgain: whoever opened a store has asked it, and the gRPC health is right from the start.
func TestWhatWasJustAskedIsNotAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		health := NewHealth(Check{Name: "store", Ask: func(context.Context) error {
			if asked.Add(1) > 1 {
				return errDown
			}
			return nil
		}})
		health.Answered()
		ctx, stop := context.WithCancel(t.Context())
		go health.Watch(ctx, nil)
		synctest.Wait()
		said, err := health.GRPC.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil || said.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
			t.Errorf("at the start: %v, %v", said, err)
		}
		if asked.Load() != 0 {
			t.Error("the check was asked again at once")
		}
		time.Sleep(2500 * time.Millisecond)
		said, err = health.GRPC.Check(ctx, &grpc_health_v1.HealthCheckRequest{})
		if err != nil || said.GetStatus() != grpc_health_v1.HealthCheckResponse_NOT_SERVING {
			t.Errorf("when it does not answer any more: %v, %v", said, err)
		}
		stop()
		synctest.Wait()
	})
}
