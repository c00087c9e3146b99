package record

import "time"

// Shape says which plugins' columns a database has. They decide which keys appear in JSON: a key whose column exists is
// written even when it is null, one whose column does not exist never is.
type Shape struct {
	Organizations bool // session.activeOrganizationId and the organization plugin's tables
	Teams         bool // session.activeTeamId, invitation.teamId
	Admin         bool // user.role, banned, banReason, banExpires; session.impersonatedBy
}

// User is a row of user. A nil pointer is NULL.
type User struct {
	ID, Name, Email      string
	EmailVerified        bool
	Image                *string
	CreatedAt, UpdatedAt time.Time

	// Of the admin plugin.
	Role       *string
	Banned     *bool
	BanReason  *string
	BanExpires *time.Time
}

// BannedAt reports whether the user is banned at that instant. Better Auth lifts a ban that ran out at the next sign-in;
// until then the row still says banned.
func (u *User) BannedAt(now time.Time) bool {
	return u.Banned != nil && *u.Banned && (u.BanExpires == nil || !u.BanExpires.Before(now))
}

// Session is a row of session.
type Session struct {
	ID, Token, UserID               string
	ExpiresAt, CreatedAt, UpdatedAt time.Time
	IPAddress, UserAgent            *string

	ActiveOrganizationID, ActiveTeamID *string // of the organization plugin
	ImpersonatedBy                     *string // of the admin plugin
}

// Account is a row of account: what ties a user to an identity at a provider.
type Account struct {
	ID, AccountID, ProviderID, UserID           string
	AccessToken, RefreshToken, IDToken          *string // the first two sealed where encryptOAuthTokens is on
	AccessTokenExpiresAt, RefreshTokenExpiresAt *time.Time
	Scope, Password                             *string
	CreatedAt, UpdatedAt                        time.Time
}

// Organization is a row of organization. Metadata is JSON text, and stays text when it is answered.
type Organization struct {
	ID, Name, Slug string
	Logo, Metadata *string
	CreatedAt      time.Time
}

// Member is a row of member. Role may be several, separated by commas.
type Member struct {
	ID, OrganizationID, UserID, Role string
	CreatedAt                        time.Time
}

// Invitation is a row of invitation.
type Invitation struct {
	ID, OrganizationID, Email string
	Role, TeamID              *string
	Status                    string
	ExpiresAt, CreatedAt      time.Time
	InviterID                 string
}

// Team is a row of team.
type Team struct {
	ID, Name, OrganizationID string
	MemberCount              *int64 // nil: the database does not have it yet, as before 1.7.25
	CreatedAt                time.Time
	UpdatedAt                *time.Time
}
