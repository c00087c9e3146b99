package organization

import (
	"context"
	"net/http"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

// Store is where organizations are kept. What is not there is nil.
type Store interface {
	OrganizationsOf(ctx context.Context, userID string) ([]record.Organization, error)
	Organization(ctx context.Context, idOrSlug string, bySlug bool) (*record.Organization, error)
	Member(ctx context.Context, organizationID, userID string) (*record.Member, error)
	Members(ctx context.Context, organizationID string, most int) ([]record.Member, []record.User, error) // one user a member
	Invitations(ctx context.Context, organizationID string) ([]record.Invitation, error)
	Teams(ctx context.Context, organizationID string) ([]record.Team, error)
	User(ctx context.Context, id string) (*record.User, error)
	SetActiveOrganization(ctx context.Context, s *record.Session, organizationID *string, now time.Time) error
}

// Config is what a Room needs. Store is required.
type Config struct {
	Store Store
	Shape record.Shape // which columns there are; without Organizations there are no routes

	// Forget tells whoever remembers a session that it changed here. nil: nobody remembers.
	Forget func(token string)
}

// Room is the routes of this package.
type Room struct{ Config }

// New makes a Room.
func New(c Config) *Room {
	if c.Store == nil {
		panic("organization: Store is required")
	}
	if c.Forget == nil {
		c.Forget = func(string) {}
	}
	return &Room{c}
}

// Routes are what the Room answers. As in the library without the plugin, there are none where there are no
// organizations.
func (rm *Room) Routes() []endpoint.Route {
	if !rm.Shape.Organizations {
		return nil
	}
	return []endpoint.Route{
		{Method: http.MethodGet, Path: "/organization/list", Handler: rm.list},
		{Method: http.MethodPost, Path: "/organization/set-active", Handler: rm.setActive},
		{Method: http.MethodGet, Path: "/organization/get-full-organization", Handler: rm.full},
		{Method: http.MethodGet, Path: "/organization/get-active-member", Handler: rm.activeMember},
		{Method: http.MethodGet, Path: "/organization/get-active-member-role", Handler: rm.activeRole},
	}
}

// The library's refusals.
func notFound() error {
	return &endpoint.Error{Status: http.StatusBadRequest, Code: "ORGANIZATION_NOT_FOUND", Message: "Organization not found"}
}

func noneActive() error {
	return &endpoint.Error{Status: http.StatusBadRequest, Code: "NO_ACTIVE_ORGANIZATION", Message: "No active organization"}
}

func notMember() error {
	return &endpoint.Error{
		Status: http.StatusForbidden, Code: "USER_IS_NOT_A_MEMBER_OF_THE_ORGANIZATION", Message: "User is not a member of the organization",
	}
}

func youAreNotMember() error {
	return &endpoint.Error{
		Status: http.StatusForbidden, Code: "YOU_ARE_NOT_A_MEMBER_OF_THIS_ORGANIZATION", Message: "You are not a member of this organization",
	}
}

func (rm *Room) list(c *endpoint.Call) error {
	_, u, err := c.Need()
	if err != nil {
		return err
	}
	all, err := rm.Store.OrganizationsOf(c.R.Context(), u.ID)
	if err != nil {
		return err
	}
	b := list([]byte{'['}, all, func(b []byte, o *record.Organization) []byte { return o.AppendJSON(b, rm.Shape) })
	return c.JSON(http.StatusOK, append(b, ']'))
}
