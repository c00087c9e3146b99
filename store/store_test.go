package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/usherauth/usher/store"
)

func TestAskable(t *testing.T) {
	for token, want := range map[string]bool{
		"7391AZWAbjlpw3oAY7nLQLGxPs89w8By":    true,
		"tökén with spaces":                   true,
		strings.Repeat("x", store.MaxToken):   true,
		strings.Repeat("x", store.MaxToken+1): false,
		"":                                    false,
		"a\x00b":                              false,
		"\xff\xfe":                            false,
	} {
		if got := store.Askable(token); got != want {
			t.Errorf("%q: %v", token, got)
		}
	}
}

func TestMissingErrorNamesTableAndColumn(t *testing.T) {
	for want, err := range map[string]*store.MissingError{
		`table "session" has no column "token": look again`: {Table: "session", Column: "token", Hint: "look again"},
		`the database has no table "session": migrate`:      {Table: "session", Hint: "migrate"},
	} {
		if err.Error() != want {
			t.Errorf("got %s", err)
		}
	}
}

func TestPermanent(t *testing.T) {
	for _, err := range []error{
		&store.MissingError{Table: "session"},
		fmt.Errorf("open: %w", errors.Join(errors.New("other"), &store.MissingError{Table: "session"})),
		fmt.Errorf("open: %w", &store.UnusableError{Err: errors.New("no URL")}),
	} {
		if !store.Permanent(err) {
			t.Errorf("waited for: %v", err)
		}
	}
	for _, err := range []error{nil, errors.New("connection refused"), context.DeadlineExceeded} {
		if store.Permanent(err) {
			t.Errorf("not waited for: %v", err)
		}
	}
}
