package page

// Provider is one way to sign in.
type Provider struct {
	ID   string // as the configuration names it
	Name string // as people know it
	Href string // where choosing it leads
}

// SignIn is what the sign-in page shows.
type SignIn struct {
	Providers []Provider
	Back      string       // where they return to, as people would write it; empty: nowhere in particular
	Person    string       // who is signed in already; empty: nobody
	Continue  string       // for a person who is signed in: where Back is
	Why       *Explanation // why they are here again; nil: they just came
	Done      bool         // they just signed out
}

// Explanation is what went wrong, in words.
type Explanation struct {
	Title string
	Text  string
	Hints []string // what to try, the likeliest first
	Code  string   // for whoever is asked for help
}

// Problem is the page of an error.
type Problem struct {
	Explanation Explanation
	Retry       string // where to try again
	Action      string // what Retry does; empty: "Back to sign-in"
}

// Onward leads to a provider.
type Onward struct {
	To   string
	Name string
}

// Account is what somebody who is signed in sees.
type Account struct {
	Name, Email   string
	EmailVerified bool
	Initials      string
	Since         string // the day the user was made

	Organizations []Organization
	ShowOrgs      bool // whether there are organizations at all here
	Sessions      []Session
	Accounts      []Linked
	Linkable      []Provider

	Action string       // where the forms lead
	Done   string       // what was just done; empty: nothing
	Failed *Explanation // what could not be done
	Stale  bool         // signed in too long ago to see sessions or unlink
	Again  string       // where signing in again leads
}

// Organization is one membership.
type Organization struct {
	ID, Name, Slug, Role string
	Active               bool
}

// Session is one device.
type Session struct {
	Handle  string // what a form says to end it; never the token
	Device  string
	Address string
	Started string
	Seen    string
	This    bool
	Acting  bool // somebody of the staff acts as this person
}

// Linked is one account at a provider.
type Linked struct {
	ID       string
	Provider string
	Since    string
	Last     bool // unlinking it would lock them out
}
