package demo

import "github.com/usherauth/usher/betterauth/record"

// organization is one of the sample organizations.
type organization struct {
	ID, Slug, Name string
}

// membership is a person's place in one of them.
type membership struct {
	Organization organization
	Role         string
}

// person is somebody the provider lets one be.
type person struct {
	Key         string // short name: in forms, and whom the provider says it is (the subject)
	ID          string
	Name        string
	Email       string
	Memberships []membership // oldest first: the first one is where a request acts that does not say otherwise
}

// cast makes the sample people and organizations, with ids as Better Auth makes them. One name is not ASCII, because
// real ones are not and headers are. One person is in two organizations with different roles, so that the same person
// is refused in one and passes in the other.
func cast() ([]person, []organization) {
	engines := organization{record.ID(), "analytical-engines", "Analytical Engines"}
	functions := organization{record.ID(), "recursive-functions", "Recursive Functions"}
	people := []person{
		{
			Key: "ada", ID: record.ID(), Name: "Ada Lovelace", Email: "ada@demo.example",
			Memberships: []membership{{engines, "owner"}},
		},
		{
			Key: "rozsa", ID: record.ID(), Name: "Rózsa Péter", Email: "rozsa@demo.example",
			Memberships: []membership{{engines, "member"}, {functions, "owner"}},
		},
	}
	return people, []organization{engines, functions}
}

// member finds the person's place in an organization; nil is none.
func (p *person) member(organizationID string) *membership {
	for i := range p.Memberships {
		if p.Memberships[i].Organization.ID == organizationID {
			return &p.Memberships[i]
		}
	}
	return nil
}
