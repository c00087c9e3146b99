package proxy

import (
	"embed"
	"fmt"
	"strings"
	"sync"
	"text/template"

	"github.com/usherauth/usher/gate"
)

// Params is what a configuration depends on. Every field has a default, except where it says so.
type Params struct {
	Listen   string // where the proxy listens, [IP]:port; empty: ":8080". On Kubernetes the Gateway or Ingress decides
	Upstream string // the backend, host:port; empty: "127.0.0.1:3000"
	Gate     string // Usher as the proxy reaches it, host:port; empty: made of HTTPListen or GRPCListen, on this machine
	Mode     string // grpc or http; empty: grpc where the proxy knows it
	Public   string // origin that browsers see, https://app.example.com, for a proxy behind another one; empty: as asked

	HTTPListen string // listen.http of the configuration; empty: ":4480"
	GRPCListen string // listen.grpc of the configuration; empty: ":4481"

	Headers *gate.Headers // names of the identity headers; nil: the usher preset with X-Org-Id
	Remove  []string      // headers.remove of the configuration: what the gate removes besides; Envoy must allow it
	Rule    string        // named rule that judges everything this proxy asks about; empty: the first that matches
	Cookies []string      // cookies the gate may renew, which the proxy hands back to the browser; empty: none
	Callers bool          // there are internal callers, who name users to the gate, and whose tokens no backend may see
	API     string        // path of the companion's API, /api/auth: it and the pages go to Usher; empty: no companion
}

// File is one rendered file.
type File struct {
	Name    string // below the folder of -o
	Content string
}

// Kind is a proxy that Render knows.
type Kind struct {
	Name    string
	Summary string // one line

	// AsksAboutPages says that the gate is asked about the companion's own pages and API too, so that its rules have to
	// open them: what is asked is said of a listener, and cannot be left out for a route.
	AsksAboutPages bool
}

// Kinds lists them in the order of the help text.
func Kinds() []Kind {
	out := make([]Kind, 0, len(families()))
	for _, f := range families() {
		out = append(out, f.Kind)
	}
	return out
}

// family is a proxy, how it asks, and the templates of its files.
type family struct {
	Kind
	modes      []string // what -mode may be; the first is the default
	kubernetes bool     // addresses are those of Services
	files      func(*site) []source
	check      func(*site) error // what only this proxy cannot do; nil: nothing
}

// source is a file and the template it is made of.
type source struct{ name, template string }

func families() []family {
	return []family{
		envoy(), istio(), envoyGateway(), gatewayAPI(), traefik(), nginx(), ingressNginx(), caddy(), haproxy(),
	}
}

// Render makes the files of a proxy's configuration. The error names every parameter that is wrong.
func Render(kind string, p Params) ([]File, error) {
	for _, f := range families() {
		if f.Name != kind {
			continue
		}
		s, err := newSite(f, p)
		if err != nil {
			return nil, err
		}
		var files []File
		for _, src := range f.files(s) {
			var text strings.Builder
			if err := templates().ExecuteTemplate(&text, src.template, s); err != nil {
				return nil, fmt.Errorf("proxy: %w", err) // a template that TestEveryKindRenders has not seen
			}
			files = append(files, File{Name: src.name, Content: text.String()})
		}
		return files, nil
	}
	var names []string
	for _, k := range Kinds() {
		names = append(names, k.Name)
	}
	return nil, fmt.Errorf("there is no proxy %q; there are %s", kind, strings.Join(names, ", "))
}

func one(name string) func(*site) []source {
	return func(*site) []source { return []source{{name, name + ".tmpl"}} }
}

//go:embed *.tmpl
var templateFiles embed.FS

// templates fail on a key that does not exist, and know the few words below. They are parsed when they are asked for: a
// gate that starts needs none of them.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Option("missingkey=error").Funcs(template.FuncMap{
		"lower":   strings.ToLower,
		"word":    word,
		"join":    strings.Join,
		"pattern": pattern,
	}).ParseFS(templateFiles, "*.tmpl"))
})

// word makes a header name a name for variables: x_user_id.
func word(name string) string {
	return strings.ReplaceAll(strings.ToLower(name), "-", "_")
}

// pattern makes a cookie's name part of a regular expression.
func pattern(name string) string { return strings.ReplaceAll(name, ".", `\.`) }
