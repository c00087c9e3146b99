package accounts_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store/accounts"
)

func TestSessions(t *testing.T) {
	for _, schema := range []string{"core", "all-plugins", "uuid-ids", "serial-ids"} {
		t.Run(schema, func(t *testing.T) {
			each(t, schema, func(t *testing.T, d *database) { sessions(t, d.open(t)) })
		})
	}
}

// sessions holds for every way to keep them.
func sessions(t *testing.T, s *accounts.Store) {
	ctx := t.Context()
	u := ada()
	signUp(t, s, u, "google", "g-1")
	u, err := s.User(ctx, u.ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"t1", "t2", "t3"} {
		if err := s.CreateSession(ctx, sessionOf(u, token), u); err != nil {
			t.Fatal(err)
		}
	}
	one := sessionOf(u, "t1")
	got, owner, err := s.FindSession(ctx, "t1")
	if err != nil || got == nil {
		t.Fatalf("got %v, %v", got, err)
	}
	if got.ID == "" {
		t.Error("the session has no id")
	}
	one.ID = got.ID
	if diff := cmp.Diff(one, got); diff != "" {
		t.Errorf("session (-written +read):\n%s", diff)
	}
	if diff := cmp.Diff(u, owner); diff != "" {
		t.Errorf("its user (-written +read):\n%s", diff)
	}

	later, end := start().Add(time.Hour), start().Add(8*24*time.Hour)
	if renewed, err := s.RefreshSession(ctx, got, end, later); !renewed || err != nil {
		t.Errorf("refresh: %v, %v", renewed, err)
	}
	if again, _, err := s.FindSession(ctx, "t1"); err != nil || !again.ExpiresAt.Equal(end) || !again.UpdatedAt.Equal(later) || !got.ExpiresAt.Equal(end) {
		t.Errorf("after the refresh: %+v, %v", again, err)
	}
	if s.Shape().Organizations {
		if err := s.SetActiveOrganization(ctx, got, ptr("o-1"), later); err != nil {
			t.Error(err)
		}
		if again, _, err := s.FindSession(ctx, "t1"); err != nil || again.ActiveOrganizationID == nil || *again.ActiveOrganizationID != "o-1" {
			t.Errorf("active organization: %+v, %v", again, err)
		}
		if err := s.SetActiveOrganization(ctx, got, nil, later); err != nil {
			t.Error(err)
		}
		if again, _, err := s.FindSession(ctx, "t1"); err != nil || again.ActiveOrganizationID != nil {
			t.Errorf("no active organization: %+v, %v", again, err)
		}
	}

	live(t, s, u.ID, "t1", "t2", "t3")
	if err := s.DeleteSession(ctx, "t2"); err != nil {
		t.Error(err)
	}
	live(t, s, u.ID, "t1", "t3")
	if err := s.CreateSession(ctx, sessionOf(u, "t4"), u); err != nil {
		t.Error(err)
	}
	if err := s.DeleteSessionsOf(ctx, u.ID, "t4"); err != nil {
		t.Error(err)
	}
	live(t, s, u.ID, "t4")
	gone := sessionOf(u, "t1")
	if renewed, err := s.RefreshSession(ctx, gone, end, later); renewed || err != nil {
		t.Errorf("refresh of one that is gone: %v, %v", renewed, err)
	}
	live(t, s, u.ID, "t4")

	bob := &record.User{Name: "Bob", Email: "bob@example.com", CreatedAt: start(), UpdatedAt: start()}
	signUp(t, s, bob, "google", "g-2")
	if err := s.CreateSession(ctx, sessionOf(bob, "b1"), bob); err != nil {
		t.Error(err)
	}
	if err := s.DeleteSessionsOf(ctx, u.ID, ""); err != nil {
		t.Error(err)
	}
	live(t, s, u.ID)
	live(t, s, bob.ID, "b1")

	for _, token := range []string{"", "none", "a\x00b", "\xff", strings.Repeat("x", 600)} {
		if got, owner, err := s.FindSession(ctx, token); got != nil || owner != nil || err != nil {
			t.Errorf("token %.20q: %v, %v, %v", token, got, owner, err)
		}
		if err := s.DeleteSession(ctx, token); err != nil {
			t.Errorf("token %.20q: %v", token, err)
		}
	}
	for _, id := range []string{"", "none", "0", "\x00"} {
		if err := s.DeleteSessionsOf(ctx, id, ""); err != nil {
			t.Errorf("user %q: %v", id, err)
		}
		live(t, s, id)
	}
}

// live demands that these are a user's sessions, found one by one and all together.
func live(t *testing.T, s *accounts.Store, userID string, tokens ...string) {
	t.Helper()
	all, err := s.SessionsOf(t.Context(), userID)
	if err != nil {
		t.Error(err)
	}
	got := make([]string, 0)
	for _, sess := range all {
		got = append(got, sess.Token)
	}
	slices.Sort(got)
	if !slices.Equal(got, tokens) {
		t.Errorf("sessions of the user: %q, want %q", got, tokens)
	}
	for _, token := range []string{"t1", "t2", "t3", "t4"} {
		sess, _, err := s.FindSession(t.Context(), token)
		if err != nil {
			t.Error(err)
		}
		if sess != nil && sess.UserID == userID && !slices.Contains(tokens, token) {
			t.Errorf("session %s lives", token)
		}
		if sess == nil && slices.Contains(tokens, token) {
			t.Errorf("session %s is gone", token)
		}
	}
}

// TestExpiredSessions are found by their token, for whoever asks deletes them then, and not listed.
func TestExpiredSessions(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		u := ada()
		signUp(t, s, u, "google", "g-1")
		old := sessionOf(u, "t1")
		old.ExpiresAt = start().Add(-time.Second)
		if err := s.CreateSession(t.Context(), old, u); err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.FindSession(t.Context(), "t1"); got == nil || err != nil {
			t.Errorf("got %v, %v", got, err)
		}
		if all, err := s.SessionsOf(t.Context(), u.ID); len(all) > 0 || err != nil {
			t.Errorf("got %v, %v", all, err)
		}
	})
}

func TestVerifications(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) { verifications(t, d.open(t)) })
}

// verifications holds for every way to keep them.
func verifications(t *testing.T, s *accounts.Store) {
	ctx := t.Context()
	put := func(identifier, value string, end time.Duration) {
		t.Helper()
		if err := s.PutVerification(ctx, identifier, value, start().Add(end), start()); err != nil {
			t.Fatal(err)
		}
	}
	put("state", `{"callbackURL":"/x?<&>","☃":1}`, 10*time.Minute)
	put("other", "o", 10*time.Minute)
	for range 2 {
		if got, found, err := s.FindVerification(ctx, "state"); got != `{"callbackURL":"/x?<&>","☃":1}` || !found || err != nil {
			t.Errorf("find: %q, %v, %v", got, found, err)
		}
	}
	var winners, losers atomicCount
	together(50, func(int) {
		got, found, err := s.TakeVerification(context.WithoutCancel(ctx), "state")
		switch {
		case err != nil:
			t.Error(err)
		case found && got == `{"callbackURL":"/x?<&>","☃":1}`:
			winners.add()
		default:
			losers.add()
		}
	})
	if winners.n.Load() != 1 || losers.n.Load() != 49 {
		t.Errorf("%d took it, %d did not", winners.n.Load(), losers.n.Load())
	}
	for identifier, want := range map[string]bool{"state": false, "other": true, "": false, "a\x00": false, "\xff": false} {
		if _, found, err := s.FindVerification(ctx, identifier); found != want || err != nil {
			t.Errorf("%q: %v, %v", identifier, found, err)
		}
	}
	for i := range 20 { // round after round, two at a time
		identifier := fmt.Sprint("round", i)
		put(identifier, "v", time.Minute)
		var took atomicCount
		together(4, func(int) {
			if _, found, _ := s.TakeVerification(context.WithoutCancel(ctx), identifier); found {
				took.add()
			}
		})
		if took.n.Load() != 1 {
			t.Fatalf("round %d: %d took it", i, took.n.Load())
		}
	}
}

func TestExpiredVerifications(t *testing.T) {
	each(t, "core", func(t *testing.T, d *database) {
		s := d.open(t)
		put := func(identifier, value string, end, made time.Duration) {
			t.Helper()
			if err := s.PutVerification(t.Context(), identifier, value, start().Add(end), start().Add(made)); err != nil {
				t.Fatal(err)
			}
		}
		put("old", "v", -time.Second, -time.Hour)
		if _, found, err := s.FindVerification(t.Context(), "old"); found || err != nil {
			t.Errorf("found an expired one: %v", err)
		}
		if _, found, err := s.TakeVerification(t.Context(), "old"); found || err != nil {
			t.Errorf("took an expired one: %v", err)
		}
		put("twice", "first", time.Minute, 0)
		put("twice", "second", time.Minute, time.Second)
		if got, _, err := s.FindVerification(t.Context(), "twice"); got != "second" || err != nil {
			t.Errorf("found %q, %v", got, err)
		}
		if got, found, err := s.TakeVerification(t.Context(), "twice"); got != "second" || !found || err != nil {
			t.Errorf("took %q, %v", got, err)
		}
		put("a", "v", -time.Millisecond, 0)
		put("b", "v", 0, 0)
		if err := s.SweepVerifications(t.Context(), start()); err != nil {
			t.Fatal(err)
		}
		if got := d.ask(t, `select "identifier" from "verification"`); got != "b" {
			t.Errorf("left: %s", got)
		}
	})
}
