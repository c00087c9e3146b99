package account

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
)

// ending is a provider that ends sessions, and tells where with.
type ending struct {
	provider.Provider // nothing else is asked of it
	id                string
	none, away        bool // it has no such endpoint, or cannot be asked about itself
}

func (e ending) ID() string { return e.id }

func (e ending) EndSession(idToken, back, state string) (string, bool) {
	return e.id + " " + idToken + " " + back + " " + state, !e.none
}

func (e ending) Discover(context.Context) error {
	if e.away {
		return provider.ErrAbsent
	}
	return nil
}

// plain is one that ends none.
type plain struct {
	provider.Provider
	id string
}

func (p plain) ID() string { return p.id }

func TestEndSessionIsThatOfTheAccountUsedLast(t *testing.T) {
	w := newWorld(t, func(c *Config) {
		c.BaseURL = base
		c.Providers = []provider.Provider{ending{id: "old"}, ending{id: "new"}, ending{id: "none", none: true}, ending{id: "away", away: true}, plain{id: "plain"}}
	})
	rm := New(w.config)
	token := func(s string) *string { return &s }
	// An account that was used so long ago.
	account := func(id string, ago time.Duration, idToken *string) record.Account {
		return record.Account{ID: id + ago.String(), ProviderID: id, CreatedAt: w.instant().Add(-ago), IDToken: idToken}
	}
	for name, c := range map[string]struct {
		has         []record.Account
		back, state string
		want        string
	}{
		"no account":               {want: ""},
		"of a provider without":    {has: []record.Account{account("plain", 1, nil), account("nobody", 2, nil), account("none", 3, nil)}},
		"the last":                 {has: []record.Account{account("old", time.Hour, token("o")), account("new", time.Minute, token("n"))}, back: "/bye?x=1", state: "s", want: "new n " + base + "/bye?x=1 s"},
		"whatever the rows' order": {has: []record.Account{account("new", time.Minute, token("n")), account("old", time.Hour, token("o"))}, back: "https://app.example.com/", want: "new n https://app.example.com/ "},
		"the last of several":      {has: []record.Account{account("old", time.Hour, token("a")), account("old", time.Minute, token("b"))}, want: "old b  "},
		"no token was kept":        {has: []record.Account{account("old", time.Hour, nil)}, back: "/", want: "old  " + base + "/ "},
		"the next, where the last has none": {
			has:  []record.Account{account("none", time.Second, token("x")), account("away", time.Minute, token("y")), account("plain", time.Minute, nil), account("old", time.Hour, token("o"))},
			want: "old o  ",
		},
	} {
		who := w.person(name)
		for _, a := range c.has {
			a.ID, a.AccountID = "", name+a.ID
			w.link(who.ID, a)
		}
		if got, err := rm.EndSession(t.Context(), who.ID, c.back, c.state); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// unreadable is a store that answers nothing, and must not be asked where nobody ends sessions.
type unreadable struct{ Store }

func (unreadable) AccountsOf(context.Context, string) ([]record.Account, error) {
	return nil, errors.New("the database is gone")
}

func TestEndSessionOfAStoreThatFails(t *testing.T) {
	rm := New(Config{Store: unreadable{}, Providers: []provider.Provider{ending{id: "old"}}})
	if to, err := rm.EndSession(t.Context(), "u", "/", ""); err == nil || to != "" {
		t.Errorf("%q, %v", to, err)
	}
	rm = New(Config{Store: unreadable{}, Providers: []provider.Provider{plain{id: "plain"}}})
	if to, err := rm.EndSession(t.Context(), "u", "/", ""); err != nil || to != "" {
		t.Errorf("%q, %v", to, err)
	}
}
