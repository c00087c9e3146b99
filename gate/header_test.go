package gate_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/usherauth/usher/gate"
)

type line struct{ name, value string }

func collect(t testing.TB, lines ...line) *gate.Request {
	t.Helper()
	headers, r := newHeaders(t), &gate.Request{}
	for _, l := range lines {
		headers.Collect(r, l.name, l.value)
	}
	return r
}

func TestCollect(t *testing.T) {
	for _, c := range []struct {
		it    string
		lines []line
		want  gate.Request
	}{
		{"nothing", nil, gate.Request{}},
		{"what is not read", []line{{"User-Agent", "x"}, {"X-Forwarded-For", "1.2.3.4"}, {"X-Original-URL", "/"}, {"", "x"}, {strings.Repeat("X", 65), "y"}}, gate.Request{}},
		{"what is read", []line{
			{"Authorization", "Bearer x"},
			{"ORIGIN", "https://a"},
			{"accept", "text/html"},
			{"Sec-Fetch-Site", "none"},
			{"Sec-Fetch-Mode", "navigate"},
			{"Sec-Fetch-Dest", "document"},
			{"Access-Control-Request-Method", "PUT"},
			{"X-Request-Id", "1"},
			{"Connection", "close"},
		}, gate.Request{
			Authorization: "Bearer x", Origin: "https://a", Accept: "text/html", FetchSite: "none", FetchMode: "navigate", FetchDest: "document",
			Announced: "PUT", ID: "1", Connection: "close",
		}},
		{"several Cookie lines", []line{{"Cookie", "a=1"}, {"cookie", "b=2"}, {"COOKIE", ""}}, gate.Request{Cookies: []string{"a=1", "b=2", ""}}},
		{"lists", []line{{"Accept", "a"}, {"Accept", "b"}, {"Connection", "x"}, {"Connection", "y"}}, gate.Request{Accept: "a,b", Connection: "x,y"}},
		{"Upgrade", []line{{"Upgrade", "websocket"}}, gate.Request{Upgrade: true}},
		{"Sec-WebSocket-Key alone", []line{{"Sec-WebSocket-Key", "x"}}, gate.Request{Upgrade: true}},
		{"an empty Upgrade", []line{{"Upgrade", ""}}, gate.Request{}},
		{"Upgrade-Insecure-Requests", []line{{"Upgrade-Insecure-Requests", "1"}}, gate.Request{}},
		{"the first request id", []line{{"X-Request-Id", "1"}, {"X-Request-Id", "2"}}, gate.Request{ID: "1"}},

		{"two Authorization (S15)", []line{{"Authorization", "Bearer a"}, {"authorization", "Bearer b"}}, gate.Request{Authorization: "Bearer b", Fault: gate.AmbiguousRequest}},
		{"two equal Authorization", []line{{"Authorization", "a"}, {"Authorization", "a"}}, gate.Request{Authorization: "a", Fault: gate.AmbiguousRequest}},
		{"two Authorization, one empty", []line{{"Authorization", ""}, {"Authorization", "a"}}, gate.Request{Authorization: "a", Fault: gate.AmbiguousRequest}},
		{"two Authorization joined by Envoy", []line{{"Authorization", "Bearer a,Bearer b"}}, gate.Request{Authorization: "Bearer a,Bearer b", Fault: gate.AmbiguousRequest}},
		{"two Origin", []line{{"Origin", "a"}, {"Origin", "b"}}, gate.Request{Origin: "b", Fault: gate.AmbiguousRequest}},
		{"Origin with a comma before", []line{{"Origin", ",a"}}, gate.Request{Origin: ",a", Fault: gate.AmbiguousRequest}},
		{"Origin with a comma", []line{{"Origin", "a,b"}}, gate.Request{Origin: "a,b", Fault: gate.AmbiguousRequest}},
		{"two Sec-Fetch-Site", []line{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "none"}}, gate.Request{FetchSite: "none", Fault: gate.AmbiguousRequest}},
		{"two announced methods", []line{{"Access-Control-Request-Method", "GET"}, {"Access-Control-Request-Method", "PUT"}}, gate.Request{Announced: "PUT", Fault: gate.AmbiguousRequest}},
		{"a control byte", []line{{"Authorization", "Bearer a\x00"}}, gate.Request{Authorization: "Bearer a\x00", Fault: gate.AmbiguousRequest}},
		{"DEL", []line{{"Authorization", "Bearer a\x7f"}}, gate.Request{Authorization: "Bearer a\x7f", Fault: gate.AmbiguousRequest}},
		{"a tab", []line{{"AUTHORIZATION", "Bearer\ta"}}, gate.Request{Authorization: "Bearer\ta"}},
		{"the longest Authorization", []line{{"Authorization", strings.Repeat("a", 8<<10)}}, gate.Request{Authorization: strings.Repeat("a", 8<<10)}},
		{"the longest Accept", []line{{"Accept", strings.Repeat("a", 8<<10)}}, gate.Request{Accept: strings.Repeat("a", 8<<10)}},
		{"a line break", []line{{"Origin", "a\r\nb"}}, gate.Request{Origin: "a\r\nb", Fault: gate.AmbiguousRequest}},
		{"a long Authorization", []line{{"Authorization", strings.Repeat("a", 8<<10+1)}}, gate.Request{Authorization: strings.Repeat("a", 8<<10+1), Fault: gate.RequestTooLarge}},
		{"a long Accept", []line{{"Accept", strings.Repeat("a", 8<<10+1)}}, gate.Request{Fault: gate.RequestTooLarge}},
		{"a long Accept in lines", []line{{"Accept", strings.Repeat("a", 5<<10)}, {"Accept", strings.Repeat("b", 5<<10)}}, gate.Request{Accept: strings.Repeat("a", 5<<10), Fault: gate.RequestTooLarge}},
		{"long and ambiguous, whichever comes first", []line{{"Accept", strings.Repeat("a", 8<<10+1)}, {"Origin", "a"}, {"Origin", "b"}}, gate.Request{Origin: "b", Fault: gate.AmbiguousRequest}},

		{"the organization", []line{{"X-Org-Id", "acme"}}, gate.Request{Organization: "acme", Sent: []string{"x-org-id"}}},
		{"an empty organization is none", []line{{"X-Org-Id", ""}, {"x-org-id", "acme"}}, gate.Request{Organization: "acme", Sent: []string{"x-org-id"}}},
		{"two organizations", []line{{"X-Org-Id", "a"}, {"x-org-id", "b"}}, gate.Request{Organization: "b", Sent: []string{"x-org-id"}, Fault: gate.AmbiguousRequest}},
		{"two organizations in one", []line{{"X-Org-Id", "a,b"}}, gate.Request{Organization: "a,b", Sent: []string{"x-org-id"}, Fault: gate.AmbiguousRequest}},
		{"an alias of the organization is no wish", []line{{"X_Org_Id", "acme"}}, gate.Request{Aliases: []string{"X_Org_Id"}}},
		{"identity", []line{{"X-User-Id", "evil"}, {"x-USER-id", "evil"}, {"X-Auth-Method", ""}}, gate.Request{User: "evil", Sent: []string{"x-user-id", "x-auth-method"}}},
		{"an empty user is none", []line{{"X-User-Id", ""}}, gate.Request{Sent: []string{"x-user-id"}}},
		{"an alias of the user names nobody", []line{{"X_User_Id", "u"}}, gate.Request{Aliases: []string{"X_User_Id"}}},
		{"aliases", []line{{"X_User_Id", "e"}, {"X.User.Id", "e"}, {"x~user~id", "e"}, {"X-User\xffId", "e"}}, gate.Request{Aliases: []string{"X_User_Id", "X.User.Id", "x~user~id", "X-User\xffId"}}},
		{"an alias twice", []line{{"X_User_Id", "e"}, {"X_User_Id", "e"}}, gate.Request{Aliases: []string{"X_User_Id", "X_User_Id"}}},
		{"near, but no alias (S06)", []line{{"X-User-Id-", "e"}, {"X--User-Id", "e"}, {"XUserId", "e"}, {"X-User-Idé", "e"}, {" X-User-Id", "e"}}, gate.Request{}},
		{"an alias of a header that is read is another header", []line{{"Author_ization", "x"}, {"Sec_Fetch_Site", "none"}, {"Access_Control_Request_Method", "PUT"}}, gate.Request{}},
	} {
		got := collect(t, c.lines...)
		if diff := cmp.Diff(&c.want, got, cmpopts.IgnoreUnexported(gate.Request{}), cmpopts.IgnoreFields(gate.Request{}, "Client")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.it, diff)
		}
	}
}

func TestTheOrderOfHeadersChangesNothing(t *testing.T) {
	lines := []line{
		{"Cookie", "session=alice"},
		{"Authorization", "Bearer a"},
		{"Authorization", "Bearer b"},
		{"X-User-Id", "e"},
		{"X_User_Id", "e"},
		{"Accept", strings.Repeat("a", 9<<10)},
		{"Origin", "https://app.test"},
	}
	headers := newHeaders(t)
	rapid.Check(t, func(t *rapid.T) {
		r := get("/x")
		for _, l := range rapid.Permutation(lines).Draw(t, "lines") {
			headers.Collect(r, l.name, l.value)
		}
		if r.Fault != gate.AmbiguousRequest {
			t.Fatalf("fault %s", r.Fault)
		}
	})
}

// An alias is what a CGI-like backend takes for an identity header; whatever is one is caught, whatever is not is left.
func TestAliasesAreExactlyWhatFoldsOntoAName(t *testing.T) {
	headers := newHeaders(t)
	names := headers.Names()
	fold := func(name string) string {
		out := []byte(name)
		for i, c := range out {
			switch {
			case 'A' <= c && c <= 'Z':
				out[i] = c + 'a' - 'A'
			case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			default:
				out[i] = '-'
			}
		}
		return string(out)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := []byte(rapid.SampledFrom(names).Draw(t, "name"))
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			i := rapid.IntRange(0, len(name)-1).Draw(t, "at")
			name[i] = rapid.SampledFrom([]byte("-_.~!AZaz09 \x00\xff%")).Draw(t, "byte")
		}
		r := &gate.Request{}
		headers.Collect(r, string(name), "evil")
		is := slices.ContainsFunc(names, func(n string) bool { return strings.ToLower(n) == fold(string(name)) })
		exact := slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, string(name)) })
		if (len(r.Sent) == 1) != exact || (len(r.Aliases) == 1) != (is && !exact) {
			t.Fatalf("%q: sent %q, aliases %q", name, r.Sent, r.Aliases)
		}
	})
}

func TestCollectDoesNotAllocateForWhatDoesNotMatter(t *testing.T) {
	headers := newHeaders(t)
	r := &gate.Request{}
	if got := testing.AllocsPerRun(100, func() {
		for _, l := range ordinary {
			if l.name != "Cookie" && l.name != "Accept" {
				headers.Collect(r, l.name, l.value)
			}
		}
		*r = gate.Request{}
	}); got != 0 {
		t.Errorf("%v allocations", got)
	}
}

func TestValues(t *testing.T) {
	preset, _ := gate.Preset("usher")
	encoded := newHeaders(t)
	raw, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Raw: true})
	must(t, err)
	for _, c := range []struct{ value, encoded, raw string }{
		{"", "", ""},
		{"Alice", "Alice", "Alice"},
		{"alice+x@app.test", "alice+x@app.test", "alice+x@app.test"},
		{`a "b" <c>; d, e\f`, `a "b" <c>; d, e\f`, `a "b" <c>; d, e\f`},
		{"100%", "100%25", "100%"},
		{"a%20b", "a%2520b", "a%20b"},
		{"Zoë", "Zo%C3%AB", "Zoë"},
		{"秘密", "%E7%A7%98%E5%AF%86", "秘密"},
		{"a b ë", "a%20b%20%C3%AB", "a b ë"},
		{" a", "%20a", "%20a"},
		{"a ", "a%20", "a%20"},
		{" ", "%20", "%20"},
		{"a\tb", "a%09b", "a%09b"},
		{"a\r\nX-User-Id: e", "a%0D%0AX-User-Id%3A%20e", "a%0D%0AX-User-Id%3A%20e"},
		{"a\x00", "a%00", "a%00"},
		{"a\x7f", "a%7F", "a%7F"},
		{"a\xff", "a%FF", "a%FF"},
		{"a\x80", "a%80", "a%80"},
		{"a-b.c_d~eë", "a-b.c_d~e%C3%AB", "a-b.c_d~eë"},
		{"-._~!", "-._~!", "-._~!"},
	} {
		if got := encoded.Value(c.value); got != c.encoded {
			t.Errorf("%q: %q, want %q", c.value, got, c.encoded)
		}
		if got := raw.Value(c.value); got != c.raw {
			t.Errorf("%q raw: %q, want %q", c.value, got, c.raw)
		}
	}
}

func TestDecodingAValueIsAlwaysRight(t *testing.T) {
	headers := newHeaders(t)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.StringMatching(`[ -~]{0,20}`), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "value")
		sent := headers.Value(value)
		if decoded, err := url.PathUnescape(sent); err != nil || decoded != value {
			t.Fatalf("%q is sent as %q, which decodes to %q, %v", value, sent, decoded, err)
		}
		if sent != strings.Trim(sent, " \t") || strings.ContainsFunc(sent, func(c rune) bool { return c < 0x20 || c > 0x7e }) {
			t.Fatalf("%q is sent as %q, which a proxy may change", value, sent)
		}
	})
	preset, _ := gate.Preset("usher")
	raw, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Raw: true})
	must(t, err)
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }).Draw(t, "value")
		sent := raw.Value(value)
		if !utf8.ValidString(sent) || sent != strings.Trim(sent, " ") || strings.ContainsFunc(sent, func(c rune) bool { return c < 0x20 || c == 0x7f }) {
			t.Fatalf("%q is sent raw as %q", value, sent)
		}
	})
}

func TestPresets(t *testing.T) {
	for name, want := range map[string]map[gate.Field]string{
		"usher":        {gate.UserID: "X-User-Id", gate.AuthOrgID: "X-Auth-Org-Id"},
		"oauth2-proxy": {gate.UserID: "X-Auth-Request-User", gate.UserRole: "X-Auth-Request-Groups", gate.OrgSlug: ""},
		"authelia":     {gate.UserID: "Remote-User", gate.UserEmail: "Remote-Email"},
		"authentik":    {gate.UserID: "X-Authentik-Uid"},
		"grafana":      {gate.UserID: "X-Webauth-User", gate.OrgRole: "X-Webauth-Role"},
	} {
		preset, ok := gate.Preset(name)
		if !ok {
			t.Errorf("%s is not there", name)
			continue
		}
		for field, header := range want {
			if preset[field] != header {
				t.Errorf("%s: %s is %s, want %s", name, field, preset[field], header)
			}
		}
		headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: "X-Org-Id"})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// Nobody who changes what was given changes it for others.
		preset[gate.UserID] = "X-Evil"
		if again, _ := gate.Preset(name); again[gate.UserID] == "X-Evil" || slices.Contains(headers.Names(), "X-Evil") {
			t.Errorf("%s can be changed by whoever asks for it", name)
		}
	}
	usher, _ := gate.Preset("usher")
	if len(usher) != len(gate.FieldNames()) {
		t.Errorf("the default preset names %d of %d fields", len(usher), len(gate.FieldNames()))
	}
	if _, ok := gate.Preset("nobody"); ok {
		t.Error("an unknown preset")
	}
}

func TestFields(t *testing.T) {
	for _, name := range gate.FieldNames() {
		if f, ok := gate.ParseField(name); !ok || f.String() != name {
			t.Errorf("%s: %s, %v", name, f, ok)
		}
	}
	if f, ok := gate.ParseField("password"); ok {
		t.Errorf("an unknown field is %s", f)
	}
	for _, f := range []gate.Field{gate.Field(len(gate.FieldNames())), 200} {
		if s := f.String(); s != "unknown" {
			t.Errorf("field %d is called %s", f, s)
		}
	}
}

func TestHeaderNamesAreChecked(t *testing.T) {
	for _, name := range []string{
		"X_User_Id", "X.User", "X User", "X-Usér", "X-User:", "X-User\r\n", strings.Repeat("x", 65), "Cookie", "cookie", "Authorization", "Host",
		"Connection", "X-Forwarded-User", "x-forwarded-for", "X-Original-URL", "Sec-Fetch-Site", "X-Envoy-User", "X-Usher-Reason", "Set-Cookie",
		"Content-Length", "X-Request-Id", "Location", "Transfer-Encoding", "X-Api-Key",
	} {
		if h, err := gate.NewHeaders(gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: name}}); err == nil || h != nil {
			t.Errorf("%q carries the user's id", name)
		}
		if _, err := gate.NewHeaders(gate.HeadersConfig{Organization: name}); err == nil {
			t.Errorf("%q asks for the organization", name)
		}
	}
	for it, c := range map[string]gate.HeadersConfig{
		"two fields in one header":              {Names: map[gate.Field]string{gate.UserID: "X-A", gate.OrgID: "x-a"}},
		"the organization asked for by another": {Names: map[gate.Field]string{gate.UserID: "X-User-Id"}, Organization: "x-user-id"},
	} {
		if _, err := gate.NewHeaders(c); err == nil {
			t.Errorf("%s: no error", it)
		}
	}
	// Every problem at once.
	_, err := gate.NewHeaders(gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: "a_b", gate.UserName: "Cookie"}, Organization: "c.d"})
	for _, want := range []string{"user_id", "user_name", "organization header"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell of %s", err, want)
		}
	}
}

func TestTheLongestHeaderName(t *testing.T) {
	name := "X-" + strings.Repeat("A", 62)
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: name}})
	must(t, err)
	r := &gate.Request{}
	headers.Collect(r, strings.ToUpper(name), "evil")
	headers.Collect(r, "X_"+strings.Repeat("a", 62), "evil")
	headers.Collect(r, name+"A", "another header")
	if !cmp.Equal(r.Sent, []string{strings.ToLower(name)}) || len(r.Aliases) != 1 {
		t.Errorf("sent %q, aliases %q", r.Sent, r.Aliases)
	}
}

func TestUnsetNamesWhatThePresetKnowsAndNothingElse(t *testing.T) {
	for _, name := range []string{"usher", "oauth2-proxy", "authelia", "authentik", "grafana"} {
		for _, organization := range []string{"", "X-Org-Id", "X-Ask"} {
			preset, _ := gate.Preset(name)
			headers, err := gate.NewHeaders(gate.HeadersConfig{Names: preset, Organization: organization})
			must(t, err)
			w := newWorld(t, []gate.Rule{{Path: "/public", Access: gate.Open}}, func(g *gate.Config) { g.Headers = headers })
			for _, path := range []string{"/public", "/x"} {
				r := get(path, cookie("alice"))
				a := w.Answer(r, w.Check(t.Context(), r))
				got := slices.Clone(a.Unset)
				for _, h := range a.Identity {
					got = append(got, strings.ToLower(h.Name))
				}
				var want []string
				for _, n := range headers.Names() {
					want = append(want, strings.ToLower(n))
				}
				slices.Sort(got)
				slices.Sort(want)
				if !cmp.Equal(got, want) {
					t.Errorf("%s, %q, %s: set or unset %q, want %q", name, organization, path, got, want)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	for it, c := range map[string]struct {
		config gate.HeadersConfig
		want   []string
	}{
		"the organization header is a field's": {gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: "X-U", gate.OrgID: "X-Org-Id"}, Organization: "x-org-id"}, []string{"X-U", "X-Org-Id"}},
		"the organization header is its own":   {gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: "X-U"}, Organization: "X-Ask"}, []string{"X-U", "x-ask"}},
		"no organization header":               {gate.HeadersConfig{Names: map[gate.Field]string{gate.OrgID: "X-O", gate.UserID: "X-U"}}, []string{"X-U", "X-O"}},
		"nothing":                              {gate.HeadersConfig{}, nil},
	} {
		headers, err := gate.NewHeaders(c.config)
		must(t, err)
		if got := headers.Names(); !cmp.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", it, got, c.want)
		}
	}
	// A header of its own is removed on its way, whether or not it was sent.
	headers, err := gate.NewHeaders(gate.HeadersConfig{Names: map[gate.Field]string{gate.UserID: "X-U"}, Organization: "X-Ask"})
	must(t, err)
	w := newWorld(t, nil, func(g *gate.Config) { g.Headers = headers })
	r := get("/x", cookie("alice"))
	headers.Collect(r, "X-Ask", "acme")
	d := w.Check(t.Context(), r)
	a := w.Answer(r, d)
	if d.Membership == nil || !contains(a.Unset, "x-ask") || !contains(a.Remove, "x-ask") {
		t.Errorf("%+v", a)
	}
}
