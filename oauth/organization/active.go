package organization

import (
	"net/http"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

var setActiveBody = &endpoint.Object{Fields: []endpoint.Field{
	{Name: "organizationId", Optional: true, Nullable: true},
	{Name: "organizationSlug", Optional: true},
}}

// setActive switches the session to an organization, or to none. As in the library, whoever asks for one they do not
// belong to is in none afterwards.
func (rm *Room) setActive(c *endpoint.Call) error {
	body, err := c.Body(setActiveBody)
	if err != nil {
		return err
	}
	s, u, err := c.Need()
	if err != nil {
		return err
	}
	id, slug := body.Text("organizationId"), body.Text("organizationSlug")
	switch {
	case body.IsNull("organizationId"):
		if empty(s.ActiveOrganizationID) {
			return c.JSON(http.StatusOK, []byte("null"))
		}
		if err := rm.switchTo(c, s, nil); err != nil {
			return err
		}
		c.SetSession(s.Token, !c.DontRemember())
		return c.JSON(http.StatusOK, []byte("null"))
	case id == "" && slug == "":
		if empty(s.ActiveOrganizationID) {
			return c.JSON(http.StatusOK, []byte("null"))
		}
		id = *s.ActiveOrganizationID
	case id == "":
		o, err := rm.Store.Organization(c.R.Context(), slug, true)
		if err != nil {
			return err
		}
		if o == nil {
			return notFound()
		}
		id = o.ID
	}
	o, _, err := rm.belongs(c, s, u, id)
	if err != nil {
		return err
	}
	if err := rm.switchTo(c, s, &o.ID); err != nil {
		return err
	}
	c.SetSession(s.Token, !c.DontRemember())
	return c.JSON(http.StatusOK, o.AppendJSON(nil, rm.Shape))
}

// belongs is the organization of an id and somebody's membership there. Without one the session is in none afterwards;
// that comes before the question whether there is such an organization at all, so that nobody learns it.
func (rm *Room) belongs(c *endpoint.Call, s *record.Session, u *record.User, id string) (*record.Organization, *record.Member, error) {
	m, err := rm.Store.Member(c.R.Context(), id, u.ID)
	if err != nil {
		return nil, nil, err
	}
	if m == nil {
		if err := rm.switchTo(c, s, nil); err != nil {
			return nil, nil, err
		}
		return nil, nil, notMember()
	}
	o, err := rm.Store.Organization(c.R.Context(), id, false)
	if err == nil && o == nil {
		err = notFound()
	}
	return o, m, err
}

func (rm *Room) switchTo(c *endpoint.Call, s *record.Session, id *string) error {
	if err := rm.Store.SetActiveOrganization(c.R.Context(), s, id, c.Now); err != nil {
		return err
	}
	rm.Forget(s.Token)
	return nil
}

func (rm *Room) activeMember(c *endpoint.Call) error {
	s, u, err := c.Need()
	if err != nil {
		return err
	}
	if empty(s.ActiveOrganizationID) {
		return noneActive()
	}
	m, err := rm.Store.Member(c.R.Context(), *s.ActiveOrganizationID, u.ID)
	if err != nil {
		return err
	}
	if m == nil {
		return &endpoint.Error{Status: http.StatusBadRequest, Code: "MEMBER_NOT_FOUND", Message: "Member not found"}
	}
	return c.JSON(http.StatusOK, appendMember(nil, m, u, rm.Shape))
}

var roleQuery = &endpoint.Object{Optional: true, Fields: []endpoint.Field{
	{Name: "userId", Optional: true}, {Name: "organizationId", Optional: true}, {Name: "organizationSlug", Optional: true},
}}

// activeRole is somebody's role, or that of another member of the same organization.
func (rm *Room) activeRole(c *endpoint.Call) error {
	query, err := c.Query(roleQuery)
	if err != nil {
		return err
	}
	s, u, err := c.Need()
	if err != nil {
		return err
	}
	id := query.Text("organizationId")
	if id == "" && !empty(s.ActiveOrganizationID) {
		id = *s.ActiveOrganizationID
	}
	if slug := query.Text("organizationSlug"); slug != "" {
		o, err := rm.Store.Organization(c.R.Context(), slug, true)
		if err != nil {
			return err
		}
		if o == nil {
			return notFound()
		}
		id = o.ID
	}
	if id == "" {
		return noneActive()
	}
	m, err := rm.Store.Member(c.R.Context(), id, u.ID)
	if other := query.Text("userId"); err == nil && m != nil && other != "" && other != u.ID {
		if m, err = rm.Store.Member(c.R.Context(), id, other); err == nil && m != nil {
			// The library reads a member together with the user, and has none without.
			var there *record.User
			if there, err = rm.Store.User(c.R.Context(), other); there == nil {
				m = nil
			}
		}
	}
	if err != nil {
		return err
	}
	if m == nil {
		return youAreNotMember()
	}
	return c.JSON(http.StatusOK, append(record.AppendString([]byte(`{"role":`), m.Role), '}'))
}

func empty(text *string) bool { return text == nil || *text == "" }
