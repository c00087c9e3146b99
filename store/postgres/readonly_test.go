package postgres

import (
	"testing"

	"github.com/usherauth/usher/internal/testenv"
)

func TestConnectionsAreReadOnly(t *testing.T) {
	t.Parallel()
	c := Config{URL: testenv.Postgres(t).NewDatabase(t), MaxConns: 3}
	config, err := c.pool()
	if err != nil {
		t.Fatal(err)
	}
	pool, err := connect(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	_, err = pool.Exec(t.Context(), "create table forbidden ()")
	if state(err) != "25006" { // read_only_sql_transaction
		t.Errorf("got %v", err)
	}
	if max := pool.Config().MaxConns; max != 3 {
		t.Errorf("%d connections at most", max)
	}
}
