package provider

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// row is how docs/providers.md shows a preset.
func row(id string, p preset) string {
	scopes, options := "none", "–"
	if len(p.scopes) > 0 {
		scopes = "`" + strings.Join(p.scopes, "` `") + "`"
	}
	if len(p.takes) > 0 {
		keys := make([]string, len(p.takes))
		for i, option := range p.takes {
			keys[i] = Key(option)
		}
		options = "`" + strings.Join(keys, "` `") + "`"
	}
	pkce := map[pkce]string{pkceNone: "no", pkceFull: "yes", pkceVerifier: "verifier only"}[p.pkce]
	identity := "userinfo"
	switch {
	case p.signed != nil && p.identifies != nil:
		identity = "id_token or userinfo"
	case p.signed != nil:
		identity = "id_token"
	}
	if p.signed != nil && p.signed.native || p.verifies != nil {
		identity += ", native apps"
	}
	return "| `" + id + "` | " + p.name + " | `/api/auth/callback/" + id + "` | " + scopes + " | " + pkce + " | " + identity + " | " + options + " |"
}

func TestEveryPresetIsDocumented(t *testing.T) {
	b, err := os.ReadFile("../../docs/providers.md")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	for _, id := range Presets() {
		if r := row(id, presets()[id]); !strings.Contains(page, r+"\n") {
			t.Errorf("docs/providers.md lacks\n%s", r)
		}
	}
	if got, want := strings.Count(page, "| `/api/auth/callback/"), len(presets()); got != want {
		t.Errorf("docs/providers.md has %d presets, the table %d", got, want)
	}
}

// Every option has an effect somewhere, or nobody could set it.
func TestEveryOptionHasAnOwner(t *testing.T) {
	for _, name := range (&Options{
		Prompt: "x", AccessType: "x", DiscoveryURL: "x", Authentication: "x", HD: "x", Display: "x", Tenant: "x", Authority: "x",
		Domain: "x", Region: "x", UserPoolID: "x", IdentityProvider: "x", AppBundleID: "x", ConfigID: "x",
		Environment: "x", LoginURL: "x", Lang: "x", Duration: "x", ProfilePhotoSize: 1, DisableProfilePhoto: true,
	}).unused(genericOptions()...) {
		owned := false
		for _, p := range presets() {
			owned = owned || slices.ContainsFunc(p.takes, func(option string) bool { return Key(option) == name })
		}
		if !owned {
			t.Errorf("nobody takes %s", name)
		}
	}
}
