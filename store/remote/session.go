package remote

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/usherauth/usher/gate"
)

// errOther is not gate.ErrNoSession: something between remembers answers, and Better Auth was not asked at all.
var errOther = errors.New("the answer is about another session: something between remembers answers; " +
	"keep it from caching what is below store.url")

// readSession reads what get-session answers to a session that it has. The answer of an application that reshapes it
// (customSession) must keep these fields.
func readSession(body []byte, token string) (*gate.Principal, error) {
	all := fieldsOf("the answer", body)
	session, user := all.object("session"), all.object("user")
	p := &gate.Principal{
		Session: gate.Session{
			ID: session.id("id"), CreatedAt: session.instant("createdAt"), ExpiresAt: session.instant("expiresAt"),
			ActiveOrganization: session.optional("activeOrganizationId"), ActiveTeam: session.optional("activeTeamId"),
			ImpersonatedBy: session.optional("impersonatedBy"),
		},
		User: gate.User{
			ID: user.id("id"), Name: user.text("name"), Email: user.text("email"), EmailVerified: user.flag("emailVerified"),
			Roles: gate.ParseRoles(user.optional("role")), Banned: user.flag("banned"), BanExpires: user.maybe("banExpires"),
		},
	}
	theirs, owner := session.id("token"), session.id("userId")
	if err := cmp.Or(all.err, session.err, user.err); err != nil {
		return nil, err
	}
	switch {
	case theirs != token && equalInSomeCollation(theirs, token):
		return nil, gate.ErrNoSession // of this token: the database holds different ones for equal
	case theirs != token:
		return nil, errOther
	case owner != p.User.ID:
		return nil, fmt.Errorf("the session is not the user's: %w", errOther)
	}
	return p, nil
}

// equalInSomeCollation reports whether a database may have found one for the other: MySQL's text columns ignore case and
// spaces at the end.
func equalInSomeCollation(a, b string) bool {
	return strings.EqualFold(strings.TrimRight(a, " "), strings.TrimRight(b, " "))
}
