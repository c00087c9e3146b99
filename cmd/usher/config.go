package main

import (
	"context"
	"fmt"
	"time"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
)

func runConfig(ctx context.Context, t terminal, args []string) int {
	set := flags(t, "config", "check|schema|print [-config usher.yaml] [-connect]", `
  check   says every problem at once, with file:line:col or the variable's name; with
          -connect also what is wrong with the database's tables, those of business
          rows among them
  schema  prints the JSON Schema of usher.yaml, for editors
  print   prints the configuration in effect, with secrets redacted`)
	path := set.String("config", "", configFlagHelp)
	connect := set.Bool("connect", false, "check: connect to the databases, and look whether their tables fit")
	what, rest := subcommand(args)
	if done, code := parse(t, set, rest); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	switch what {
	case "schema":
		fmt.Fprintf(t.out, "%s\n", config.Schema())
		return exitOK
	case "check", "print":
		c, problems := read(t, *path)
		if n := report(t, problems); n > 0 {
			fmt.Fprintf(t.err, "usher config: %d to mend\n", n)
			return exitUsage
		}
		if what == "print" {
			if err := c.Print(t.out); err != nil {
				return fail(t, err)
			}
			return exitOK
		}
		if err := boot.CheckSignIn(c); err != nil {
			fmt.Fprintf(t.err, "%s\nusher config: 1 to mend\n", err)
			return exitUsage
		}
		if *connect {
			if code := checkDatabases(ctx, t, c); code != exitOK {
				return code
			}
		}
		fmt.Fprintln(t.out, "the configuration is good")
		return exitOK
	case "":
		set.Usage()
		return exitUsage
	default:
		fmt.Fprintf(t.err, "usher config: there is no %q; write check, schema or print\n", what)
		return exitUsage
	}
}

// checkDatabases says what would keep the service from starting, or from answering, once it reads the databases.
func checkDatabases(ctx context.Context, t terminal, c *config.Config) int {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if !c.Enabled {
		return exitOK
	}
	opened, err := boot.OpenStore(ctx, c)
	if err != nil {
		return fail(t, err)
	}
	opened.Close()
	findings, err := boot.CheckProvision(ctx, c)
	if err != nil {
		return fail(t, err)
	}
	for _, f := range findings {
		fmt.Fprintf(t.err, "provision: %s\n", finding(f))
	}
	if len(findings) > 0 {
		fmt.Fprintf(t.err, "usher config: %d to mend\n", len(findings))
		return exitFailed
	}
	return exitOK
}

// subcommand takes the word that says what to do from wherever it stands before the flags.
func subcommand(args []string) (string, []string) {
	if len(args) == 0 || args[0] == "" || args[0][0] == '-' {
		return "", args
	}
	return args[0], args[1:]
}
