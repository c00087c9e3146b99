//go:build linux

package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"
	"unsafe"

	"github.com/jackc/pgx/v5"

	"github.com/usherauth/usher/internal/testenv"
)

// world is what all measurements share: the binaries, and a database with sessions.
type world struct {
	t        testing.TB
	binary   string // usher, static and stripped
	empty    string
	database string
	postgres int // its process
	filled   int // sessions in the database

	inFlight, lanes int
	second          float64 // how long a second of measuring takes; below 1 everything is shorter
	rounds          int
	usual, most     int // sessions
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, inFlight: 32, lanes: 4, second: 1}
	dir := t.TempDir()
	w.binary, w.empty = filepath.Join(dir, "usher"), filepath.Join(dir, "empty")
	for path, pkg := range map[string]string{w.binary: "../../cmd/usher", w.empty: "./empty"} {
		build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	w.database = testenv.StartPostgres(t).NewDatabase(t)
	for _, flag := range []string{"", "-revocation"} {
		args := []string{"schema", "apply", "-config", w.config(t)}
		if flag != "" {
			args = append(args, flag)
		}
		if out, err := exec.Command(w.binary, args...).CombinedOutput(); err != nil {
			t.Fatalf("usher schema apply %s: %v\n%s", flag, err, out)
		}
	}
	conn, err := pgx.Connect(t.Context(), w.database)
	must(t, err)
	defer conn.Close(context.Background())
	backend := 0
	must(t, conn.QueryRow(t.Context(), "select pg_backend_pid()").Scan(&backend))
	w.postgres, err = strconv.Atoi(stat(backend)[1])
	must(t, err)
	return w
}

// sessions makes sure that there are n.
func (w *world) sessions(n int) {
	w.t.Helper()
	if n > w.filled {
		w.say("%d sessions for the database", n)
		fill(w.t, w.database, w.filled+1, n)
		w.filled = n
	}
}

func (w *world) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%s  "+format+"\n", append([]any{time.Now().Format("15:04:05")}, args...)...)
}

func (w *world) seconds(n float64) time.Duration {
	return time.Duration(n * w.second * float64(time.Second))
}

// figure is what one closed run of one server found.
type figure struct {
	rate float64 // answers a second
	cpu  float64 // seconds of the server's processor, for each answer
	p50  time.Duration
}

// closed loads a server for so many seconds from the second processor.
func (w *world) closed(address string, pid int, speak func() protocol, next func(*question), seconds float64) figure {
	w.t.Helper()
	defer pinSelf()()
	lanes := w.lanes
	if _, one := speak().(*httpLane); one {
		lanes = w.inFlight
	}
	e, err := newEngine(address, lanes, speak, next)
	must(w.t, err)
	before := cpu(w.t, pid)
	o, err := e.closed(w.inFlight, w.seconds(seconds))
	must(w.t, err)
	used := cpu(w.t, pid) - before
	if o.wrong > 0 {
		w.t.Fatalf("%s: %d of %d answers are wrong", address, o.wrong, o.done)
	}
	return figure{o.rate(), used.Seconds() / float64(o.done), o.hist.at(0.5)}
}

// warm asks for each of n sessions once.
func (w *world) warm(s *server, v *visitors, n int) {
	w.t.Helper()
	e, err := newEngine(s.grpc, w.lanes, newGRPC, v.inTurn())
	must(w.t, err)
	o, err := e.each(n, w.inFlight*2, 6*time.Minute)
	must(w.t, err)
	if o.done < n || o.wrong > 0 {
		w.t.Fatalf("%d of %d sessions were asked for once in %v, %d answers are wrong", o.done, n, o.took, o.wrong)
	}
	w.say("%d sessions asked for once: %.0f/s", n, o.rate())
}

func fetch(t testing.TB, url string) string {
	t.Helper()
	response, err := http.Get(url)
	must(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	must(t, err)
	return string(body)
}

func pointer(mask *uint64) unsafe.Pointer { return unsafe.Pointer(mask) }
