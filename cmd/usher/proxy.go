package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/usherauth/usher/config"
	"github.com/usherauth/usher/deploy/proxy"
	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/boot"
)

func runProxy(_ context.Context, t terminal, args []string) int {
	set := flags(t, "proxy", "KIND [flags]", proxyText())
	path := set.String("config", "", configFlagHelp)
	var p proxy.Params
	set.StringVar(&p.Listen, "listen", ":8080", "`address` the proxy listens on")
	set.StringVar(&p.Upstream, "upstream", "127.0.0.1:3000", "`address` of your backend")
	set.StringVar(&p.Gate, "gate", "", "`address` of Usher as the proxy reaches it (default: listen.http or listen.grpc on this machine)")
	set.StringVar(&p.Mode, "mode", "", "for Envoy and its kin: grpc or http (default grpc)")
	set.StringVar(&p.Public, "public", "", "fixed origin `URL` of the site, for a proxy behind another one: https://app.example.com")
	out := set.String("o", "", "write the files into this `folder` instead of printing them")
	kind, rest := subcommand(args)
	if done, code := parse(t, set, rest); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	if kind == "" {
		set.Usage()
		return exitUsage
	}
	c, code := configured(t, *path, &p)
	if c == nil {
		return code
	}
	files, err := proxy.Render(kind, p)
	if err != nil {
		fmt.Fprintf(t.err, "usher proxy: %v\n", err)
		return exitUsage
	}
	tellClosed(t, kind, c)
	if *out == "" {
		for _, f := range files {
			if len(files) > 1 {
				fmt.Fprintf(t.out, "# ==== file %s (-o writes the files into a folder)\n", f.Name)
			}
			fmt.Fprint(t.out, f.Content)
		}
		return exitOK
	}
	for _, f := range files {
		name := filepath.Join(*out, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return fail(t, err)
		}
		kept, err := replaceFile(name, f.Content)
		if err != nil {
			return fail(t, err)
		}
		fmt.Fprintf(t.err, "wrote %s%s\n", name, kept)
	}
	return exitOK
}

// replaceFile writes a file. Another one of that name is kept beside it: somebody may have put their certificates in.
func replaceFile(name, content string) (kept string, err error) {
	old, err := os.ReadFile(name)
	switch {
	case err == nil && string(old) == content:
		return " (unchanged)", nil
	case err == nil:
		if err := os.Rename(name, name+".bak"); err != nil {
			return "", err
		}
		kept = ", the old one is " + name + ".bak"
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	return kept, os.WriteFile(name, []byte(content), 0o644)
}

func proxyText() string {
	text := `
Prints the complete, secure, commented configuration of a proxy that asks Usher, with
the header names and addresses of your configuration. KIND is one of:
`
	for _, k := range proxy.Kinds() {
		text += fmt.Sprintf("\n  %-14s %s", k.Name, k.Summary)
	}
	return text
}

// tellClosed says which rules people need to sign in through a proxy that asks the gate about the sign-in pages as well.
func tellClosed(t terminal, kind string, c *config.Config) {
	asks := slices.ContainsFunc(proxy.Kinds(), func(k proxy.Kind) bool { return k.Name == kind && k.AsksAboutPages })
	if closed := c.ClosedPages(); asks && len(closed) > 0 {
		fmt.Fprintf(t.err, "usher proxy: %s asks the gate about the sign-in pages too, and the rules are closed to them; begin with\n  - %s\n",
			kind, strings.Join(closed, "\n  - "))
	}
}

// configured takes the header names and addresses from the configuration. The command must work before anything is
// configured, so what is only missing does not matter; what is written must be good, so that proxy and gate agree. Nil
// means that the command ends.
func configured(t terminal, path string, p *proxy.Params) (*config.Config, int) {
	c, problems := read(t, path)
	if report(t, written(problems)) > 0 {
		fmt.Fprintln(t.err, "usher proxy: mend the configuration first, so that proxy and gate agree")
		return nil, exitUsage
	}
	headers, err := gate.NewHeaders(c.HeaderNames())
	if err != nil {
		fmt.Fprintf(t.err, "usher proxy: headers: %v\n", err)
		return nil, exitUsage
	}
	p.Headers, p.HTTPListen, p.GRPCListen, p.Remove = headers, c.Listen.HTTP, c.Listen.GRPC, c.Headers.Remove
	p.Callers = len(c.Internal.Callers) > 0
	if c.Companion() {
		p.API = c.AuthPath()
	}
	if c.BetterAuth.Session.Refresh {
		p.Cookies = []string{boot.SessionCookie(c)}
	}
	return c, exitOK
}
