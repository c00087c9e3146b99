package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/usherauth/usher/internal/testenv"
)

// The command is tested as the program it is: flags, messages, exit codes, files.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"usher": main})
}

func TestScripts(t *testing.T) {
	database := testenv.Postgres(t).NewDatabase(t) // empty, for the one script that needs it
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("POSTGRES_URL", database)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits": exits,
		},
		RequireExplicitExec: true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
	})
}
