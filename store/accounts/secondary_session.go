package accounts

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/store"
)

// change is a key of a value's session, and the JSON that it becomes.
type change struct{ key, json string }

// create writes the list first, as Better Auth does: a token in it that has no key is passed over, a session that is in no
// list could not be revoked with the others.
func (r *secondary) create(ctx context.Context, s *record.Session, u *record.User) error {
	sc := r.store.schema.Load()
	if s.ID == "" {
		s.ID = sc.newID()
	}
	err := r.relist(ctx, s.UserID, s.Token, s.ExpiresAt, s.Token)
	if ttl := r.seconds(s.ExpiresAt); err == nil && ttl > 0 {
		err = r.client.SetEx(ctx, r.prefix+s.Token, newValue(s, u, sc.shape(), r.rows), time.Duration(ttl)*time.Second).Err()
	}
	return r.explain("create session", err)
}

// find answers what the storage knows of a token. absent: there is no such key; a key that is there and holds no live
// session is none, and not absent.
func (r *secondary) find(ctx context.Context, token string) (s *record.Session, u *record.User, absent bool, err error) {
	if !ours(token) {
		return nil, nil, true, nil
	}
	text, err := r.get(ctx, token)
	if err != nil || text == "" {
		return nil, nil, err == nil, r.explain("find session", err)
	}
	v, ok := parse(text, token)
	if !ok {
		return nil, nil, false, nil
	}
	dead, err := r.dead(ctx, v, nil)
	if err != nil || dead {
		return nil, nil, false, r.explain("find session", err)
	}
	s, u = v.record()
	return s, u, false, nil
}

// dead reports whether the user's tombstone is younger than the session. Tombstones that are known are not asked for.
func (r *secondary) dead(ctx context.Context, v *value, known map[string]string) (bool, error) {
	userID := v.session.text("userId")
	tombstone, ok := known[userID]
	if !ok {
		var err error
		if tombstone, err = r.get(ctx, revokedBefore+userID); err != nil {
			return false, err
		}
		if known != nil {
			known[userID] = tombstone
		}
	}
	return revoked(v.session.instant("createdAt"), tombstone), nil
}

// ours reports whether a token can name a session's key: whatever verifies as a signed cookie could name another's.
func ours(token string) bool {
	if !store.Askable(token) {
		return false
	}
	for _, other := range []string{activeSessions, revokedBefore, verifications, "api-key:"} {
		if strings.HasPrefix(token, other) {
			return false
		}
	}
	return !strings.Contains(token, "|/") // a rate limit's counter
}

// update changes keys of a session's value, its time to live and its place in the list. False: there is no such session.
func (r *secondary) update(ctx context.Context, token string, changes []change) (bool, error) {
	if !ours(token) {
		return false, nil
	}
	v, err := r.rewrite(ctx, token, func(v *value) {
		for _, c := range changes {
			v.session.set(c.key, json.RawMessage(c.json))
		}
	})
	if err != nil || v == nil {
		return false, r.explain("update session", err)
	}
	end := v.session.instant("expiresAt")
	if r.seconds(end) > 0 {
		err = r.relist(ctx, v.session.text("userId"), token, end, token)
	}
	return true, r.explain("update session", err)
}

// remove ends one session: its key first.
func (r *secondary) remove(ctx context.Context, token string) error {
	if !ours(token) {
		return nil
	}
	text, err := r.get(ctx, token)
	if v, ok := parse(text, token); err == nil && ok {
		if err = r.client.Del(ctx, r.prefix+token).Err(); err == nil {
			err = r.relist(ctx, v.session.text("userId"), "", time.Time{}, token)
		}
	}
	return r.explain("delete session", err)
}

// removeOf ends the sessions of a user that the list knows, and with none to keep those that it does not know, too: a
// tombstone kills whatever was made before.
func (r *secondary) removeOf(ctx context.Context, userID, exceptToken string) error {
	if userID == "" || !plain(userID) {
		return nil
	}
	listed, err := r.listed(ctx, userID)
	if err != nil {
		return r.explain("delete sessions", err)
	}
	if exceptToken != "" {
		for _, l := range listed {
			if l.Token != exceptToken {
				if err := r.remove(ctx, l.Token); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err = r.revoke.Run(ctx, r.client, []string{r.prefix + revokedBefore + userID}, r.now().UnixMilli(), int64(r.keeps/time.Second)).Err()
	if err != nil {
		return r.explain("delete sessions", err)
	}
	var tokens []string
	for _, l := range listed {
		if ours(l.Token) {
			tokens = append(tokens, l.Token)
			if err := r.client.Del(ctx, r.prefix+l.Token).Err(); err != nil {
				return r.explain("delete sessions", err)
			}
		}
	}
	return r.explain("delete sessions", r.relist(ctx, userID, "", time.Time{}, tokens...))
}

// listing is one element of a user's list.
type listing struct {
	Token     string  `json:"token"`
	ExpiresAt float64 `json:"expiresAt"` // milliseconds
}

// listed reads the list of a user's sessions. One that cannot be read is empty, as for Better Auth.
func (r *secondary) listed(ctx context.Context, userID string) ([]listing, error) {
	text, err := r.get(ctx, activeSessions+userID)
	if err != nil {
		return nil, err
	}
	var all []listing
	if json.Unmarshal([]byte(text), &all) != nil {
		return nil, nil
	}
	return all, nil
}

// sessions are those of the list that live.
func (r *secondary) sessions(ctx context.Context, userID string) ([]record.Session, error) {
	if userID == "" || !plain(userID) {
		return nil, nil
	}
	values, err := r.living(ctx, userID)
	if err != nil {
		return nil, r.explain("list sessions", err)
	}
	var all []record.Session
	tombstones := make(map[string]string)
	for _, v := range values {
		dead, err := r.dead(ctx, v, tombstones)
		if err != nil {
			return nil, r.explain("list sessions", err)
		}
		if s, _ := v.record(); !dead && s.UserID == userID {
			all = append(all, *s)
		}
	}
	return all, nil
}

// living are the values of the list's tokens that have not ended, once each.
func (r *secondary) living(ctx context.Context, userID string) ([]*value, error) {
	listed, err := r.listed(ctx, userID)
	if err != nil {
		return nil, err
	}
	now := float64(r.now().UnixMilli())
	seen := make(map[string]bool)
	pipe := r.client.Pipeline()
	var tokens []string
	var answers []*redis.StringCmd
	for _, l := range listed {
		if l.ExpiresAt <= now || seen[l.Token] || !ours(l.Token) {
			continue
		}
		seen[l.Token] = true
		tokens, answers = append(tokens, l.Token), append(answers, pipe.GetRange(ctx, r.prefix+l.Token, 0, longest))
	}
	if tokens == nil {
		return nil, nil
	}
	if _, err := pipe.Exec(ctx); err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return nil, err
	}
	var all []*value
	for i, answer := range answers {
		if v, ok := parse(answer.Val(), tokens[i]); ok {
			all = append(all, v)
		}
	}
	return all, nil
}

// copyUser writes a user who was changed into the values of his sessions. What an application has put beside his columns
// stays.
func (r *secondary) copyUser(ctx context.Context, u *record.User) error {
	fresh, _ := parseObject(u.AppendJSON(nil, r.store.Shape()))
	values, err := r.living(ctx, u.ID)
	for _, v := range values {
		if err != nil {
			break
		}
		if v.session.text("userId") != u.ID {
			continue
		}
		_, err = r.rewrite(ctx, v.session.text("token"), func(v *value) {
			for _, p := range fresh {
				v.user.set(p.key, p.value)
			}
		})
	}
	return r.explain("update user in his sessions", err)
}
