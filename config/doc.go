// Package config reads usher.yaml and its environment overlay into one typed value, Config, and says everything that is
// wrong with it at once, each problem with its place: file:line:col, or the variable's name.
//
// It owns the names of keys and variables, what they may hold, and their defaults. The structs are the source of the
// rest: variables follow from the keys (listen.http is USHER_LISTEN_HTTP), and `go test ./config -update` writes the
// JSON Schema and docs/configuration.md from the fields, their comments and Default.
//
// It must not open, dial or start anything but the secret files it is told to read: configuration is data, and
// internal/boot turns it into running parts. Use it as
//
//	c, problems := config.Load(config.Options{Path: path, Environ: os.Environ()})
//	if config.Refused(problems) { … print each problem, exit 2 … }
//
// Secrets have a type of their own, which prints as a placeholder everywhere; Reveal gives the value.
package config
