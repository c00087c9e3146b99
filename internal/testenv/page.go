package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Page is a page of docs/, done as it says: files are written, commands run, and what they print is compared with what the
// page prints. Only what Replace names, addresses and secrets, is the test's.
//
// What stands behind a fence says what the block is: "sh env" are variables for all commands after it, "sh run" runs to its
// end, "sh start" until the test ends, "text" is what the last "sh run" prints, and any other name is a file's.
type Page struct {
	Dir     string // where everything happens
	Env     []string
	Replace *strings.Replacer

	Ready   map[string]func(p *Proc, command string) // by a started program's name: waits until it serves; command is the page's own
	Other   map[string]func(body string)             // what else is done with a block, by what stands behind its fence
	Started []*Proc                                  // in the page's order

	shell, printed string
}

var block = regexp.MustCompile("(?ms)^```([a-z]+)(?: ([a-z.]+))?\n(.*?)^```$")

// PageDir is a folder for a page, until the test ends. It is not t.TempDir's: nginx's workers are nobody, and must get in.
func PageDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "usher-page-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // see above
		t.Fatal(err)
	}
	return dir
}

// Do does the page, which has this many blocks at the least.
func (p *Page) Do(t testing.TB, file string, least int) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	blocks := block.FindAllStringSubmatch(string(text), -1)
	if len(blocks) < least {
		t.Fatalf("only %d blocks in the page", len(blocks))
	}
	for _, b := range blocks {
		kind, name, body := b[1], b[2], p.Replace.Replace(b[3])
		fence := strings.TrimSpace(kind + " " + name)
		switch other := p.Other[fence]; {
		case other != nil:
			other(body)
		case fence == "sh env":
			p.shell = body
		case fence == "sh run":
			p.printed = p.Run(t, body)
		case fence == "sh start":
			p.start(t, b[3], body)
		case fence == "text":
			if p.printed != body {
				t.Errorf("the page says:\n%s\nand it is:\n%s", body, p.printed)
			}
		case name != "" && kind != "sh":
			if err := os.WriteFile(filepath.Join(p.Dir, name), []byte(body), 0o644); err != nil { //nolint:gosec // nothing secret
				t.Fatal(err)
			}
		default:
			t.Fatalf("what is to be done with a block of %s?", fence)
		}
	}
}

// Script are the arguments of a shell for a command after the page's variables, of which there are the same all the way.
func (p *Page) Script(t testing.TB, body string) []string {
	t.Helper()
	if strings.Contains(p.shell, "openssl rand") {
		secret, err := exec.Command("openssl", "rand", "-base64", "32").Output()
		if err != nil {
			t.Fatal(err)
		}
		p.shell = strings.Replace(p.shell, "$(openssl rand -base64 32)", strings.TrimSpace(string(secret)), 1)
	}
	return []string{"-euc", p.shell + body}
}

// Run runs a command to its end, and returns what it prints.
func (p *Page) Run(t testing.TB, body string) string {
	t.Helper()
	command := exec.Command("sh", p.Script(t, body)...)
	command.Dir, command.Env = p.Dir, p.Env
	var said strings.Builder
	command.Stderr = &said
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s%v\n%s%s", body, err, out, said.String())
	}
	return string(out)
}

// start runs one program until the test ends, and waits until it can be asked.
func (p *Page) start(t testing.TB, written, body string) {
	t.Helper()
	proc := Start(t, Command{Path: "/bin/sh", Args: p.Script(t, "exec "+body), Dir: p.Dir, Env: p.Env})
	p.Started = append(p.Started, proc)
	ready := p.Ready[strings.Fields(body)[0]]
	if ready == nil {
		t.Fatalf("when is this there: %s", body)
	}
	ready(proc, written)
}

// Await waits until a program listens on this machine at ":port", as the page has it.
func (p *Page) Await(t testing.TB, proc *Proc, port string) {
	t.Helper()
	proc.WaitListening(t, "127.0.0.1"+p.Replace.Replace(port))
}
