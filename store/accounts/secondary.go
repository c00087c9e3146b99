package accounts

import (
	"context"
	"errors"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/betterauth/record"
)

// secondary is Better Auth's secondary storage.
type secondary struct {
	client redis.UniversalClient
}

var errNotYet = errors.New("secondary storage: not written yet")

func openSecondary(context.Context, *Store) (*secondary, error) { return nil, errNotYet }

func (r *secondary) try(context.Context) error { return errNotYet }

func (r *secondary) copyUser(context.Context, *record.User) error { return errNotYet }

func (r *secondary) create(context.Context, *record.Session, *record.User) error { return errNotYet }

func (r *secondary) find(context.Context, string) (*record.Session, *record.User, bool, error) {
	return nil, nil, false, errNotYet
}

// change is a key of a value's session, and the JSON that it becomes.
type change struct{ key, json string }

func quoted(text string) string { return string(record.AppendString(nil, text)) }

func (r *secondary) update(context.Context, string, []change) (bool, error) { return false, errNotYet }

func (r *secondary) remove(context.Context, string) error { return errNotYet }

func (r *secondary) removeOf(context.Context, string, string) error { return errNotYet }

func (r *secondary) list(context.Context, string) ([]record.Session, error) { return nil, errNotYet }

func (r *secondary) putVerification(context.Context, *verification) error { return errNotYet }

func (r *secondary) findVerification(context.Context, string) (*verification, error) {
	return nil, errNotYet
}

func (r *secondary) takeVerification(context.Context, string) (*verification, error) {
	return nil, errNotYet
}

func (r *secondary) dropVerification(context.Context, string) error { return errNotYet }
