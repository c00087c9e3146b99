package main

import (
	"fmt"
	"os"
	"slices"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/internal/boot"
)

// configFlagHelp is said wherever a configuration is read.
const configFlagHelp = "configuration `file`; without it USHER_CONFIG names one, and environment variables alone are enough"

// load reads the configuration and prints every problem at once. Nil means that the command ends with exitUsage.
func load(t terminal, path string) *config.Config {
	c, warnings := loadQuietly(t, path)
	if c != nil {
		report(t, warnings)
	}
	return c
}

// loadQuietly is load for who has a log: it hands over the warnings of a configuration that can be used.
func loadQuietly(t terminal, path string) (*config.Config, []config.Problem) {
	c, problems := read(t, path)
	if config.Refused(problems) {
		report(t, problems)
		fmt.Fprintln(t.err, "usher: the configuration cannot be used; `usher config check` prints this list again, docs/configuration.md explains every key")
		return nil, nil
	}
	return c, problems
}

// read takes the file that is named, and the environment.
func read(t terminal, path string) (*config.Config, []config.Problem) {
	return config.Load(config.Options{Path: path, Environ: t.environ, ReadFile: os.ReadFile, Providers: boot.ProviderNames()})
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

// written are the problems of what somebody wrote, as opposed to what is only missing: a command that needs no secret and
// no store works without them.
func written(problems []config.Problem) []config.Problem {
	return slices.DeleteFunc(slices.Clone(problems), func(p config.Problem) bool {
		return p.Warning || p.Missing
	})
}
