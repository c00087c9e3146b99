package organization

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
)

var fullQuery = &endpoint.Object{Optional: true, Fields: []endpoint.Field{
	{Name: "organizationId", Optional: true},
	{Name: "organizationSlug", Optional: true},
	{Name: "membersLimit", Type: endpoint.Either, Optional: true},
}}

const (
	usualMembers = 100 // the library's own membershipLimit
	mostMembers  = 1000
)

// full is an organization with everybody in it.
func (rm *Room) full(c *endpoint.Call) error {
	query, err := c.Query(fullQuery)
	if err != nil {
		return err
	}
	s, u, err := c.Need()
	if err != nil {
		return err
	}
	slug := query.Text("organizationSlug")
	id := query.Text("organizationId")
	if id == "" && !empty(s.ActiveOrganizationID) {
		id = *s.ActiveOrganizationID
	}
	var o *record.Organization
	switch {
	case slug != "":
		o, err = rm.Store.Organization(c.R.Context(), slug, true)
	case id != "":
		o, err = rm.Store.Organization(c.R.Context(), id, false)
	default:
		return c.JSON(http.StatusOK, []byte("null"))
	}
	if err != nil {
		return err
	}
	if o == nil {
		return notFound()
	}
	_, me, err := rm.belongs(c, s, u, o.ID)
	if err != nil {
		return err
	}
	body, err := rm.whole(c, o, me, limit(query.Text("membersLimit")))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, body)
}

// limit reads a number as parseInt does, as far as that makes sense: what is none, and what is below one, is the usual.
func limit(text string) int {
	digits := strings.TrimPrefix(strings.TrimLeft(text, " \t\r\n"), "+")
	end := 0
	for end < len(digits) && digits[end] >= '0' && digits[end] <= '9' {
		end++
	}
	n, err := strconv.Atoi(digits[:end])
	switch {
	case errors.Is(err, strconv.ErrRange):
		return mostMembers
	case err != nil || n <= 0:
		return usualMembers
	}
	return min(n, mostMembers)
}

func (rm *Room) whole(c *endpoint.Call, o *record.Organization, me *record.Member, most int) ([]byte, error) {
	invitations, err := rm.Store.Invitations(c.R.Context(), o.ID)
	if err != nil {
		return nil, err
	}
	members, users, err := rm.Store.Members(c.R.Context(), o.ID, most)
	if err != nil {
		return nil, err
	}
	b := o.AppendJSON(nil, rm.Shape)
	b = append(b[:len(b)-1], `,"invitations":[`...)
	b = list(b, visible(invitations, me.Role), func(b []byte, i *record.Invitation) []byte { return i.AppendJSON(b, rm.Shape) })
	b = append(b, `],"members":[`...)
	for i := range members {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendMember(b, &members[i], &users[i], rm.Shape)
	}
	b = append(b, ']')
	if rm.Shape.Teams {
		teams, err := rm.Store.Teams(c.R.Context(), o.ID)
		if err != nil {
			return nil, err
		}
		b = append(b, `,"teams":[`...)
		b = list(b, teams, func(b []byte, t *record.Team) []byte { return t.AppendJSON(b, rm.Shape) })
		b = append(b, ']')
	}
	return append(b, '}'), nil
}

// visible are the invitations that a role may see: an invitation's id is the key to accept it. The library asks its access
// control, which applications may change in code; ours knows the library's own roles, and shows nothing to others.
func visible(all []record.Invitation, role string) []record.Invitation {
	roles := rolesOf(role)
	owner := slices.Contains(roles, "owner")
	if !owner && !slices.Contains(roles, "admin") {
		return nil
	}
	return slices.DeleteFunc(all, func(i record.Invitation) bool {
		return !owner && i.Role != nil && slices.Contains(rolesOf(*i.Role), "owner")
	})
}

// rolesOf takes a list of roles apart, which the library keeps in one column.
func rolesOf(list string) []string {
	var each []string
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one != "" {
			each = append(each, one)
		}
	}
	return each
}

func list[T any](b []byte, all []T, one func([]byte, *T) []byte) []byte {
	for i := range all {
		if i > 0 {
			b = append(b, ',')
		}
		b = one(b, &all[i])
	}
	return b
}

// appendMember appends a member and, behind its own fields, who that is.
func appendMember(b []byte, m *record.Member, u *record.User, s record.Shape) []byte {
	b = m.AppendJSON(b, s)
	b = append(b[:len(b)-1], `,"user":{"id":`...)
	b = record.AppendString(b, u.ID)
	b = append(b, `,"name":`...)
	b = record.AppendString(b, u.Name)
	b = append(b, `,"email":`...)
	b = record.AppendString(b, u.Email)
	b = append(b, `,"image":`...)
	if u.Image == nil {
		b = append(b, "null"...)
	} else {
		b = record.AppendString(b, *u.Image)
	}
	return append(b, "}}"...)
}
