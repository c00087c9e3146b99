package flow

import "testing"

// The table is better-auth-oauth.md, section 6.3, observed on 1.7.25. Where we refuse what it accepts, the case says so.
func TestParseReturnURL(t *testing.T) {
	origins := []string{"https://auth.example.com", "https://app.example.com", "http://localhost:3000"}
	accepted := []string{
		"", "/", "/dash", "/dash?x=1&y=//evil.com", "/dash#//evil", "/a//b", "/a?u=%2f%2fevil", "/@evil.com", "/a:b", "/üñí",
		"/a;b,c!$&'()*+=~", "/[id]", "https://auth.example.com", "https://auth.example.com/x", "https://AUTH.example.com/x",
		"https://app.example.com/cb?x=1#y", "http://localhost:3000/x",
	}
	refused := []string{
		"dash", "./dash", "//evil.com", "///evil.com", `/\evil.com`, `/\/evil.com`, `\evil.com`, "/%5cevil.com", "/%2fevil.com",
		"/%2F%2Fevil.com", "/a\tb", "/\t/evil.com", "/\n/evil.com", `/a?b=\x`,
		"https://auth.example.com:8443/x", "http://auth.example.com/x", "https://auth.example.com@evil.com/",
		"https://auth.example.com.evil.com/", "https://evil.com/https://auth.example.com", "https://app.example.com.",
		"https://sub.app.example.com/", "http://localhost:3001/x", "http://127.0.0.1:3000/x", "javascript:alert(1)",
		"data:text/html,x", "mailto:a@b.c", "blob:https://auth.example.com/x", "file:///etc/passwd", "null", "about:blank",
		// Stricter than the library on purpose:
		"/a/%2e%2e/b", "/..//evil.com", "/.//evil.com", "/a b", "https://auth.example.com:443/x",
		"https://user:pw@auth.example.com/x", "https:auth.example.com/x", "https:/auth.example.com/x",
		`https:\\auth.example.com\x`, " https://auth.example.com/x", `https://auth.example.com\@evil.com`, "/\xff",
	}
	for _, raw := range accepted {
		if got, err := ParseReturnURL(raw, origins...); err != nil {
			t.Errorf("%q refused: %v", raw, err)
		} else if raw != "" && got.String() != raw {
			t.Errorf("%q became %q", raw, got)
		}
	}
	for _, raw := range refused {
		if got, err := ParseReturnURL(raw, origins...); err == nil {
			t.Errorf("%q accepted as %q", raw, got)
		}
	}
	if got := (ReturnURL{}).String(); got != "/" {
		t.Errorf("the zero value leads to %q", got)
	}
}
