package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
)

// Exit codes of contract section 2.1.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

// terminal is everything a command may touch of the world, so that tests can run commands.
type terminal struct {
	in       io.Reader
	out, err io.Writer
	environ  []string
}

// command is one subcommand.
type command struct {
	name    string
	summary string
	run     func(ctx context.Context, t terminal, args []string) int
}

// commands in the order of the help text.
func commands() []command {
	return []command{
		{"demo", "show the whole thing in one process, with nothing installed", runDemo},
		{"serve", "run the gate", runServe},
		{"proxy", "print the secure configuration of a proxy", runProxy},
		{"config", "check, describe or print the configuration", runConfig},
		{"internal", "make a token for a service that may speak for users", runInternal},
		{"schema", "print, check or make Better Auth's tables", runSchema},
		{"explain", "replay one request and say why it gets its answer", runExplain},
		{"version", "print version, build, and what it was tested with", runVersion},
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	t := terminal{os.Stdin, os.Stdout, os.Stderr, os.Environ()}
	code := run(ctx, t, os.Args[1:])
	stop()
	os.Exit(code)
}

func run(ctx context.Context, t terminal, args []string) int {
	if len(args) == 0 {
		usage(t.err)
		return exitUsage
	}
	name, rest := args[0], args[1:]
	switch name {
	case "help", "-h", "-help", "--help":
		if len(rest) == 0 {
			usage(t.out)
			return exitOK
		}
		name, rest = rest[0], []string{"-h"}
	case "-version", "--version":
		name = "version"
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(ctx, t, rest)
		}
	}
	fmt.Fprintf(t.err, "usher: there is no command %q; `usher help` lists them\n", name)
	return exitUsage
}

func usage(w io.Writer) {
	fmt.Fprint(w, `Usher puts Better Auth at the edge: it answers your proxy "may this request pass, and who is it?"

Usage: usher COMMAND [flags]

`)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %-9s %s\n", c.name, c.summary)
	}
	fmt.Fprint(w, `
New here? Run "usher demo" and open the URL it prints.
"usher help COMMAND" explains a command. Exit codes: 0 all is well, 1 something failed, 2 wrong usage or configuration.
`)
}

// flags makes a flag set whose help begins with text, and whose errors end in exit code 2.
func flags(t terminal, name, synopsis, text string) *flag.FlagSet {
	set := flag.NewFlagSet("usher "+name, flag.ContinueOnError)
	set.SetOutput(t.err)
	set.Usage = func() {
		fmt.Fprintf(set.Output(), "Usage: usher %s %s\n\n%s\n", name, synopsis, strings.TrimSpace(text))
		any := false
		set.VisitAll(func(*flag.Flag) { any = true })
		if any {
			fmt.Fprint(set.Output(), "\nFlags:\n")
			set.PrintDefaults()
		}
	}
	return set
}

// parse reads the flags; done means that the command ends with code.
func parse(t terminal, set *flag.FlagSet, args []string) (done bool, code int) {
	for _, arg := range args {
		if arg == "-h" || arg == "-help" || arg == "--help" {
			set.SetOutput(t.out)
		}
	}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return true, exitOK
	case err != nil:
		return true, exitUsage
	}
	return false, exitOK
}

// noArguments refuses what was left over after the flags.
func noArguments(t terminal, set *flag.FlagSet) bool {
	if set.NArg() == 0 {
		return true
	}
	fmt.Fprintf(t.err, "%s: unexpected argument %q; see `%s -h`\n", set.Name(), set.Arg(0), set.Name())
	return false
}

// fail prints an error for a person.
func fail(t terminal, err error) int {
	fmt.Fprintf(t.err, "usher: %v\n", err)
	return exitFailed
}
