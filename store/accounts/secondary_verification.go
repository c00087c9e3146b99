package accounts

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/betterauth/record"
)

// putVerification writes what Better Auth writes: what the row was made from, or the row where there is one.
func (r *secondary) putVerification(ctx context.Context, v *verification) error {
	ttl := r.seconds(v.expiresAt)
	if ttl == 0 {
		return nil
	}
	text := func(s string) json.RawMessage { return json.RawMessage(quoted(s)) }
	at := func(t time.Time) json.RawMessage { return text(record.Time(t)) }
	o := object{
		{"createdAt", at(v.createdAt)},
		{"updatedAt", at(v.updatedAt)},
		{"value", text(v.value)},
		{"identifier", text(v.identifier)},
		{"expiresAt", at(v.expiresAt)},
	}
	if r.store.config.verificationRows() {
		o = object{
			{"identifier", text(v.identifier)},
			{"value", text(v.value)},
			{"expiresAt", at(v.expiresAt)},
			{"createdAt", at(v.createdAt)},
			{"updatedAt", at(v.updatedAt)},
			{"id", text(v.id)},
		}
	}
	err := r.client.SetEx(ctx, r.prefix+verifications+v.identifier, o.appendJSON(nil), time.Duration(ttl)*time.Second).Err()
	return r.explain("put verification", err)
}

// findVerification is nil where there is none.
func (r *secondary) findVerification(ctx context.Context, identifier string) (*verification, error) {
	text, err := r.get(ctx, verifications+identifier)
	return readVerification(text), r.explain("find verification", err)
}

// takeVerification reads and deletes in one step.
func (r *secondary) takeVerification(ctx context.Context, identifier string) (*verification, error) {
	text, err := r.take.Run(ctx, r.client, []string{r.prefix + verifications + identifier}).Text()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return readVerification(text), r.explain("take verification", err)
}

func (r *secondary) dropVerification(ctx context.Context, identifier string) error {
	return r.explain("take verification", r.client.Del(ctx, r.prefix+verifications+identifier).Err())
}

// readVerification is nil for whatever is not one that ends.
func readVerification(text string) *verification {
	if len(text) > longest {
		return nil
	}
	o, ok := parseObject([]byte(text))
	v := &verification{identifier: o.text("identifier"), value: o.text("value"), expiresAt: o.instant("expiresAt")}
	if !ok || v.expiresAt.IsZero() {
		return nil
	}
	return v
}
