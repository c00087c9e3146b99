package testenv

import (
	"testing"
	"time"
)

func TestStandbyFollowsAndTakesOver(t *testing.T) {
	t.Parallel()
	primary := StartPostgres(t)
	standby := primary.Standby(t)
	conn := connect(t, primary.URL("postgres"))
	execute(t, conn, "create table kept (id int); insert into kept values (42)")

	read := connect(t, standby.URL("postgres"))
	deadline := time.Now().Add(patience)
	for id := 0; id != 42; {
		if err := read.QueryRow(t.Context(), "select id from kept").Scan(&id); err != nil && time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	if _, err := read.Exec(t.Context(), "insert into kept values (43)"); err == nil {
		t.Error("a standby can be written to")
	}
	primary.Kill()
	standby.Promote()
	execute(t, read, "insert into kept values (43)")
}
