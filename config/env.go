package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// environment is the variables, and which of them were taken notice of. An empty variable is one that is not set:
// Compose and Helm make such of absent values.
type environment struct {
	values map[string]string
	used   map[string]bool
}

func newEnvironment(environ []string) *environment {
	e := &environment{values: make(map[string]string), used: map[string]bool{"USHER_CONFIG": true}}
	for _, line := range environ {
		if name, value, ok := strings.Cut(line, "="); ok && strings.TrimSpace(value) != "" {
			e.values[name] = value
		}
	}
	return e
}

// given is what the environment says for one key.
type given struct {
	variable string // empty: nothing
	text     string // the value, or the path of the file that holds it
	file     bool
}

// look finds a variable, or for a secret the one that names its file. Both at once is a problem.
func (e *environment) look(f *findings, name, key string, secret bool) given {
	e.used[name] = true
	value, here := e.values[name]
	if !secret {
		if !here {
			return given{}
		}
		return given{variable: name, text: value}
	}
	e.used[name+"_FILE"] = true
	path, inFile := e.values[name+"_FILE"]
	switch {
	case here && inFile:
		f.at(place{variable: name}, key, "%s_FILE is set too; keep one of them", name)
		return given{variable: name, text: value}
	case here:
		return given{variable: name, text: value}
	case inFile:
		return given{variable: name + "_FILE", text: path, file: true}
	default:
		return given{}
	}
}

// overlay puts the environment over the file: Better Auth's own variables first, USHER_ variables over them.
func overlay(c *Config, f *findings, env *environment, read func(string) ([]byte, error)) {
	o := &overlaying{f, env, read}
	keys := keysOf(c)
	own := make(map[string]given)
	for _, k := range keys {
		if found := env.look(f, k.variable(), k.path, k.secret()); found.variable != "" {
			own[k.path] = found
		}
	}
	o.betterAuth(c, keys, own)
	for _, k := range keys {
		if found, ok := own[k.path]; ok {
			o.set(k, found, false)
		}
	}
}

type overlaying struct {
	*findings
	env  *environment
	read func(string) ([]byte, error)
}

// set gives a key what a variable says.
func (o *overlaying) set(k key, from given, shared bool) {
	at := place{variable: from.variable, shared: shared}
	o.forget(k.path)
	o.places[k.path] = at
	if target, ok := secretIn(k.value); ok {
		*target = Secret{from: reference{"env", from.variable}}
		if from.file {
			target.from = reference{"file", from.text}
		}
		return
	}
	text, ok := o.content(from, k.path)
	if !ok {
		return
	}
	d := &decoder{findings: o.findings, variable: at}
	if node, ok := d.nodeOf(text, k.value.Type(), shared); ok {
		d.value(node, k.value, k.path, k.field.Tag)
	}
}

// content is a variable's text, or that of the file it names.
func (o *overlaying) content(from given, key string) (string, bool) {
	if !from.file {
		return from.text, true
	}
	content, err := o.read(from.text)
	if err != nil {
		o.at(place{variable: from.variable}, key, "%s", unreadable(err))
		return "", false
	}
	if text := strings.TrimSpace(string(content)); text != "" {
		return text, true
	}
	o.at(place{variable: from.variable}, key, "the file is empty")
	return "", false
}

func secretIn(v reflect.Value) (*Secret, bool) {
	switch value := v.Addr().Interface().(type) {
	case *Secret:
		return value, true
	case *URL:
		return &value.Secret, true
	default:
		return nil, false
	}
}

// nodeOf makes of a variable's text what the file would hold: lists are comma-separated, and everything with a structure
// of its own is YAML (or JSON) in one line. Lists may be YAML too, unless they are Better Auth's.
func (d *decoder) nodeOf(text string, t reflect.Type, shared bool) (*yaml.Node, bool) {
	text = strings.TrimSpace(text)
	scalar := func(text string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text} }
	inline := t.Kind() == reflect.Map || isSection(t) || t.Kind() == reflect.Slice && isSection(t.Elem())
	switch {
	case inline, t.Kind() == reflect.Slice && !shared && (text[0] == '[' || strings.Contains(text, "\n")):
		return d.parse([]byte(text))
	case t.Kind() == reflect.Slice:
		list := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list.Content = append(list.Content, scalar(item))
			}
		}
		return list, true
	default:
		return scalar(text), true
	}
}

// kubernetesService matches what Kubernetes puts into every container of a namespace that has a Service called usher
// or usher-something; a value of the _PORT form is an URL.
var kubernetesService = pattern(`^USHER_([A-Z0-9_]+_)?(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$`)

// unknownVariables refuses USHER_ variables that mean nothing: a slip there would be a setting that silently does not hold.
func unknownVariables(c *Config, f *findings, env *environment) {
	var names []string // made for the first that is unknown; usually there is none
	secrets := make(map[string]bool)
	for _, name := range sortedKeys(env.values) {
		if !strings.HasPrefix(name, "USHER_") || env.used[name] {
			continue
		}
		if kubernetesService(name) &&
			(!strings.HasSuffix(name, "_PORT") || strings.HasSuffix(name, "_SERVICE_PORT") || strings.Contains(env.values[name], "://") ||
				regexp.MustCompile(`_(TCP|UDP|SCTP)_PORT$`).MatchString(name)) {
			continue
		}
		if names == nil {
			for _, k := range keysOf(c) {
				names = append(names, k.variable())
				secrets[k.variable()] = k.secret()
			}
		}
		message := "unknown variable" + didYouMean(name, names)
		if plain, file := strings.CutSuffix(name, "_FILE"); file && env.used[plain] && !secrets[plain] {
			message = fmt.Sprintf("only secrets are read from files; set %s", plain)
		}
		f.at(place{variable: name}, "", "%s", message)
	}
}

func isVariableName(name string) bool {
	return regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,99}$`).MatchString(name)
}
