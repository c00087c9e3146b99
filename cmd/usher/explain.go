package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/internal/boot"
)

// explanation is what `usher explain` finds; with -json as one object.
type explanation struct {
	Steps    []step            `json:"steps"`
	Verdict  string            `json:"verdict"`
	Reason   string            `json:"reason"`
	Status   int               `json:"status"`
	Rule     string            `json:"rule,omitempty"`
	Identity map[string]string `json:"identity"` // to the backend
	Removed  []string          `json:"removed"`  // of what the client sent
	Answer   map[string]string `json:"answer"`   // headers to the client or the proxy
	Body     string            `json:"body,omitempty"`
}

type step struct {
	Step    string `json:"step"`
	Finding string `json:"finding"`
}

// errOffline is what the store answers in an explanation without one.
var errOffline = errors.New("offline: the store was not asked (-offline)")

type offline struct{}

func (offline) Resolve(context.Context, gate.Credential) (*gate.Principal, error) {
	return nil, errOffline
}

// repeated collects a flag that may be given several times.
type repeated []string

func (r *repeated) String() string         { return strings.Join(*r, ", ") }
func (r *repeated) Set(value string) error { *r = append(*r, value); return nil }

func runExplain(ctx context.Context, t terminal, args []string) int {
	set := flags(t, "explain", "-url https://app.example.com/path [flags]", `
Replays one request through the gate and says, step by step, why it gets its answer:
request, rule, credential, session, organization, decision, headers. It asks the store
of the configuration, or nothing with -offline. Secrets and tokens are never printed.

Give cookies in a file where others can read your command line.`)
	path := set.String("config", "", configFlagHelp)
	target := set.String("url", "", "the request's `URL`, with scheme and host; as it stands on the wire")
	method := set.String("method", "GET", "the request's method")
	cookie := set.String("cookie", "", "a Cookie `header` line: name=value; …")
	cookieFile := set.String("cookie-file", "", "a `file` with a Cookie line, or a cookie jar of curl")
	bearer := set.String("bearer", "", "a bearer `token`; -bearer - reads it from standard input")
	rule := set.String("rule", "", "the rule the proxy's configuration names, if it does")
	alone := set.Bool("offline", false, "do not ask the store: explain up to the credential")
	asJSON := set.Bool("json", false, "print one JSON object")
	var headers repeated
	set.Var(&headers, "header", "a further header line, `\"Name: value\"`; may be repeated")
	if done, code := parse(t, set, args); done {
		return code
	}
	if !noArguments(t, set) {
		return exitUsage
	}
	scheme, host, originForm, ok := splitURL(*target)
	if !ok {
		fmt.Fprintln(t.err, "usher explain: -url needs scheme, host and path, as in https://app.example.com/orders?page=2")
		return exitUsage
	}
	c := load(t, *path)
	if c == nil {
		return exitUsage
	}
	var sessions gate.Resolver = offline{}
	if !*alone && c.Enabled {
		opening, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		store, err := boot.OpenStore(opening, c)
		if err != nil {
			return fail(t, fmt.Errorf("%w (with -offline the store is not asked)", err))
		}
		defer store.Close()
		sessions = store
	}
	g, err := boot.NewGate(c, sessions, nil)
	if err != nil {
		return fail(t, err)
	}

	found := explanation{Identity: map[string]string{}, Answer: map[string]string{}, Removed: []string{}}
	request := gate.Request{
		Edge: "explain", Method: *method, Scheme: scheme, Host: host, Target: originForm, Rule: *rule,
		Trace: func(s, finding string) { found.Steps = append(found.Steps, step{s, finding}) },
	}
	lines, err := headerLines(t, headers, *cookie, *cookieFile, *bearer)
	if err != nil {
		fmt.Fprintf(t.err, "usher explain: %v\n", err)
		return exitUsage
	}
	for _, line := range lines {
		g.Headers().Collect(&request, line.Name, line.Value)
	}
	decision := g.Check(ctx, &request)
	answer := g.Answer(&request, decision)
	found.Verdict, found.Reason, found.Status, found.Rule = decision.Verdict.String(), string(decision.Reason), answer.Status, decision.Rule
	for _, line := range answer.Identity {
		found.Identity[line.Name] = line.Value
	}
	for _, line := range answer.Headers {
		found.Answer[line.Name] = line.Value
	}
	found.Removed = append(found.Removed, answer.Remove...)
	found.Body = answer.Body
	if *asJSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(found); err != nil {
			return fail(t, err)
		}
		return exitOK
	}
	printExplanation(t, &found, &answer)
	return exitOK
}

func printExplanation(t terminal, found *explanation, answer *gate.Answer) {
	for _, s := range found.Steps {
		fmt.Fprintf(t.out, "%-13s %s\n", s.Step, printable(s.Finding))
	}
	fmt.Fprintf(t.out, "%-13s HTTP %d (see docs/reasons.md#%s)\n", "answer", found.Status, strings.ToLower(found.Reason))
	for _, line := range answer.Headers {
		fmt.Fprintf(t.out, "  %s: %s\n", line.Name, line.Value)
	}
	if answer.Body != "" {
		fmt.Fprintf(t.out, "  %s\n", answer.Body)
	}
	if len(answer.Identity) > 0 {
		fmt.Fprintln(t.out, "to the backend:")
		for _, line := range answer.Identity {
			fmt.Fprintf(t.out, "  %s: %s\n", line.Name, line.Value)
		}
	}
	for _, name := range answer.Remove {
		fmt.Fprintf(t.out, "removed: the client's %s\n", printable(name))
	}
	if len(answer.Remove) == 0 && len(answer.Unset) == 0 && answer.Verdict != gate.Allow {
		fmt.Fprintln(t.out, "the backend is not asked")
	}
}

// printable keeps what came from outside from steering the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// splitURL takes a URL apart without judging or normalising its path: that is the gate's work.
func splitURL(raw string) (scheme, host, target string, ok bool) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return "", "", "", false
	}
	end := strings.IndexAny(rest, "/?#\\")
	if end < 0 {
		return scheme, rest, "/", rest != ""
	}
	host, target = rest[:end], rest[end:]
	if target[0] == '?' {
		target = "/" + target
	}
	return scheme, host, target, host != ""
}

// headerLines gathers the header lines of the request from the flags.
func headerLines(t terminal, headers []string, cookie, cookieFile, bearer string) ([]gate.Header, error) {
	var lines []gate.Header
	for _, raw := range headers {
		name, value, ok := strings.Cut(raw, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return nil, errors.New(`-header: write it as "Name: value"`)
		}
		lines = append(lines, gate.Header{Name: strings.TrimSpace(name), Value: strings.Trim(value, " \t")})
	}
	if cookie != "" {
		lines = append(lines, gate.Header{Name: "Cookie", Value: cookie})
	}
	if cookieFile != "" {
		content, err := os.ReadFile(cookieFile)
		if err != nil {
			return nil, fmt.Errorf("-cookie-file: %w", err)
		}
		lines = append(lines, gate.Header{Name: "Cookie", Value: cookieLine(content)})
	}
	if bearer == "-" {
		line, err := bufio.NewReader(t.in).ReadString('\n')
		if err != nil && line == "" {
			return nil, fmt.Errorf("-bearer -: %w", err)
		}
		bearer = strings.TrimSpace(line)
	}
	if bearer != "" {
		lines = append(lines, gate.Header{Name: "Authorization", Value: "Bearer " + bearer})
	}
	return lines, nil
}

// cookieLine reads a Cookie header line as it is, or makes one of a Netscape cookie jar as curl writes it: seven
// fields separated by tabs, "#HttpOnly_" before the domain of HttpOnly cookies.
func cookieLine(content []byte) string {
	var pairs []string
	for line := range bytes.Lines(content) {
		fields := strings.Split(strings.TrimRight(string(line), "\r\n"), "\t")
		if len(fields) == 7 && (!strings.HasPrefix(fields[0], "#") || strings.HasPrefix(fields[0], "#HttpOnly_")) {
			pairs = append(pairs, fields[5]+"="+fields[6])
		}
	}
	if len(pairs) > 0 {
		return strings.Join(pairs, "; ")
	}
	line := strings.TrimSpace(string(content))
	if rest, ok := strings.CutPrefix(line, "Cookie:"); ok {
		line = strings.TrimSpace(rest)
	}
	return line
}
