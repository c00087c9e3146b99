package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// row is one row by column. A time.Time is written as Better Auth's own migration has it, raw as it is.
type row map[string]any

// raw is SQL.
type raw string

// start is when everything in these tests begins.
func start() time.Time { return time.Date(2026, time.November, 21, 20, 42, 23, 514e6, time.UTC) }

// end is when the sessions of these tests end.
func end() time.Time { return start().Add(7 * 24 * time.Hour) }

func (h Harness) insert(t testing.TB, table string, rows ...row) {
	t.Helper()
	var sql strings.Builder
	for _, r := range rows {
		var columns, values []string
		for _, column := range slices.Sorted(maps.Keys(r)) {
			columns = append(columns, `"`+column+`"`)
			values = append(values, h.literal(r[column]))
		}
		fmt.Fprintf(&sql, "insert into %q (%s) values (%s);\n", table, strings.Join(columns, ", "), strings.Join(values, ", "))
	}
	h.Exec(t, "begin;\n"+sql.String()+"commit;")
}

func (h Harness) literal(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case raw:
		return string(v)
	case string:
		return "'" + strings.ReplaceAll(v, "'", "''") + "'"
	case bool:
		if h.Dialect == betterauth.SQLite {
			return map[bool]string{true: "1", false: "0"}[v]
		}
		return fmt.Sprint(v)
	case time.Time:
		return "'" + v.UTC().Format("2006-01-02T15:04:05.000Z") + "'"
	case int, json.Number:
		return fmt.Sprint(v)
	default:
		panic(fmt.Sprintf("storetest: no literal for %T", value))
	}
}

// with is a copy of r in which others come first.
func (r row) with(others row) row {
	all := maps.Clone(r)
	maps.Copy(all, others)
	return all
}

func user(id string) row {
	return row{
		"id": id, "name": "Name of " + id, "email": id + "@example.com", "emailVerified": true,
		"createdAt": start(), "updatedAt": start(),
	}
}

func session(token, userID string) row {
	return row{
		"id": "session-" + token, "token": token, "userId": userID, "expiresAt": end(),
		"createdAt": start(), "updatedAt": start(),
	}
}

func organization(id string) row {
	return row{"id": id, "name": "Organization " + id, "slug": "slug-" + id, "createdAt": start()}
}

func member(id, organizationID, userID, role string, age time.Duration) row {
	return row{"id": id, "organizationId": organizationID, "userId": userID, "role": role, "createdAt": start().Add(-age)}
}

// resolve demands a principal, and that its user is found by id, too, where the store can do that.
func resolve(t testing.TB, s gate.Resolver, token string) *gate.Principal {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
	if err != nil {
		t.Fatalf("resolve: %v", err)
	}
	samePerson(t, s, p)
	sameNamed(t, s, p)
	return p
}

// nobody demands that no session has the token.
func nobody(t testing.TB, s gate.Resolver, token string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	p, err := s.Resolve(ctx, gate.Proven(gate.ByCookie, token))
	if !errors.Is(err, gate.ErrNoSession) || p != nil {
		t.Errorf("token %.40q: got %v, %v; want no session", token, p, err)
	}
}

// same compares principals; an empty list is as good as none.
func same(t testing.TB, got, want *gate.Principal) {
	t.Helper()
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
}

// principal is that of user and session without plugins.
func principal(token, userID string) *gate.Principal {
	return &gate.Principal{
		Session: gate.Session{ID: "session-" + token, CreatedAt: start(), ExpiresAt: end()},
		User:    gate.User{ID: userID, Name: "Name of " + userID, Email: userID + "@example.com", EmailVerified: true},
	}
}
