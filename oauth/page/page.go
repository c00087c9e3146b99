package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"strings"
)

//go:embed web
var web embed.FS

// Pages are the pages in the colours of one brand. It is safe for concurrent use.
type Pages struct {
	brand     brand
	templates *template.Template
	policy    string
}

// New makes the pages of a brand. It fails on a brand that cannot be drawn; the error says what to write instead.
func New(b Brand) (*Pages, error) {
	drawn, err := b.draw()
	if err != nil {
		return nil, err
	}
	style, err := web.ReadFile("web/style.css")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	sheet := string(style) + drawn.style()
	p := &Pages{brand: drawn}
	p.templates, err = template.New("").Funcs(template.FuncMap{
		"style": func() template.CSS { return template.CSS(sheet) },      //nolint:gosec // our own file, and colours that were parsed
		"brand": func() string { return drawn.name },                     // escaped like any text
		"logo":  func() template.URL { return template.URL(drawn.logo) }, //nolint:gosec // a data: URL that we made of a file
		"home":  func() string { return b.Home },                         // escaped like any link
	}).ParseFS(web, "web/*.html")
	if err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	// form-action leaves out the providers: a page leads there by a link, never by the redirect of a form.
	p.policy = "default-src 'none'; style-src '" + digest(sheet) + "'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
	return p, nil
}

// digest is how a Content-Security-Policy names an inline style.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// SignIn writes the page where people choose how to sign in.
func (p *Pages) SignIn(w http.ResponseWriter, status int, v SignIn) {
	p.write(w, "signin.html", status, v)
}

// Account writes the page of somebody who is signed in.
func (p *Pages) Account(w http.ResponseWriter, status int, v Account) {
	p.write(w, "account.html", status, v)
}

// Problem writes what went wrong, and what to do.
func (p *Pages) Problem(w http.ResponseWriter, status int, v Problem) {
	p.write(w, "problem.html", status, v)
}

// Onward writes the page that leads to a provider by itself: the answer to a form cannot redirect there, for the policy
// keeps forms on our own site.
func (p *Pages) Onward(w http.ResponseWriter, v Onward) { p.write(w, "onward.html", http.StatusOK, v) }

func (p *Pages) write(w http.ResponseWriter, name string, status int, view any) {
	var body bytes.Buffer // so that a page is written whole or not at all
	if err := p.templates.ExecuteTemplate(&body, name, view); err != nil {
		http.Error(w, "This page could not be drawn.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", p.policy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would take the Origin off our own forms
	w.WriteHeader(status)
	_, _ = w.Write(body.Bytes()) // the client is gone when this fails
}

// Initials stand where a picture would: pictures live on other people's servers.
func Initials(name string) string {
	var letters []rune
	for word := range strings.FieldsSeq(name) {
		letters = append(letters, []rune(strings.ToUpper(word))[0])
	}
	switch len(letters) {
	case 0:
		return "?"
	case 1:
		return string(letters)
	default:
		return string([]rune{letters[0], letters[len(letters)-1]})
	}
}
