package provider

// UserKeys are the members of the user in account-info's answer, in Better Auth's order (core/social-providers and the
// generic-oauth plugin of 1.7.25). Of email, image and name, those that the provider does not tell are left out.
func UserKeys(p Provider) []string {
	if g, ok := p.(interface{ userKeys() []string }); ok {
		return g.userKeys()
	}
	switch p.ID() {
	case "discord", "dropbox", "linkedin", "slack", "cloudflare":
		return []string{"name", "email", "emailVerified", "image"}
	case "apple":
		return []string{"name", "emailVerified", "email"}
	case "reddit", "roblox":
		return []string{"name", "image", "email", "emailVerified"}
	case "tiktok":
		return []string{"email", "name", "image", "emailVerified"}
	}
	return []string{"name", "email", "image", "emailVerified"}
}

func (g *generic) userKeys() []string { return []string{"email", "emailVerified", "image", "name"} }
