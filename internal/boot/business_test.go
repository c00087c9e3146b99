package boot_test

import (
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/boot"
)

const businessTables = `create table users (id integer primary key, auth_id text unique, email text);`

// selling is a service with ada signed in, and business users in a file of their own.
func selling(t *testing.T) (c *config.Config, business string) {
	t.Helper()
	c = config.Default()
	c.Listen = config.Listen{HTTP: "127.0.0.1:0"}
	c.BetterAuth.URL = "http://app.test"
	c.BetterAuth.Secret = config.NewSecret(secret)
	dir := t.TempDir()
	path := filepath.Join(dir, "app.db")
	c.Store.URL = config.NewURL("sqlite://" + path)
	if _, err := boot.ApplySchema(t.Context(), c, false); err != nil {
		t.Fatal(err)
	}
	signIn(t, path, "ada")
	business = filepath.Join(dir, "business.db")
	c.Provision.Store.URL = config.NewURL("sqlite://" + business)
	c.Provision.Users = config.ProvisionUsers{Table: "users", ID: "id", AuthID: "auth_id", Columns: map[string]string{"email": "email"}}
	c.Headers.IDs = "business"
	return c, business
}

func TestBusinessRowsAreMade(t *testing.T) {
	c, business := selling(t)
	execute(t, business, businessTables)
	app := run(t, c, "gate")
	for range 3 {
		if got := ask(t, app.HTTP, "ada"); got != http.StatusOK {
			t.Fatalf("%d", got)
		}
	}
	if got := count(t, business, "users"); got != 1 {
		t.Errorf("%d rows", got)
	}
}

// Rows are counted, and failures by what kept the row from being made.
func TestBusinessRowsAreCounted(t *testing.T) {
	c, business := selling(t)
	c.Listen.Ops = "127.0.0.1:0"
	execute(t, business, businessTables+`create trigger none before insert on users when new.auth_id = 'ada' begin select raise(abort, 'no'); end`)
	app := run(t, c, "gate")
	counted := func(want ...string) {
		t.Helper()
		answer, err := http.Get("http://" + app.Ops + "/metrics")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range want {
			if !strings.Contains(string(text), "\n"+line+"\n") {
				t.Errorf("no %s", line)
			}
		}
	}
	if got := ask(t, app.HTTP, "ada"); got != http.StatusServiceUnavailable {
		t.Fatalf("%d", got)
	}
	counted("usher_business_rows_made_total 0", `usher_business_row_failures_total{kind="constraint"} 0`, `usher_business_row_failures_total{kind="other"} 1`)
	execute(t, business, `drop trigger none; create unique index taken on users (email); insert into users (auth_id, email) select 'x', 'ada@example.com'`)
	time.Sleep(time.Second + 50*time.Millisecond) // what is refused is not tried again before
	ask(t, app.HTTP, "ada")
	counted(`usher_business_row_failures_total{kind="constraint"} 1`)
	execute(t, business, `delete from users`)
	time.Sleep(time.Second + 50*time.Millisecond)
	if got := ask(t, app.HTTP, "ada"); got != http.StatusOK {
		t.Fatalf("%d", got)
	}
	counted("usher_business_rows_made_total 1", `usher_business_row_failures_total{kind="constraint"} 1`)
}

// An explanation is no sight of somebody.
func TestLookingMakesNoRow(t *testing.T) {
	c, business := selling(t)
	execute(t, business, businessTables)
	sessions, err := boot.OpenStore(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	defer sessions.Close()
	var told []string
	looking, end, err := boot.LookOnly(t.Context(), c, sessions, func(finding string) { told = append(told, finding) })
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	p, err := looking.Resolve(t.Context(), gate.Proven(gate.ByBearer, "ada"))
	if err != nil || p.User.BusinessID != "(a new row's)" || count(t, business, "users") != 0 {
		t.Errorf("%+v, %v; %d rows", p, err, count(t, business, "users"))
	}
	execute(t, business, "insert into users (id, auth_id) values (17, 'ada')")
	if p, err := looking.Resolve(t.Context(), gate.Proven(gate.ByBearer, "ada")); err != nil || p.User.BusinessID != "17" {
		t.Errorf("%+v, %v", p, err)
	}
	if want := []string{
		"user ada: no row in users yet; a request makes one, this explanation does not", "user ada: the row in users has the key 17",
	}; !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

// A business database that is away refuses everybody, and is found when it comes, without a restart.
func TestTheBusinessDatabaseIsAwaited(t *testing.T) {
	c, business := selling(t)
	app := run(t, c, "gate")
	if got := ask(t, app.HTTP, "ada"); got != http.StatusServiceUnavailable {
		t.Fatalf("without the database: %d", got)
	}
	made := filepath.Join(t.TempDir(), "business.db")
	execute(t, made, businessTables)
	if err := os.Rename(made, business); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	for ask(t, app.HTTP, "ada") != http.StatusOK {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("it is there, and nobody passes")
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func TestAWrongMappingEndsTheStart(t *testing.T) {
	c, business := selling(t)
	execute(t, business, "create table users (id integer primary key, auth_id text, email text, plan text not null)")
	_, err := boot.Open(t.Context(), c, boot.Options{Log: slog.New(slog.DiscardHandler)})
	if err == nil || !strings.Contains(err.Error(), "auth_id") || !strings.Contains(err.Error(), "plan") {
		t.Fatalf("%v, want both columns named", err)
	}
	findings, err := boot.CheckProvision(t.Context(), c)
	if err != nil || len(findings) != 2 {
		t.Errorf("%+v, %v", findings, err)
	}
	c.Provision = config.Provision{}
	if findings, err := boot.CheckProvision(t.Context(), c); err != nil || len(findings) > 0 {
		t.Errorf("where none are made: %+v, %v", findings, err)
	}
}

// A row that is refused is a 503 whose cause is in the log, and which ends when somebody mends it.
func TestARefusedRowIsToldAndHeals(t *testing.T) {
	c, business := selling(t)
	execute(t, business, businessTables)
	app := run(t, c, "gate")
	execute(t, business, "drop table users; create table users (id integer primary key, auth_id text unique, email text check (email like '%@app.test'))")
	if got := ask(t, app.HTTP, "ada"); got != http.StatusServiceUnavailable {
		t.Fatalf("%d", got)
	}
	for _, word := range []string{"PROVISION_FAILED", "users", "email"} {
		if !strings.Contains(app.log.String(), word) {
			t.Errorf("the log does not say %s:\n%s", word, app.log.String())
		}
	}
	if strings.Contains(app.log.String(), "ada@") {
		t.Errorf("the log quotes a value:\n%s", app.log.String())
	}
	execute(t, business, "drop table users; "+businessTables)
	begin := time.Now()
	for ask(t, app.HTTP, "ada") != http.StatusOK {
		if time.Since(begin) > 10*time.Second {
			t.Fatal("it is mended, and nobody passes")
		}
		time.Sleep(20 * time.Millisecond)
	}
}
