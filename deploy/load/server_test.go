//go:build linux

package load

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/jackc/pgx/v5/pgxpool"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"

	"github.com/usherauth/usher/internal/testenv"
)

// server is one process that is measured.
type server struct {
	proc *testenv.Proc
	pid  int
	http string // addresses
	grpc string
	ops  string
}

// pinned puts a program on the first processor, where there are two; the generator takes the second.
func pinned(on bool, path string, args ...string) (string, []string) {
	taskset, err := exec.LookPath("taskset")
	if !on || err != nil || runtime.NumCPU() < 2 {
		return path, args
	}
	return taskset, append([]string{"-c", "0", path}, args...)
}

// pinSelf keeps the calling goroutine, which must stay on its thread, on the second processor, and the garbage collector
// off the first. It returns the undoing.
func pinSelf() (undo func()) {
	if runtime.NumCPU() < 2 {
		return func() {}
	}
	runtime.GC()
	percent := debug.SetGCPercent(-1)
	runtime.LockOSThread()
	setAffinity(2)
	return func() {
		setAffinity(allProcessors())
		runtime.UnlockOSThread()
		debug.SetGCPercent(percent)
	}
}

func setAffinity(mask uint64) { affinity(0, mask) }

// affinity is where a thread may run; 0 is the calling one. What a process starts later inherits it.
func affinity(pid int, mask uint64) {
	_, _, _ = syscall.Syscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(pid), 8, uintptr(pointer(&mask)))
}

// allProcessors is where a thread may run by default.
func allProcessors() uint64 { return 1<<min(runtime.NumCPU(), 63) - 1 }

// usher starts `usher serve` over the database, with these lines in its configuration besides.
func (w *world) usher(t testing.TB, pin bool, more ...string) *server {
	t.Helper()
	s := &server{http: freeAddress(t), grpc: freeAddress(t), ops: freeAddress(t)}
	file := w.config(t, append([]string{fmt.Sprintf("listen: { http: %q, grpc: %q, ops: %q }", s.http, s.grpc, s.ops)}, more...)...)
	path, args := pinned(pin, w.binary, "serve", "-config", file)
	s.proc = testenv.Start(t, testenv.Command{Path: path, Args: args, Env: []string{"PATH=" + os.Getenv("PATH"), "GOGC=" + os.Getenv("LOAD_GOGC")}})
	s.pid = s.proc.Pid()
	for _, address := range []string{s.http, s.grpc, s.ops} {
		s.proc.WaitListening(t, address)
	}
	for begin := time.Now(); s.metric(t, "usher_revocation_complete") != 1; time.Sleep(20 * time.Millisecond) {
		if time.Since(begin) > 20*time.Second { // until then it forgets after ttl_unnotified, and once more when it is
			t.Fatalf("the gate does not hear of changes\n%s", s.proc.Output())
		}
	}
	return s
}

// config is a file with these lines. The store is the database, and the application the usual one, where they name no other.
func (w *world) config(t testing.TB, lines ...string) string {
	t.Helper()
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "better_auth:") }) {
		lines = append(lines, fmt.Sprintf(`better_auth: { url: "http://app.test", secret: %q }`, testenv.TestSecret))
	}
	if !slices.ContainsFunc(lines, func(l string) bool { return strings.HasPrefix(l, "store:") }) {
		lines = append(lines, fmt.Sprintf("store: { url: %q }", w.database))
	}
	file := filepath.Join(t.TempDir(), "usher.yaml")
	must(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return file
}

// remembering is the cache of a gate that hears of changes: everybody is kept for the whole run.
func remembering(sessions int) string {
	return fmt.Sprintf("cache: { size: %d, ttl: 1h, ttl_unnotified: 60s }", sessions+sessions/8)
}

// bare starts this very program as one of the servers below.
func bare(t testing.TB, pin bool, role string) *server {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	s := &server{}
	address := freeAddress(t)
	s.http, s.grpc = address, address
	path, args := pinned(pin, self)
	s.proc = testenv.Start(t, testenv.Command{Path: path, Args: args, Env: []string{"PATH=" + os.Getenv("PATH"), "LOAD_ROLE=" + role, "LOAD_ADDRESS=" + address}})
	s.pid = s.proc.Pid()
	s.proc.WaitListening(t, address)
	return s
}

// TestMain is also what a bare server runs.
func TestMain(m *testing.M) {
	role, address := os.Getenv("LOAD_ROLE"), os.Getenv("LOAD_ADDRESS")
	var err error
	switch role {
	case "":
		code := m.Run()
		if code == 0 && missed > 0 {
			fmt.Fprintf(os.Stderr, "%d budgets are missed\n", missed)
			code = 1
		}
		os.Exit(code)
	case "grpc":
		err = bareGRPC(address)
	case "http":
		err = http.ListenAndServe(address, http.HandlerFunc(bareHTTP)) //nolint:gosec // loopback, for seconds
	case "pgx":
		err = barePGX(os.Args[1:])
	case "redis":
		err = bareRedis(os.Args[1:])
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// six headers of somebody are what the bare servers answer with.
var six = [...][2]string{
	{"X-User-Id", "Hd2kPqv0sTzX8mWcR5bN1yLj7fGu4aEo"},
	{"X-User-Email", "ada@example.com"},
	{"X-Session-Id", "Qz9xWc3vRt6bNy0mUk2pLo5iJh8gFd1s"},
	{"X-Org-Id", "o42"},
	{"X-Org-Role", "member"},
	{"X-Auth-Method", "cookie"},
}

func bareHTTP(w http.ResponseWriter, _ *http.Request) {
	header := w.Header()
	for _, line := range six {
		header.Set(line[0], line[1])
	}
	w.WriteHeader(http.StatusOK)
}

func bareGRPC(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s := grpc.NewServer()
	authv3.RegisterAuthorizationServer(s, static{})
	return s.Serve(listener)
}

// static is the least a Go server for Envoy does: generated messages in and out, and no decision.
type static struct{}

func (static) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	ok := new(authv3.OkHttpResponse)
	for _, line := range six {
		ok.Headers = append(ok.Headers, &corev3.HeaderValueOption{
			Header:       &corev3.HeaderValue{Key: line[0], Value: line[1]},
			AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		})
	}
	return &authv3.CheckResponse{Status: &rpcstatus.Status{}, HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok}}, nil
}

// lookup is what the gate asks a database for, as an application would write it.
const lookup = `select s.id, s."createdAt", s."expiresAt", s."activeOrganizationId", u.id, u.name, u.email, u."emailVerified", u.role,
	o.id, o.slug, o.name, m.role,
	array(select t.id from "teamMember" tm join team t on t.id = tm."teamId" where tm."userId" = m."userId" and t."organizationId" = m."organizationId")
	from session s join "user" u on u.id = s."userId" left join member m on m."userId" = u.id left join organization o on o.id = m."organizationId"
	where s.token = $1 order by m."createdAt"`

// barePGX looks sessions up as fast as a pool of 8 connections lets 32 goroutines, and prints how many there were.
func barePGX(args []string) error {
	url, sessions, seconds := args[0], 0, 0.0
	if _, err := fmt.Sscan(args[1]+" "+args[2], &sessions, &seconds); err != nil {
		return err
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return err
	}
	config.MaxConns = 8
	pool, err := pgxpool.NewWithConfig(context.Background(), config)
	if err != nil {
		return err
	}
	defer pool.Close()
	ctx := context.Background()
	return asFastAsItCan(seconds, func(n int) error {
		rows, err := pool.Query(ctx, lookup, token(1+n%sessions))
		if err != nil {
			return err
		}
		defer rows.Close()
		found := 0
		for rows.Next() {
			var s [4]*string
			var text [4]string
			var role, orgRole *string
			var teams []string
			var created, expires time.Time
			var verified bool
			if err := rows.Scan(&text[0], &created, &expires, &s[0], &text[1], &text[2], &text[3], &verified, &role, &s[1], &s[2], &s[3], &orgRole, &teams); err != nil {
				return err
			}
			found++
		}
		if rows.Close(); rows.Err() == nil && found != 1 {
			return fmt.Errorf("%d rows", found)
		}
		return rows.Err()
	})
}

// tick is how the kernel counts processor time in /proc.
const tick = 10 * time.Millisecond

// cpu is what processes have used.
func cpu(t testing.TB, pids ...int) (used time.Duration) {
	t.Helper()
	for _, pid := range pids {
		if fields := stat(pid); fields != nil {
			used += ticks(fields[11]) + ticks(fields[12])
		}
	}
	return used
}

// family is what a process and its children have used, also those that are gone.
func family(t testing.TB, pid int) (used time.Duration) {
	t.Helper()
	for _, child := range withChildren(t, pid) {
		fields := stat(child)
		if fields == nil {
			continue
		}
		used += ticks(fields[11]) + ticks(fields[12])
		if child == pid {
			used += ticks(fields[13]) + ticks(fields[14])
		}
	}
	return used
}

// withChildren are a process and those it has started.
func withChildren(t testing.TB, pid int) (all []int) {
	t.Helper()
	entries, err := filepath.Glob("/proc/[0-9]*")
	must(t, err)
	for _, entry := range entries {
		child, _ := strconv.Atoi(filepath.Base(entry))
		if fields := stat(child); fields != nil && (child == pid || fields[1] == strconv.Itoa(pid)) {
			all = append(all, child)
		}
	}
	return all
}

// stat are the fields of /proc/<pid>/stat behind the name, from the state on; nil when it is gone.
func stat(pid int) []string {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
}

func ticks(field string) time.Duration {
	n, _ := strconv.Atoi(field)
	return time.Duration(n) * tick
}

// resident is the memory of a process, in bytes.
func resident(t testing.TB, pid int) float64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	must(t, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	must(t, err)
	return float64(pages * os.Getpagesize())
}

// metric sums the samples of a metric whose line begins so.
func (s *server) metric(t testing.TB, prefix string) (sum float64) {
	t.Helper()
	page := fetch(t, "http://"+s.ops+"/metrics")
	for line := range strings.Lines(page) {
		if strings.HasPrefix(line, prefix) {
			value, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndexByte(line, ' ')+1:]), 64)
			must(t, err)
			sum += value
		}
	}
	return sum
}

func freeAddress(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("127.0.0.1:%d", testenv.FreePort(t))
}
