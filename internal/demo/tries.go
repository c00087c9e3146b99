package demo

import "encoding/json"

// try is one card of the page: something a client could attempt, and buttons that really attempt it.
type try struct {
	Title, Text string
	Attempts    []attempt
}

// attempt is one request, and what its outcome means in words.
type attempt struct {
	Label   string   `json:"-"`
	Path    string   `json:"path"`
	Headers []header `json:"headers"`
	NoProof bool     `json:"noProof"` // without the session cookie
	Passed  string   `json:"passed"`
	Refused string   `json:"refused"`
	Curl    string   `json:"-"`
}

// Spec is the attempt as the script reads it.
func (a attempt) Spec() (string, error) {
	text, err := json.Marshal(a)
	return string(text), err
}

// tries are the attempts that teach me something.
func (v *view) tries(me, other *person, cookie string) []try {
	claim := []header{{"X-User-Id", other.ID}}
	list := []try{
		{
			Title: "Claim to be " + other.Name,
			Text:  "Sends three identity headers that your browser made up.",
			Attempts: []attempt{{
				Label: "Send the claims", Path: "/",
				Headers: append(claim, header{"X-User-Role", "admin"}, header{"X-Internal-Caller", "payroll"}),
				Passed:  "It passed, as you. Not one of the claims reached the backend.",
			}},
		},
		{
			Title: "Spell the claim differently",
			Text:  "Many backends read X_User_Id as if it were X-User-Id, but a proxy does not know to remove it.",
			Attempts: []attempt{
				{Label: "X_User_Id", Path: "/", Headers: []header{{"X_User_Id", other.ID}}},
				{Label: "X.User.Id", Path: "/", Headers: []header{{"X.User.Id", other.ID}}},
			},
		},
		{
			Title:    "Act for an organization",
			Text:     "X-Org-Id is a question. The gate looks up your membership, and answers with the verified organization.",
			Attempts: v.organizationAttempts(me),
		},
		{
			Title:    "Open the admin page",
			Text:     "Its rule demands the role owner or admin in the organization.",
			Attempts: adminAttempts(me),
		},
		{
			Title: "Start from a public page",
			Text:  "Its rule asks nobody who they are, so its backend must not be told lies either.",
			Attempts: []attempt{
				{
					Label: "Open it with a claim", Path: "/public/", Headers: claim,
					Passed: "It passed, as nobody: the claim was removed and no identity added.",
				},
				{
					Label: "Sneak to /public/..%2fadmin/", Path: "/public/..%2fadmin/",
					Refused: "A path that two programs could read differently is refused, whatever the rule.",
				},
			},
		},
		{
			Title: "Come without a session",
			Text:  "Programs get JSON and a status. A browser that opens a page is led to the sign-in page instead.",
			Attempts: []attempt{
				{Label: "No cookie", Path: "/", NoProof: true},
				{
					Label: "An invented token", Path: "/", NoProof: true,
					Headers: []header{{"Authorization", "Bearer InventedInventedInventedInvented"}},
				},
			},
		},
	}
	for i := range list {
		for j := range list[i].Attempts {
			a := &list[i].Attempts[j]
			proof := cookie
			if a.NoProof {
				proof = ""
			}
			a.Curl = curl(v.origin+a.Path, proof, a.Headers)
			if a.Passed == "" {
				a.Passed = "It passed."
			}
			if a.Refused == "" {
				a.Refused = "Refused. The backend heard nothing of it."
			}
		}
	}
	return list
}

func (v *view) organizationAttempts(me *person) (list []attempt) {
	for _, o := range v.organizations {
		a := attempt{Label: o.Name, Path: "/", Headers: []header{{"X-Org-Id", o.Slug}}}
		if m := me.member(o.ID); m != nil {
			a.Passed = "It passed: you are " + m.Role + " there. The backend got the organization's id, not the word you sent."
		} else {
			a.Refused = "Refused: you are not a member there."
		}
		list = append(list, a)
	}
	return list
}

func adminAttempts(me *person) (list []attempt) {
	for i, m := range me.Memberships {
		a := attempt{
			Label: "For " + m.Organization.Name, Path: "/admin/",
			Passed:  "It passed: you are " + m.Role + " of " + m.Organization.Name + ".",
			Refused: "Refused: you are " + m.Role + " of " + m.Organization.Name + ", and that is not enough.",
		}
		if i > 0 { // the first one is where you act anyway
			a.Headers = []header{{"X-Org-Id", m.Organization.Slug}}
		}
		list = append(list, a)
	}
	return list
}
