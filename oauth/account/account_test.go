package account

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/provider"
	"github.com/usherauth/usher/oauth/roomtest"
	"github.com/usherauth/usher/store/accounts"
)

func TestUnlinkIsToldToTheAuditLog(t *testing.T) {
	w := newWorld(t, nil)
	ada, eve := w.person("ada"), w.person("eve")
	w.put(ada, "young", time.Hour)
	w.link(ada.ID, record.Account{ID: "a", ProviderID: "github", AccountID: "1001"})
	w.link(ada.ID, record.Account{ID: "b", ProviderID: "google"})
	w.link(eve.ID, record.Account{ID: "c", ProviderID: "google"})
	w.want(w.call("POST", "/unlink-account", `{"accountId":"c"}`, "young"), 400, `{"message":"Account not found","code":"ACCOUNT_NOT_FOUND"}`)
	w.want(w.call("POST", "/unlink-account", `{"accountId":"a"}`, "young"), 200, `{"status":true}`)
	w.want(w.call("POST", "/unlink-account", `{"accountId":"b"}`, "young"), 400, `{"message":"You can't unlink your last account","code":"FAILED_TO_UNLINK_LAST_ACCOUNT"}`)
	want := Event{Action: "unlink", UserID: ada.ID, Session: "id-of-young", Provider: "github", Account: "1001", Client: "127.0.0.1"}
	if len(w.events) != 1 || w.events[0] != want {
		t.Errorf("the audit log has %+v", w.events)
	}
	if w.account(eve.ID, "c") == nil || w.account(ada.ID, "b") == nil {
		t.Error("an account is gone that had to stay")
	}
}

func TestTheLastAccountMayGoWhereThatIsConfigured(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.AllowUnlinkingAll = true })
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	w.link(ada.ID, record.Account{ID: "a", ProviderID: "github"})
	w.want(w.call("POST", "/unlink-account", `{"accountId":"a"}`, "young"), 200, `{"status":true}`)
}

// Two pages that unlink at once never leave somebody without a way in.
func TestUnlinkAtOnce(t *testing.T) {
	w := newWorld(t, nil)
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	w.link(ada.ID, record.Account{ID: "0", ProviderID: "github"})
	for round := range 10 {
		w.link(ada.ID, record.Account{ID: fmt.Sprint(round + 1), ProviderID: "github"})
		var all sync.WaitGroup
		statuses := make([]int, 2)
		existing, err := w.store.AccountsOf(t.Context(), ada.ID)
		w.must(err)
		for i := range statuses {
			all.Go(func() {
				statuses[i] = w.call("POST", "/unlink-account", `{"accountId":"`+existing[i].ID+`"}`, "young").Status
			})
		}
		all.Wait()
		slices.Sort(statuses)
		left, err := w.store.AccountsOf(t.Context(), ada.ID)
		w.must(err)
		if len(left) != 1 || !slices.Equal(statuses, []int{200, 400}) {
			t.Fatalf("round %d: %d accounts are left, answers %v", round, len(left), statuses)
		}
	}
}

func TestAnAccessTokenIsRenewedBeforeItsLastFiveSeconds(t *testing.T) {
	w := newWorld(t, nil)
	w.now = time.Date(2026, 11, 25, 3, 0, 0, 123_456_789, time.UTC)
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	for life, renewed := range map[time.Duration]bool{5 * time.Second: false, 5*time.Second - time.Millisecond: true, -time.Hour: true} {
		id := life.String()
		a := w.link(ada.ID, record.Account{ID: id, ProviderID: "acme", AccessToken: ptr("at-old"), RefreshToken: ptr("rt-good"), AccessTokenExpiresAt: ptr(w.instant().Add(life))})
		want := `{"accessToken":"at-old","accessTokenExpiresAt":"` + record.Time(*a.AccessTokenExpiresAt) + `","scopes":[]}`
		if renewed {
			want = `{"accessToken":"at-new-of-rt-good","accessTokenExpiresAt":"2026-11-25T04:00:00.123Z","scopes":[]}`
		}
		w.want(w.call("POST", "/get-access-token", `{"accountId":"`+id+`"}`, "young"), 200, want)
		if got := w.account(ada.ID, id); renewed && (*got.AccessToken != "at-new-of-rt-good" || *got.RefreshToken != "rt-new" || !got.UpdatedAt.Equal(w.instant()) ||
			!got.RefreshTokenExpiresAt.Equal(w.instant().Add(day))) {
			t.Errorf("%s: the row has %+v", life, got)
		}
	}
}

// A refresh token that works once is used once, however many ask at the same moment.
func TestManyAtOnceRenewOnce(t *testing.T) {
	w := newWorld(t, nil)
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	w.link(ada.ID, record.Account{ID: "a", ProviderID: "acme", AccessToken: ptr("at-old"), RefreshToken: ptr("once-1"), AccessTokenExpiresAt: ptr(w.instant().Add(-time.Hour))})
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			got := w.call("POST", "/get-access-token", `{"accountId":"a"}`, "young")
			if got.Status != 200 || !strings.HasPrefix(got.Body, `{"accessToken":"at-new-of-once-1",`) {
				t.Errorf("%d %s", got.Status, got.Body)
			}
		})
	}
	all.Wait()
	if asked := w.idp.asked(); len(asked) != 1 {
		t.Errorf("the provider was asked %d times: %v", len(asked), asked)
	}
}

// Another replica, or Better Auth, used the refresh token first: what it wrote is the answer, not a failure.
func TestRenewedElsewhere(t *testing.T) {
	w := newWorld(t, nil)
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	w.link(ada.ID, record.Account{ID: "a", ProviderID: "acme", AccessToken: ptr("at-old"), RefreshToken: ptr("once-2"), AccessTokenExpiresAt: ptr(w.instant().Add(-time.Hour))})
	elsewhere := &meanwhile{Store: w.store, do: func() {
		w.must(w.store.UpdateAccount(t.Context(), "a", accounts.AccountChange{
			AccessToken: ptr("at-theirs"), RefreshToken: ptr("rt-theirs"), AccessTokenExpiresAt: ptr(w.instant().Add(time.Hour)),
		}, w.instant()))
	}}
	w2 := newWorldOn(t, accounts.Config{URL: w.url}, w.idp, func(c *Config) { c.Store = elsewhere })
	w.idp.spend("once-2")
	got := w2.call("POST", "/get-access-token", `{"accountId":"a"}`, "young")
	if got.Status != 200 || !strings.HasPrefix(got.Body, `{"accessToken":"at-theirs",`) {
		t.Errorf("%d %s", got.Status, got.Body)
	}
	w.want(w2.call("POST", "/refresh-token", `{"accountId":"a"}`, "young"), 400, `{"message":"Failed to refresh access token","code":"FAILED_TO_REFRESH_ACCESS_TOKEN"}`)
}

// meanwhile is a store in which somebody else writes after the third look at the accounts: the one under the turn.
type meanwhile struct {
	Store
	looks int
	do    func()
}

func (m *meanwhile) AccountsOf(ctx context.Context, userID string) ([]record.Account, error) {
	all, err := m.Store.AccountsOf(ctx, userID)
	if m.looks++; m.looks == 2 {
		m.do()
	}
	return all, err
}

// Whoever leaves while the provider renews must not take the new refresh token along.
func TestWhatIsRenewedIsKept(t *testing.T) {
	asked, answer := make(chan struct{}), make(chan struct{})
	slow := &scriptedProvider{id: "slow", refresh: func(context.Context) (*provider.Tokens, error) {
		close(asked)
		<-answer
		return &provider.Tokens{Access: ptr("at-kept"), Refresh: ptr("rt-kept")}, nil
	}}
	w := newWorld(t, func(c *Config) { c.Providers = []provider.Provider{slow} })
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	w.link(ada.ID, record.Account{ID: "a", ProviderID: "slow", RefreshToken: ptr("rt")})
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan struct{})
	go func() {
		defer close(left)
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.address+"/api/auth/refresh-token", strings.NewReader(`{"accountId":"a"}`))
		w.must(err)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Cookie", roomtest.Cookie("young"))
		r.Header.Set("Origin", base)
		if answer, err := http.DefaultClient.Do(r); err == nil {
			answer.Body.Close()
			t.Error("it was to leave")
		}
	}()
	<-asked
	leave()
	<-left
	close(answer)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if a := w.account(ada.ID, "a"); *a.RefreshToken == "rt-kept" && *a.AccessToken == "at-kept" {
			break
		} else if time.Now().After(end) {
			t.Fatalf("the row has %s", *a.RefreshToken)
		}
	}
}

func TestTokensAreSealedAndOpened(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.EncryptTokens = true })
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	over := ptr(w.instant().Add(-time.Hour))
	w.link(ada.ID, record.Account{ID: "sealed", ProviderID: "acme", AccessToken: ptr(w.keys.Encrypt("at-full")), RefreshToken: ptr(w.keys.Encrypt("rt-id"))})
	w.link(ada.ID, record.Account{ID: "plain", ProviderID: "acme", AccessToken: ptr("at-full"), RefreshToken: ptr("rt-good"), AccessTokenExpiresAt: over})
	w.link(ada.ID, record.Account{ID: "hexadecimal", ProviderID: "acme", AccessToken: ptr("abcdef")})
	w.want(w.call("POST", "/get-access-token", `{"accountId":"sealed"}`, "young"), 200, `{"accessToken":"at-full","scopes":[]}`)
	w.want(w.call("POST", "/get-access-token", `{"accountId":"hexadecimal"}`, "young"), 400, `{"message":"Failed to get a valid access token","code":"FAILED_TO_GET_ACCESS_TOKEN"}`)
	for _, id := range []string{"sealed", "plain"} {
		if got := w.call("POST", "/refresh-token", `{"accountId":"`+id+`"}`, "young"); got.Status != 200 || strings.Contains(got.Body, *w.account(ada.ID, id).AccessToken) {
			t.Errorf("%s: %d %s", id, got.Status, got.Body)
		}
		a := w.account(ada.ID, id)
		access, err := w.keys.Decrypt(*a.AccessToken)
		refresh, err2 := w.keys.Decrypt(*a.RefreshToken)
		if err != nil || err2 != nil || !strings.HasPrefix(access, "at-new") || refresh != "rt-new" {
			t.Errorf("%s: the row has %q %q, %v, %v", id, access, refresh, err, err2)
		}
	}
	if id := w.account(ada.ID, "sealed").IDToken; *id != "new.id.token" {
		t.Errorf("the id token is %s", *id)
	}
}

// GHSA-99h5-pjcv-gr6v: whose accounts are meant is said by the session, whatever the request says.
func TestNobodyGetsAnothersTokens(t *testing.T) {
	w := newWorld(t, nil)
	ada, eve := w.person("ada"), w.person("eve")
	w.put(eve, "of-eve", time.Hour)
	w.link(ada.ID, record.Account{ID: "a", ProviderID: "acme", AccessToken: ptr("at-full"), RefreshToken: ptr("rt-good")})
	w.link(eve.ID, record.Account{ID: "e", ProviderID: "acme", AccessToken: ptr("at-eve")})
	const none = `{"message":"Account not found","code":"ACCOUNT_NOT_FOUND"}`
	for _, path := range []string{"/get-access-token", "/refresh-token"} {
		w.want(w.call("POST", path, `{"accountId":"a","userId":"`+ada.ID+`"}`, "of-eve"), 400, none)
		w.want(w.call("POST", path, `{"accountId":"a","userId":"`+ada.ID+`"}`, ""), 401, "")
		w.want(w.call("POST", path, `{"useAccountCookie":true,"userId":"`+ada.ID+`"}`, "of-eve"), 400, none)
	}
	w.want(w.call("GET", "/account-info?accountId=a&userId="+ada.ID, "", "of-eve"), 400, none)
	w.want(w.call("POST", "/get-access-token", `{"accountId":"e","userId":"`+ada.ID+`"}`, "of-eve"), 200, `{"accessToken":"at-eve","scopes":[]}`)
	if len(w.idp.asked()) != 0 {
		t.Error("the provider was asked")
	}
}

func TestAProviderThatFails(t *testing.T) {
	w := newWorld(t, nil)
	ada := w.person("ada")
	w.put(ada, "young", time.Hour)
	for _, refresh := range []string{"rt-nothing", "rt-junk", "rt-down", "rt-moved", "rt-unknown"} {
		a := w.link(ada.ID, record.Account{ID: refresh, ProviderID: "acme", AccessToken: ptr("at-secret"), RefreshToken: ptr(refresh), AccessTokenExpiresAt: ptr(w.instant().Add(-time.Hour))})
		w.want(w.call("POST", "/get-access-token", `{"accountId":"`+refresh+`"}`, "young"), 400, `{"message":"Failed to get a valid access token","code":"FAILED_TO_GET_ACCESS_TOKEN"}`)
		w.want(w.call("POST", "/refresh-token", `{"accountId":"`+refresh+`"}`, "young"), 400, `{"message":"Failed to refresh access token","code":"FAILED_TO_REFRESH_ACCESS_TOKEN"}`)
		if got := w.account(ada.ID, refresh); *got.AccessToken != "at-secret" || !got.UpdatedAt.Equal(a.UpdatedAt) {
			t.Errorf("%s: the row changed: %+v", refresh, got)
		}
	}
	if log := w.log.String(); strings.Contains(log, "at-secret") || strings.Contains(log, "app-secret") || !strings.Contains(log, "account=rt-down") {
		t.Errorf("the log has %s", log)
	}
}

func TestAChangedUserIsForgottenEverywhere(t *testing.T) {
	w := newWorld(t, nil)
	ada := w.person("ada")
	w.put(ada, "one", time.Hour)
	w.put(ada, "two", time.Hour)
	got := w.call("POST", "/update-user", `{"name":"Countess","image":"https://x.test/a.png","email":""}`, "one")
	w.want(got, 200, `{"status":true}`)
	if set := got.Header.Values("Set-Cookie"); len(set) != 1 || !strings.HasPrefix(set[0], roomtest.Cookie("one")+"; Max-Age=604800;") {
		t.Errorf("cookies: %q", set)
	}
	slices.Sort(w.forgotten)
	if !slices.Equal(w.forgotten, []string{"one", "two"}) {
		t.Errorf("forgotten: %v", w.forgotten)
	}
	_, u, err := w.store.FindSession(t.Context(), "two")
	w.must(err)
	if u.Name != "Countess" || *u.Image != "https://x.test/a.png" || u.Email != "ada@example.com" {
		t.Errorf("the user is %+v", u)
	}
	for body, want := range map[string]string{
		`{"name":null}`:       `[body.name] Invalid input: expected string, received null`,
		`{"name":7}`:          `[body.name] Invalid input: expected string, received number`,
		`{"image":["x"]}`:     `[body.image] Invalid input: expected string, received array`,
		`{"name":"a\u0000b"}`: `[body] Invalid input`,
	} {
		w.want(w.call("POST", "/update-user", body, "one"), 400, `{"message":"`+want+`","code":"VALIDATION_ERROR"}`)
	}
}

// scriptedProvider renews as it is told.
type scriptedProvider struct {
	provider.Provider
	id      string
	refresh func(context.Context) (*provider.Tokens, error)
}

func (p *scriptedProvider) ID() string { return p.id }

func (p *scriptedProvider) Refresh(ctx context.Context, _ string) (*provider.Tokens, error) {
	return p.refresh(ctx)
}
