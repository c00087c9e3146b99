package main

import (
	"context"
	"fmt"
	"time"

	"github.com/usherauth/usher/internal/boot"
)

func runSchema(ctx context.Context, t terminal, args []string) int {
	set := flags(t, "schema", "print|check|apply [-config usher.yaml] [flags]", `
Better Auth owns its tables; these commands are for those who have no JavaScript at
hand, and for looking.

  print   prints the statements of Better Auth's own migration
  check   compares the database with what the gate needs, and names every missing or
          unexpected table and column
  apply   makes what is missing; it never changes or drops anything`)
	path := set.String("config", "", configFlagHelp)
	dialect := set.String("dialect", "", "for print: postgres or sqlite (default: what store.url says)")
	dryRun := set.Bool("dry-run", false, "for apply: print the statements instead of running them")
	what, rest := subcommand(args)
	if done, code := parse(t, set, rest); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	switch what {
	case "print":
		return printSchema(t, *path, *dialect)
	case "check", "apply":
	default:
		set.Usage()
		return exitUsage
	}
	c := load(t, *path)
	if c == nil {
		return exitUsage
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if what == "apply" {
		return applySchema(ctx, t, c, *dryRun)
	}
	report, err := boot.CheckSchema(ctx, c)
	if err != nil {
		return fail(t, err)
	}
	for _, finding := range report.Findings() {
		fmt.Fprintln(t.out, finding)
	}
	if !report.OK() {
		fmt.Fprintln(t.err, "usher schema: the gate cannot use this database; `usher schema apply` makes what is missing")
		return exitFailed
	}
	fmt.Fprintln(t.out, "the gate can use this database")
	return exitOK
}
