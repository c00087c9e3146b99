package oauth

import (
	"testing"

	"github.com/usherauth/usher/oauth/provider"
)

// Section 3.1: the whole truth table, computed from its words: link iff (trusted or the provider verified) and (the local
// address is verified or need not be) and linking is on and implicit linking is not off.
func TestImplicitLinking(t *testing.T) {
	flags := []bool{false, true}
	n := 0
	for _, local := range flags {
		for _, verified := range flags {
			for _, trusted := range flags {
				for _, anyLocal := range flags {
					for _, disabled := range flags {
						for _, implicitOff := range flags {
							a := Accounts{AnyLocalEmail: anyLocal, LinkingDisabled: disabled, ImplicitLinkingDisabled: implicitOff}
							if trusted {
								a.TrustedProviders = []string{"other", "p"}
							}
							want := false
							switch {
							case disabled, implicitOff:
							case !local && !anyLocal:
							case verified, trusted:
								want = true
							}
							if a.mayLinkImplicitly("p", local, verified) != want {
								t.Errorf("local %v, provider %v, trusted %v, any local %v, disabled %v, implicit off %v: not %v", local, verified, trusted, anyLocal, disabled, implicitOff, want)
							}
							n++
						}
					}
				}
			}
		}
	}
	if n != 64 {
		t.Fatal(n)
	}
	// The rows of the page, in its order.
	trusted := []string{"p"}
	for _, c := range []struct {
		local, provider bool
		a               Accounts
		want            bool
	}{
		{true, true, Accounts{}, true},
		{true, false, Accounts{}, false},
		{false, true, Accounts{}, false},
		{false, true, Accounts{AnyLocalEmail: true}, true},
		{false, false, Accounts{AnyLocalEmail: true}, false},
		{true, false, Accounts{TrustedProviders: trusted}, true},
		{false, false, Accounts{TrustedProviders: trusted}, false},
		{false, false, Accounts{TrustedProviders: trusted, AnyLocalEmail: true}, true},
	} {
		if c.a.mayLinkImplicitly("p", c.local, c.provider) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

func TestExplicitLinking(t *testing.T) {
	for _, c := range []struct {
		name     string
		a        Accounts
		verified bool
		email    string
		owner    string
		want     string
	}{
		{"fine", Accounts{}, true, "A@x.org", "", ""},
		{"mine already", Accounts{}, true, "a@x.org", "me", ""},
		{"unverified", Accounts{}, false, "a@x.org", "", cannotLink},
		{"unverified but trusted", Accounts{TrustedProviders: []string{"p"}}, false, "a@x.org", "", ""},
		{"disabled", Accounts{LinkingDisabled: true, TrustedProviders: []string{"p"}}, true, "a@x.org", "", cannotLink},
		{"implicit linking off", Accounts{ImplicitLinkingDisabled: true}, true, "a@x.org", "", ""},
		{"another address", Accounts{}, true, "b@x.org", "", otherEmail},
		{"no address", Accounts{}, true, "", "", otherEmail},
		{"another address, allowed", Accounts{DifferentEmails: true}, true, "b@x.org", "", ""},
		{"no address, allowed", Accounts{DifferentEmails: true}, true, "", "", ""},
		{"another's", Accounts{DifferentEmails: true}, true, "b@x.org", "them", othersAccount},
		{"another's, and another address", Accounts{}, true, "b@x.org", "them", otherEmail},
	} {
		if got := c.a.mayLinkExplicitly("p", c.verified, c.email, "me", "a@x.org", c.owner); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestSignUpRules(t *testing.T) {
	for _, c := range []struct {
		r         provider.AccountRules
		requested bool
		want      bool
	}{
		{provider.AccountRules{}, false, true},
		{provider.AccountRules{DisableSignUp: true}, true, false},
		{provider.AccountRules{DisableImplicitSignUp: true}, false, false},
		{provider.AccountRules{DisableImplicitSignUp: true}, true, true},
		{provider.AccountRules{DisableImplicitSignUp: true, DisableSignUp: true}, true, false},
	} {
		if maySignUp(c.r, c.requested) != c.want {
			t.Errorf("%+v", c)
		}
	}
}

func TestAddressesAreComparedAsTheLibraryDoes(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"A@x.org", "a@X.ORG", true}, {"", "", false}, {"a@x.org", " a@x.org", false}, {"İ@x.org", "i@x.org", false}, {"Ä@x.org", "ä@x.org", true},
	} {
		if sameEmail(c.a, c.b) != c.want {
			t.Errorf("%q, %q", c.a, c.b)
		}
	}
}

// Section 12: the library splits at white space, so GitHub's commas are one scope.
func TestScopesAreMergedAsTheLibraryDoes(t *testing.T) {
	text := func(s string) *string { return &s }
	for _, c := range []struct {
		stored  *string
		granted []string
		want    string
	}{
		{text("read:user,repo"), []string{"read:user,user:email"}, "read:user,repo,read:user,user:email"},
		{text("a, b"), []string{"b", "c"}, "a,b,c"},
		{nil, []string{"a"}, "a"},
		{text(""), nil, "<nil>"},
	} {
		got := mergeScopes(c.stored, c.granted)
		if got == nil && c.want != "<nil>" || got != nil && *got != c.want {
			t.Errorf("%v + %v", c.stored, c.granted)
		}
	}
}
