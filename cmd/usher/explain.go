package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/usherauth/usher/config"
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
request, rule, credential, business rows, session, organization, decision, headers. It
asks the store of the configuration, or nothing with -offline, and makes no row. Secrets and tokens are never printed.

Give cookies in a file where others can read your command line.`)
	path := set.String("config", "", configFlagHelp)
	target := set.String("url", "", "the request's `URL`, with scheme and host; as it stands on the wire")
	method := set.String("method", "GET", "the request's method")
	cookie := set.String("cookie", "", "a Cookie `header` line: name=value; …")
	cookieFile := set.String("cookie-file", "", "a `file` with a Cookie line, or a cookie jar of curl")
	spiffe := set.String("spiffe", "", "the SPIFFE `id` of the client's certificate, as Envoy reports it over gRPC; implies -edge grpc")
	bearer := set.String("bearer", "", "a bearer `token`; -bearer - reads it from standard input")
	edge := set.String("edge", "http", "the `kind` of edge, http or grpc: only gRPC can remove headers that look like identity; HTTP edges refuse them")
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
	if *spiffe != "" {
		*edge = "grpc"
	}
	if *edge != "http" && *edge != "grpc" {
		fmt.Fprintln(t.err, "usher explain: -edge: write http or grpc")
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
	found := explanation{Identity: map[string]string{}, Answer: map[string]string{}, Removed: []string{}}
	var sessions gate.Resolver = offline{}
	if !*alone && c.Enabled {
		opening, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		store, err := boot.OpenStore(opening, c)
		if err != nil {
			return fail(t, fmt.Errorf("%w (with -offline the store is not asked)", err))
		}
		defer store.Close()
		looking, end, err := boot.LookOnly(opening, c, store, func(finding string) {
			found.Steps = append(found.Steps, step{"provision", finding})
		})
		if err != nil {
			return fail(t, err)
		}
		defer end()
		sessions = looking
	}
	g, err := boot.NewGate(c, sessions, nil, nil)
	if err != nil {
		return fail(t, err)
	}

	request := gate.Request{
		Edge: "explain", Method: *method, Scheme: scheme, Host: host, Target: originForm, Rule: *rule, SPIFFE: *spiffe,
	}
	request.Trace = func(s, finding string) {
		if s == "credential" && finding == "none" {
			finding += ": " + missingCookie(c, request.Cookies)
		}
		found.Steps = append(found.Steps, step{s, finding})
	}
	lines, err := headerLines(t, headers, *cookie, *cookieFile, *bearer)
	if err != nil {
		fmt.Fprintf(t.err, "usher explain: %v\n", err)
		return exitUsage
	}
	for _, line := range lines {
		g.Headers().Collect(&request, line.Name, line.Value)
	}
	if len(request.Aliases) > 0 && *edge == "http" { // as in forwardauth
		request.Fault = gate.AliasedHeader
		request.Trace("headers", strings.Join(request.Aliases, ", ")+
			": backends could take this for an identity header, and HTTP edges cannot remove it; -edge grpc shows the answer of Envoy's gRPC edge")
	}
	decision := g.Check(ctx, &request)
	if errors.Is(decision.Err, errOffline) {
		found.undecided()
		return found.print(t, *asJSON, nil)
	}
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
	return found.print(t, *asJSON, &answer)
}

// undecided says that only the store knows.
func (found *explanation) undecided() {
	found.Verdict = "unknown"
	for i := range found.Steps {
		switch s := &found.Steps[i]; s.Step {
		case "session", "user":
			s.Finding = errOffline.Error()
		case "decision":
			s.Finding = "not known offline: the store decides"
		}
	}
}

// print writes what was found; without an answer, the steps alone.
func (found *explanation) print(t terminal, asJSON bool, answer *gate.Answer) int {
	if asJSON {
		encoder := json.NewEncoder(t.out)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(found); err != nil {
			return fail(t, err)
		}
		return exitOK
	}
	printExplanation(t, found, answer)
	return exitOK
}

func printExplanation(t terminal, found *explanation, answer *gate.Answer) {
	for _, s := range found.Steps {
		fmt.Fprintf(t.out, "%-13s %s\n", s.Step, printable(s.Finding))
	}
	if answer == nil {
		return
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
		line := cookieLine(content)
		if line == "" {
			return nil, fmt.Errorf("no cookie in %s", cookieFile)
		}
		lines = append(lines, gate.Header{Name: "Cookie", Value: line})
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

// missingCookie says which cookie was looked for and, by name alone, which others could have been meant.
func missingCookie(c *config.Config, lines []string) string {
	name := boot.SessionCookie(c)
	var others []string
	cleared := false
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			other := cookieName(pair)
			switch {
			case other == "" || len(other) > 100 || slices.Contains(others, other) || len(others) == 4:
			case other == name:
				cleared = true
			case strings.HasSuffix(strings.ToLower(other), "session_token") || plainName(other) == plainName(name):
				others = append(others, other)
			}
		}
	}
	if len(others) > 0 {
		keys := "better_auth.secure_cookies and better_auth.cookie_prefix"
		if c.BetterAuth.Cookies.SessionToken.Name != "" {
			keys = "better_auth.secure_cookies and better_auth.cookies.session_token.name"
		}
		return "looked for " + name + "; the request has " + strings.Join(others, ", ") + "; compare " + keys
	}
	if cleared {
		return name + " is there but empty: signed out"
	}
	return "looked for the cookie " + name + " and a bearer token"
}

func plainName(cookie string) string { return strings.TrimPrefix(cookie, "__Secure-") }

// cookieName is the name of a name=value pair; "" if it is none.
func cookieName(pair string) string {
	name, _, ok := strings.Cut(pair, "=")
	if name = strings.Trim(name, " \t\r\n"); !ok {
		return ""
	}
	for i := range len(name) {
		if b := name[i]; b <= ' ' || b >= 0x7f || strings.IndexByte(`"(),/:;<>?@[\]{}`, b) >= 0 {
			return ""
		}
	}
	return name
}

// cookieLine makes a Cookie header's value of a file: of a Netscape cookie jar as curl writes it (seven fields
// separated by tabs, "#HttpOnly_" before the domain of HttpOnly cookies), of the "Cookie:" lines among other headers,
// or of lines of name=value pairs. "" where there is no cookie.
func cookieLine(content []byte) string {
	var jar, headers, raw []string
	for line := range strings.Lines(strings.TrimPrefix(string(content), "\ufeff")) {
		line = strings.TrimRight(line, "\r\n")
		if fields := strings.Split(line, "\t"); len(fields) == 7 {
			if fields[5] != "" && (!strings.HasPrefix(fields[0], "#") || strings.HasPrefix(fields[0], "#HttpOnly_")) {
				jar = append(jar, fields[5]+"="+fields[6])
			}
			continue
		}
		line = strings.TrimSpace(line)
		if len(line) >= len("Cookie:") && strings.EqualFold(line[:len("Cookie:")], "Cookie:") {
			if line = strings.TrimSpace(line[len("Cookie:"):]); holdsCookie(line) {
				headers = append(headers, line)
			}
		} else if !strings.HasPrefix(line, "#") && holdsCookie(line) {
			raw = append(raw, line)
		}
	}
	for _, found := range [...][]string{jar, headers, raw} {
		if len(found) > 0 {
			return strings.Join(found, "; ")
		}
	}
	return ""
}

func holdsCookie(line string) bool {
	for pair := range strings.SplitSeq(line, ";") {
		if cookieName(pair) != "" {
			return true
		}
	}
	return false
}
