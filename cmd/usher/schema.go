package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
	"github.com/usherauth/usher/store"
)

func runSchema(ctx context.Context, t terminal, args []string) int {
	set := flags(t, "schema", "print|check|apply [-config usher.yaml] [flags]", `
Better Auth owns its tables; these commands are for those who have no JavaScript at
hand, and for looking.

  print   prints the statements of Better Auth's own migration
  check   compares the database with what the gate needs, and names every missing or
          unexpected table and column
  apply   makes what is missing; it never changes or drops anything, and makes nothing
          beside tables that look like Better Auth's under other names

With -revocation, print and apply are about the triggers that tell every Usher what
changes in a PostgreSQL database, and about nothing else. With them a session that
somebody ends, in Better Auth or by SQL, is refused within a second; without them
answers are remembered for cache.ttl_unnotified only. -revocation=off removes them.`)
	path := set.String("config", "", configFlagHelp)
	dialect := set.String("dialect", "", "for print: postgres or sqlite (default: what store.url says)")
	var triggers revocation
	set.Var(&triggers, "revocation", "for print and apply: the triggers that tell what changes; `off` removes them")
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
		return printSchema(t, *path, *dialect, triggers)
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
		return applySchema(ctx, t, c, triggers, *dryRun)
	}
	report, err := boot.CheckSchema(ctx, c)
	if err != nil {
		return fail(t, err)
	}
	return sayReport(t, &report)
}

// revocation is the flag -revocation: not given, on or off.
type revocation string

func (r *revocation) String() string { return string(*r) }

// IsBoolFlag lets -revocation stand alone.
func (r *revocation) IsBoolFlag() bool { return true }

// Set implements flag.Value.
func (r *revocation) Set(word string) error {
	switch word {
	case "true", "on":
		*r = "on"
	case "false", "off":
		*r = "off"
	default:
		return errors.New("write -revocation, or -revocation=off")
	}
	return nil
}

// finding is one as a line.
func finding(f store.Finding) string {
	place := f.Table
	if f.Column != "" {
		place += "." + f.Column
	}
	if place != "" {
		place += ": "
	}
	return place + f.Note
}

// sayReport prints what a look at the schema found, the worst first.
func sayReport(t terminal, report *store.SchemaReport) int {
	say := func(kind string, findings []store.Finding) {
		for _, f := range findings {
			fmt.Fprintf(t.out, "%-10s %s\n", kind, finding(f))
			if f.SQL != "" {
				fmt.Fprintf(t.out, "%-10s   %s;\n", "", f.SQL)
			}
		}
	}
	say("missing", report.Missing)
	say("refused", report.Refused)
	say("unexpected", report.Unexpected)
	say("advised", report.Indexes)
	say("untold", report.Untold)
	if !report.OK() {
		fmt.Fprintln(t.err, "usher schema: the gate cannot use this database; "+whatToDo(report))
		return exitFailed
	}
	with := func(what string, has bool) {
		if !has {
			fmt.Fprintf(t.out, "%-10s no %s in this database\n", "note", what)
		}
	}
	with("organizations", report.Organizations)
	with("teams", report.Teams)
	with("bans (admin plugin)", report.Bans)
	switch {
	case report.Told:
		fmt.Fprintf(t.out, "%-10s the revocation triggers are installed, complete and enabled\n", "note")
	case len(report.Untold) > 0:
		fmt.Fprintf(t.out, "%-10s changes are not told: answers are remembered for cache.ttl_unnotified only; `usher schema apply -revocation` helps\n", "note")
	}
	fmt.Fprintln(t.out, "the gate can use this database")
	return exitOK
}

// whatToDo speaks of apply only where it helps.
func whatToDo(report *store.SchemaReport) string {
	switch {
	case len(report.Missing) == 0:
		return "everything is there, but the lookup fails: see what is refused"
	case report.Instead != "":
		return "do what the hints say, for `usher schema apply` would refuse: " + report.Instead
	default:
		return "`usher schema apply` makes what is missing"
	}
}

// printSchema needs no secret and no database: only names of tables count.
func printSchema(t terminal, path, dialect string, triggers revocation) int {
	c, problems := read(t, path)
	if report(t, written(problems)) > 0 {
		return exitUsage
	}
	if dialect == "" && c.Store.Kind() == "" {
		dialect = "postgres"
	}
	list := boot.PrintSchema
	switch triggers {
	case "on":
		list = boot.PrintRevocation
	case "off":
		fmt.Fprintln(t.err, "usher schema print: what -revocation=off removes depends on what is there; see `usher schema apply -revocation=off -dry-run`")
		return exitUsage
	}
	statements, err := list(c, dialect)
	if err != nil {
		fmt.Fprintf(t.err, "usher schema print: %v\n", err)
		return exitUsage
	}
	for _, s := range statements {
		fmt.Fprintf(t.out, "%s;\n\n", s)
	}
	return exitOK
}

func applySchema(ctx context.Context, t terminal, c *config.Config, triggers revocation, dry bool) int {
	var statements []string
	var err error
	if triggers == "" {
		statements, err = boot.ApplySchema(ctx, c, dry)
	} else {
		statements, err = boot.ApplyRevocation(ctx, c, triggers == "on", dry)
	}
	if err != nil {
		return fail(t, err)
	}
	for _, s := range statements {
		fmt.Fprintf(t.out, "%s;\n", s)
	}
	switch {
	case len(statements) == 0 && triggers == "off":
		fmt.Fprintln(t.err, "nothing to do: nothing is there")
	case len(statements) == 0:
		fmt.Fprintln(t.err, "nothing to do: everything is there")
	case dry:
		fmt.Fprintf(t.err, "%d statements would run\n", len(statements))
	default:
		fmt.Fprintf(t.err, "%d statements ran\n", len(statements))
	}
	return exitOK
}
