package demo

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"html/template"
	"net/http"
	"sync"
)

var (
	//go:embed web/main.html
	mainHTML string
	//go:embed web/who.html
	whoHTML string
	//go:embed web/style.css
	styleCSS string
	//go:embed web/demo.js
	demoJS string
)

// The pages, parsed when they are first shown: other commands do without. They bring their style and script along, so
// that no other path of the backend is needed for them.
var (
	mainPage = parse("main", mainHTML)
	whoPage  = parse("who", whoHTML)
)

func parse(name, text string) func() *template.Template {
	return sync.OnceValue(func() *template.Template {
		return template.Must(template.New(name).Funcs(template.FuncMap{
			"style":  func() template.CSS { return template.CSS(styleCSS) }, //nolint:gosec // our own file
			"script": func() template.JS { return template.JS(demoJS) },     //nolint:gosec // our own file
		}).Parse(text))
	})
}

// policy lets a page use its own style and script, talk to its own origin, and nothing else. Redirects of its forms
// count for form-action too: those of signing in and out stay on the demo's origin.
var policy = sync.OnceValue(func() string {
	return "default-src 'none'; style-src '" + hash(styleCSS) + "'; script-src '" + hash(demoJS) + "'; connect-src 'self'; " +
		"img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
})

// hash is how a Content-Security-Policy names an inline style or script.
func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

func render(w http.ResponseWriter, page *template.Template, status int, view any) {
	var body bytes.Buffer
	if err := page.Execute(&body, view); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would take the Origin off our own forms
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client is gone when this fails
}

// whoView is what the provider's page shows.
type whoView struct {
	People []person
	Nobody string // the choice that is none of them
}
