package accounts

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/sqlite"
)

// cell ties a logical column to where its value is: a *string, *bool, *int64 or *time.Time, or a pointer to one of these that is
// nil for NULL.
type cell struct {
	field string
	to    any
}

func userCells(u *record.User) []cell {
	return []cell{
		{"id", &u.ID},
		{"name", &u.Name},
		{"email", &u.Email},
		{"emailVerified", &u.EmailVerified},
		{"image", &u.Image},
		{"createdAt", &u.CreatedAt},
		{"updatedAt", &u.UpdatedAt},
		{"role", &u.Role},
		{"banned", &u.Banned},
		{"banReason", &u.BanReason},
		{"banExpires", &u.BanExpires},
	}
}

func sessionCells(s *record.Session) []cell {
	return []cell{
		{"id", &s.ID},
		{"expiresAt", &s.ExpiresAt},
		{"token", &s.Token},
		{"createdAt", &s.CreatedAt},
		{"updatedAt", &s.UpdatedAt},
		{"ipAddress", &s.IPAddress},
		{"userAgent", &s.UserAgent},
		{"userId", &s.UserID},
		{"activeOrganizationId", &s.ActiveOrganizationID},
		{"activeTeamId", &s.ActiveTeamID},
		{"impersonatedBy", &s.ImpersonatedBy},
	}
}

func accountCells(a *record.Account) []cell {
	return []cell{
		{"id", &a.ID},
		{"accountId", &a.AccountID},
		{"providerId", &a.ProviderID},
		{"userId", &a.UserID},
		{"accessToken", &a.AccessToken},
		{"refreshToken", &a.RefreshToken},
		{"idToken", &a.IDToken},
		{"accessTokenExpiresAt", &a.AccessTokenExpiresAt},
		{"refreshTokenExpiresAt", &a.RefreshTokenExpiresAt},
		{"scope", &a.Scope},
		{"password", &a.Password},
		{"createdAt", &a.CreatedAt},
		{"updatedAt", &a.UpdatedAt},
	}
}

// verification is a row of the verification table.
type verification struct {
	id, identifier, value           string
	expiresAt, createdAt, updatedAt time.Time
}

func verificationCells(v *verification) []cell {
	return []cell{
		{"id", &v.id},
		{"identifier", &v.identifier},
		{"value", &v.value},
		{"expiresAt", &v.expiresAt},
		{"createdAt", &v.createdAt},
		{"updatedAt", &v.updatedAt},
	}
}

func organizationCells(o *record.Organization) []cell {
	return []cell{
		{"id", &o.ID}, {"name", &o.Name}, {"slug", &o.Slug}, {"logo", &o.Logo}, {"createdAt", &o.CreatedAt}, {"metadata", &o.Metadata},
	}
}

func memberCells(m *record.Member) []cell {
	return []cell{
		{"id", &m.ID}, {"organizationId", &m.OrganizationID}, {"userId", &m.UserID}, {"role", &m.Role}, {"createdAt", &m.CreatedAt},
	}
}

func invitationCells(i *record.Invitation) []cell {
	return []cell{
		{"id", &i.ID},
		{"organizationId", &i.OrganizationID},
		{"email", &i.Email},
		{"role", &i.Role},
		{"teamId", &i.TeamID},
		{"status", &i.Status},
		{"expiresAt", &i.ExpiresAt},
		{"createdAt", &i.CreatedAt},
		{"inviterId", &i.InviterID},
	}
}

func teamCells(t *record.Team) []cell {
	return []cell{
		{"id", &t.ID}, {"name", &t.Name}, {"memberCount", &t.MemberCount}, {"organizationId", &t.OrganizationID}, {"createdAt", &t.CreatedAt}, {"updatedAt", &t.UpdatedAt},
	}
}

// cellsOf are a model's columns, for those who look at their types.
func cellsOf(model string) []cell {
	switch model {
	case "user":
		return userCells(new(record.User))
	case "session":
		return sessionCells(new(record.Session))
	case "account":
		return accountCells(new(record.Account))
	case "verification":
		return verificationCells(new(verification))
	case "organization":
		return organizationCells(new(record.Organization))
	case "member":
		return memberCells(new(record.Member))
	case "invitation":
		return invitationCells(new(record.Invitation))
	case "team":
		return teamCells(new(record.Team))
	}
	panic("accounts: no cells of " + model) // a misspelling of ours
}

// content is what a cell holds now, for writing.
func (x cell) content() any {
	switch to := x.to.(type) {
	case *string:
		return *to
	case **string:
		return *to
	case *bool:
		return *to
	case **bool:
		return *to
	case *time.Time:
		return *to
	case **time.Time:
		return *to
	case **int64:
		return *to
	}
	panic(fmt.Sprintf("accounts: no cell for %T", x.to))
}

// Scan implements sql.Scanner for whatever a driver gives. Its errors name the column and not the value.
func (x cell) Scan(value any) (err error) {
	switch to := x.to.(type) {
	case *string:
		*to, err = text(value)
	case **string:
		*to, err = unlessNull(value, text)
	case *bool:
		*to, err = sqlite.Flag(value)
	case **bool:
		*to, err = unlessNull(value, sqlite.Flag)
	case *time.Time:
		*to, err = instant(value)
	case **time.Time:
		*to, err = unlessNull(value, instant)
	case **int64:
		*to, err = unlessNull(value, whole)
	default:
		panic(fmt.Sprintf("accounts: no cell for %T", x.to))
	}
	if err != nil {
		return fmt.Errorf("column %s holds %w", x.field, err)
	}
	return nil
}

func unlessNull[V any](value any, read func(any) (V, error)) (*V, error) {
	if value == nil {
		return nil, nil
	}
	v, err := read(value)
	return &v, err
}

// whole reads a number, which statements read as text.
func whole(value any) (int64, error) {
	digits, err := text(value)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseFloat(digits, 64) // a column of SQLite may hold 1.0
	if err != nil || n != math.Trunc(n) || math.Abs(n) > 1<<53 {
		return 0, errors.New("a text that is no number")
	}
	return int64(n), nil
}

func text(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	}
	return "", fmt.Errorf("%T that is not a text", value)
}

func instant(value any) (time.Time, error) {
	if at, ok := value.(time.Time); ok {
		return at.UTC(), nil
	}
	return sqlite.Instant(value)
}
