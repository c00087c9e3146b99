package remote

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/usherauth/usher/gate"
)

const (
	// mostOrganizations are asked about, for each costs a call: the oldest, and the active one whatever its age. In those
	// beyond nobody is a member as far as the gate knows, which refuses. Better Auth itself lists 100, in no order.
	mostOrganizations = 50

	// atOnce are the calls of one lookup under way at the same time.
	atOnce = 4
)

// organization is an element of organization/list.
type organization struct {
	id, slug, name string
	createdAt      time.Time
}

// member is an element of organization/list-members: oneself.
type member struct {
	id, role  string
	createdAt time.Time
}

// memberships are the user's, the oldest first, as far as Better Auth's organization plugin knows.
func (s *Store) memberships(ctx context.Context, known *api, p *gate.Principal, cookies string) ([]gate.Membership, error) {
	body, err := s.ask(ctx, "/organization/list", nil, cookies)
	if err != nil {
		return nil, err
	}
	organizations, err := readOrganizations(body)
	if err != nil {
		return nil, fmt.Errorf("GET /organization/list: %w", err)
	}
	organizations = oldest(organizations, p.Session.ActiveOrganization)
	if len(organizations) == 0 {
		return nil, nil
	}

	var teams map[string][]string
	members := make([][]member, len(organizations))
	tasks := make([]func(context.Context) error, 0, 1+len(organizations))
	if known.teams {
		tasks = append(tasks, func(ctx context.Context) (err error) {
			teams, err = s.teams(ctx, cookies)
			return err
		})
	}
	for i, o := range organizations {
		tasks = append(tasks, func(ctx context.Context) (err error) {
			members[i], err = s.members(ctx, o.id, p.User.ID, cookies)
			return err
		})
	}
	if err := together(ctx, tasks); err != nil {
		return nil, err
	}
	return assemble(organizations, members, teams), nil
}

// assemble puts the answers together.
func assemble(organizations []organization, members [][]member, teams map[string][]string) []gate.Membership {
	type found struct {
		member
		organization
	}
	var all []found
	for i, o := range organizations {
		for _, m := range members[i] {
			all = append(all, found{m, o})
		}
	}
	slices.SortFunc(all, func(a, b found) int {
		return cmp.Or(a.member.createdAt.Compare(b.member.createdAt), cmp.Compare(a.member.id, b.member.id))
	})
	memberships := make([]gate.Membership, len(all))
	for i, f := range all {
		memberships[i] = gate.Membership{
			OrganizationID: f.organization.id, Slug: f.slug, Name: f.name,
			Roles: gate.ParseRoles(f.role), Teams: teams[f.organization.id],
		}
	}
	return memberships
}

// ask is get for what has to be answered.
func (s *Store) ask(ctx context.Context, path string, query url.Values, cookies string) ([]byte, error) {
	a, err := s.get(ctx, path, query, cookies)
	if err != nil {
		return nil, err
	}
	return a.json()
}

// together runs the tasks, a few at the same time, until all are done or one has failed, and returns the first failure.
func together(ctx context.Context, tasks []func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wg sync.WaitGroup
	var failed error
	var once sync.Once
	for range min(atOnce, len(tasks)) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(tasks)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				if err := tasks[i](ctx); err != nil {
					once.Do(func() { failed = err })
					cancel(err)
				}
			}
		})
	}
	wg.Wait()
	if failed == nil {
		failed = ctx.Err() // before any task began
	}
	return failed
}

// readOrganizations reads organization/list. An element without organization is a membership whose organization is gone.
func readOrganizations(body []byte) ([]organization, error) {
	list, err := elements("the answer", body)
	if err != nil {
		return nil, err
	}
	var all []organization
	for _, element := range list {
		if isNull(element) {
			continue
		}
		f := fieldsOf("an organization", element)
		o := organization{id: f.id("id"), slug: f.text("slug"), name: f.text("name"), createdAt: f.instant("createdAt")}
		if f.err != nil {
			return nil, f.err
		}
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b organization) int {
		return cmp.Or(a.createdAt.Compare(b.createdAt), cmp.Compare(a.id, b.id))
	})
	// Better Auth lists an organization once for each row of a member.
	return slices.CompactFunc(all, func(a, b organization) bool { return a.id == b.id }), nil
}

// oldest bounds the organizations that are asked about.
func oldest(all []organization, active string) []organization {
	if len(all) <= mostOrganizations {
		return all
	}
	bounded := slices.Clone(all[:mostOrganizations])
	if i := slices.IndexFunc(all, func(o organization) bool { return o.id == active }); i >= mostOrganizations {
		bounded[mostOrganizations-1] = all[i]
	}
	return bounded
}

// members asks what the user is in one organization. get-active-member-role would cost Better Auth less, but does not
// say since when, which the order of memberships is about.
func (s *Store) members(ctx context.Context, organizationID, userID, cookies string) ([]member, error) {
	body, err := s.ask(ctx, "/organization/list-members", url.Values{
		"organizationId": {organizationID}, "filterField": {"userId"}, "filterOperator": {"eq"}, "filterValue": {userID},
	}, cookies)
	if is(err, http.StatusForbidden, "YOU_ARE_NOT_A_MEMBER_OF_THIS_ORGANIZATION") {
		return nil, nil // any more
	}
	if err != nil {
		return nil, err
	}
	all, err := readMembers(body, organizationID, userID)
	if err != nil {
		return nil, fmt.Errorf("GET /organization/list-members: %w", err)
	}
	return all, nil
}

// readMembers reads organization/list-members. Everybody in it has to be the user: whoever is not shows that the
// question was not understood.
func readMembers(body []byte, organizationID, userID string) ([]member, error) {
	answer := fieldsOf("the answer", body)
	if answer.err != nil {
		return nil, answer.err
	}
	list, err := elements("the answer.members", answer.all["members"])
	if err != nil {
		return nil, err
	}
	var all []member
	for _, element := range list {
		f := fieldsOf("a member", element)
		m := member{id: f.id("id"), role: f.text("role"), createdAt: f.instant("createdAt")}
		if of, who := f.id("organizationId"), f.id("userId"); f.err == nil && (of != organizationID || who != userID) {
			return nil, fmt.Errorf("a member is somebody else: this Better Auth does not filter members; use 1.4 or later")
		}
		if f.err != nil {
			return nil, f.err
		}
		all = append(all, m)
	}
	return all, nil
}

// teams are the ids of the user's teams by organization.
func (s *Store) teams(ctx context.Context, cookies string) (map[string][]string, error) {
	body, err := s.ask(ctx, "/organization/list-user-teams", nil, cookies)
	if err != nil {
		return nil, err
	}
	teams, err := readTeams(body)
	if err != nil {
		return nil, fmt.Errorf("GET /organization/list-user-teams: %w", err)
	}
	return teams, nil
}

func readTeams(body []byte) (map[string][]string, error) {
	list, err := elements("the answer", body)
	if err != nil {
		return nil, err
	}
	teams := make(map[string][]string)
	for _, element := range list {
		if isNull(element) {
			continue // of a team that is gone
		}
		f := fieldsOf("a team", element)
		id, of := f.id("id"), f.id("organizationId")
		if f.err != nil {
			return nil, f.err
		}
		teams[of] = append(teams[of], id)
	}
	for _, ids := range teams {
		slices.Sort(ids)
	}
	return teams, nil
}
