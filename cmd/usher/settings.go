package main

import (
	"fmt"
	"os"

	"github.com/usherauth/usher/config"
)

// configFlagHelp is said wherever a configuration is read.
const configFlagHelp = "configuration `file`; without it USHER_CONFIG names one, and environment variables alone are enough"

// load reads the configuration and prints every problem at once. Nil means that the command ends with exitUsage.
func load(t terminal, path string) *config.Config {
	if path == "" {
		path = t.environment("USHER_CONFIG")
	}
	c, problems := config.Load(config.Options{Path: path, Environ: t.environ, ReadFile: os.ReadFile})
	if report(t, problems) > 0 {
		fmt.Fprintln(t.err, "usher: the configuration cannot be used; `usher config check` prints this list again, docs/configuration.md explains every key")
		return nil
	}
	return c
}

// report prints problems, and counts those that are not just warnings.
func report(t terminal, problems []config.Problem) (errors int) {
	for _, p := range problems {
		if p.Warning {
			fmt.Fprintf(t.err, "warning: %s\n", p)
			continue
		}
		fmt.Fprintln(t.err, p)
		errors++
	}
	return errors
}
