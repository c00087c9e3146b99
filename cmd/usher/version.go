package main

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set by release builds: -ldflags "-X main.version=v1.2.3".
var version = "devel"

// testedWith names what `make test` runs Usher against, newest first; a test compares it with what is installed for that.
var testedWith = []struct {
	Name     string
	Versions []string
}{
	{"Better Auth", []string{"1.7.25", "1.4.22"}},
	{"Envoy", []string{"1.40.0"}},
	{"Traefik", []string{"3.6.12"}},
	{"Caddy", []string{"2.11.9"}},
	{"nginx", []string{"1.22.1"}},
	{"HAProxy", []string{"2.6.12"}},
	{"PostgreSQL", []string{"15"}},
}

// build is what is known of this binary.
type build struct {
	Version string              `json:"version"`
	Commit  string              `json:"commit"`
	Go      string              `json:"go"`
	Tested  map[string][]string `json:"tested_with"`
}

func thisBuild() build {
	b := build{Version: version, Commit: "unknown", Go: runtime.Version(), Tested: make(map[string][]string)}
	if info, ok := debug.ReadBuildInfo(); ok {
		if version == "devel" && info.Main.Version != "" && info.Main.Version != "(devel)" {
			b.Version = info.Main.Version
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				b.Commit = setting.Value
			}
		}
	}
	for _, t := range testedWith {
		b.Tested[t.Name] = t.Versions
	}
	return b
}

func runVersion(_ context.Context, t terminal, args []string) int {
	set := flags(t, "version", "[-json]", `
Prints the version, the commit it was built from, Go's version, and the versions of
Better Auth and of the proxies that its tests run against.`)
	asJSON := set.Bool("json", false, "print one JSON object")
	if done, code := parse(t, set, args); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	b := thisBuild()
	if *asJSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(b); err != nil {
			return fail(t, err)
		}
		return exitOK
	}
	fmt.Fprintf(t.out, "usher %s (commit %s, %s)\ntested with:\n", b.Version, b.Commit, b.Go)
	for _, tested := range testedWith {
		fmt.Fprintf(t.out, "  %-12s", tested.Name)
		for i, v := range tested.Versions {
			if i > 0 {
				fmt.Fprint(t.out, ", ")
			}
			fmt.Fprint(t.out, v)
		}
		fmt.Fprintln(t.out)
	}
	return exitOK
}
