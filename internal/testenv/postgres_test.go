package testenv

import (
	"context"
	"errors"
	"net/url"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

func TestPostgresGivesEveryTestItsOwnDatabase(t *testing.T) {
	t.Parallel()
	first, again := Postgres(t), Postgres(t)
	if first != again {
		t.Fatal("the server is not shared")
	}
	one, other := first.NewDatabase(t), again.NewDatabase(t)
	execute(t, connect(t, one), "create table only_here (id int)")
	execute(t, connect(t, other), "create table only_here (id int)")
}

func TestPostgresComesBackAfterKill(t *testing.T) {
	t.Parallel()
	s := StartPostgres(t)
	url := s.NewDatabase(t)
	before := connect(t, url)
	execute(t, before, "create table kept (id int)")
	execute(t, before, "insert into kept values (42)")

	s.Kill()
	if _, err := before.Exec(t.Context(), "select 1"); err == nil {
		t.Error("a connection outlived the server")
	}
	if conn, err := pgx.Connect(t.Context(), url); err == nil {
		conn.Close(t.Context())
		t.Error("something still accepts connections")
	}

	s.Start()
	var id int
	if err := connect(t, url).QueryRow(t.Context(), "select id from kept").Scan(&id); err != nil || id != 42 {
		t.Errorf("id = %d, %v", id, err)
	}
}

func TestPostgresPauses(t *testing.T) {
	t.Parallel()
	s := StartPostgres(t)
	conn := connect(t, s.URL("postgres"))
	s.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "select 1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error = %v, want silence until the deadline", err)
	}
	s.Resume()
	execute(t, connect(t, s.URL("postgres")), "select 1")
}

func TestTheSharedPostgresCannotBeTakenAway(t *testing.T) {
	t.Parallel()
	shared := Postgres(t)
	defer func() {
		if recover() == nil {
			t.Error("a test could stop the server of all the others")
		}
	}()
	shared.Kill()
}

func TestPostgresURL(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(Postgres(t).URL("x"))
	if err != nil || u.Scheme != "postgres" || u.Path != "/x" {
		t.Errorf("%v, %v", u, err)
	}
}
