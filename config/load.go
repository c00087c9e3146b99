package config

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Options say where the configuration is.
type Options struct {
	Path     string                       // of the YAML file; empty: USHER_CONFIG, and without that none
	Environ  []string                     // "NAME=value", as os.Environ gives it; nil: no environment
	ReadFile func(string) ([]byte, error) // for the file and for secrets; nil: os.ReadFile

	// Providers are the names of identity providers that need no more than a client's id and secret; nil: none. The
	// caller knows them, so that a new one is made in one place.
	Providers []string
}

// Load reads the file, then Better Auth's own variables, then USHER_ variables, each over the one before, and checks the
// whole. It says everything that is wrong. The Config is never nil, but good for serving only if no problem is more than
// a warning (see Refused).
func Load(o Options) (*Config, []Problem) {
	if o.ReadFile == nil {
		o.ReadFile = os.ReadFile
	}
	env := newEnvironment(o.Environ)
	if o.Path == "" {
		o.Path = env.values["USHER_CONFIG"]
	}
	c := Default()
	f := &findings{file: o.Path, builtIn: o.Providers, places: make(map[string]place)}
	legible := o.Path == "" || readFile(c, f, o)
	overlay(c, f, env, o.ReadFile)
	resolveSecrets(c, f, env, o.ReadFile)
	unknownVariables(c, f, env)
	if legible { // otherwise everything would seem to be missing
		check(c, f)
	}
	c.places = f.places
	return c, f.sorted()
}

// readFile reads the YAML file. It reports whether it could be taken apart, good or not.
func readFile(c *Config, f *findings, o Options) bool {
	content, err := o.ReadFile(o.Path)
	if err != nil {
		f.at(place{}, "", "%s", unreadable(err))
		return false
	}
	d := &decoder{findings: f}
	document, ok := d.parse(content)
	if ok && !isNull(document) {
		d.value(document, valueOf(c), "", "")
		ok = document.Kind == yaml.MappingNode
	}
	return ok
}

// parse reads one YAML document; nothing at all is null.
func (d *decoder) parse(content []byte) (*yaml.Node, bool) {
	nothing := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
	loader, err := yaml.NewLoader(bytes.NewReader(content))
	if err != nil {
		d.syntax(err)
		return nil, false
	}
	var first, second yaml.Node
	if err := loader.Load(&first); errors.Is(err, io.EOF) {
		return nothing, true
	} else if err != nil {
		d.syntax(err)
		return nil, false
	}
	if err := loader.Load(&second); err == nil {
		d.at(d.place(&second), d.variableKey(), "a second YAML document begins here; put everything into one")
		return nil, false
	} else if !errors.Is(err, io.EOF) {
		d.syntax(err)
		return nil, false
	}
	if len(first.Content) != 1 {
		return nothing, true
	}
	return first.Content[0], true
}

// syntax notes what the YAML library could not read.
func (d *decoder) syntax(err error) {
	at, message := d.variable, "cannot be read"
	var problem *yaml.LoadError
	if errors.As(err, &problem) {
		switch message = problem.Message; {
		case strings.Contains(message, "anchor"): // it repeats the word, which may be a secret
			message = "an alias (*…) without its anchor; put values that begin with * in quotes"
		case strings.Contains(message, "cannot start any token"):
			message += "; indent with spaces, and put values that begin with @, % or ` in quotes"
		case strings.Contains(message, "mapping values are not allowed"):
			message += "; put values that hold a colon in quotes"
		}
		if at.variable == "" {
			at = place{line: problem.Mark.Line, column: problem.Mark.Column}
		}
	}
	d.at(at, d.variableKey(), "not YAML: %s", message)
}

// variableKey is the key a whole variable stands for; nothing for the file.
func (d *decoder) variableKey() string {
	for at, p := range d.places {
		if d.variable.variable != "" && p == d.variable {
			return at
		}
	}
	return ""
}

// unreadable says why a file could not be read, without its name: the place says which, and it may be a secret that was
// put where its file's name belongs.
func unreadable(err error) string {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "there is no such file"
	case errors.Is(err, fs.ErrPermission):
		return "the file may not be read by this user"
	default:
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err
		}
		return "the file cannot be read: " + err.Error()
	}
}

// resolveSecrets reads what {file: …}, {env: …} and …_FILE variables refer to, once it is known which of them count.
func resolveSecrets(c *Config, f *findings, env *environment, read func(string) ([]byte, error)) {
	eachSecret(valueOf(c), "", func(s *Secret, path string) {
		switch s.from.kind {
		case "file":
			content, err := read(s.from.name)
			text := trimNewline(string(content))
			if err != nil {
				f.problem(path, "%s", unreadable(err))
			} else if text == "" {
				f.problem(path, "the file is empty")
			}
			s.value = NewSecret(text).value
		case "env":
			name := s.from.name
			switch text := env.values[name]; {
			case !isVariableName(name):
				f.problem(path, "env: write the name of a variable, as {env: BETTER_AUTH_SECRET}")
			case text == "":
				f.problem(path, "env: this variable is not set")
			default:
				env.used[name] = true
				s.value = NewSecret(text).value
			}
		}
	})
}

func trimNewline(text string) string {
	if rest, found := strings.CutSuffix(text, "\r\n"); found {
		return rest
	}
	return strings.TrimSuffix(text, "\n")
}

// eachSecret visits every Secret and URL, also in lists and maps.
func eachSecret(v reflect.Value, path string, visit func(s *Secret, path string)) {
	switch value := v.Addr().Interface().(type) {
	case *Secret:
		visit(value, path)
		return
	case *URL:
		visit(&value.Secret, path)
		value.url = value.value != nil
		return
	case *[]VersionedSecret:
		for i := range *value {
			visit(&(*value)[i].Value, indexed(path, i))
		}
		return
	case *map[string]Provider:
		for _, name := range sortedKeys(*value) {
			provider := (*value)[name]
			eachSecret(valueOf(&provider), below(path, name), visit)
			(*value)[name] = provider
		}
		return
	}
	if isSection(v.Type()) {
		for field, at := range fieldsOf(v.Type(), path) {
			eachSecret(v.FieldByIndex(field.Index), at, visit)
		}
	}
}
