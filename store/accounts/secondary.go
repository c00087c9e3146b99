package accounts

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/usherauth/usher/store/redisconn"
)

// secondary is Better Auth's secondary storage, written as its internal adapter (1.7.25) writes it, with one difference:
// what it reads, changes and writes back in three steps is one step here, so that two sign-ins at once both stay in the
// list, and a session that is revoked meanwhile is not brought back.
//
// Every script touches one key: the keys of a user live on several servers of a Cluster.
type secondary struct {
	client redis.UniversalClient
	prefix string
	rows   bool          // sessions are rows, too, and verifications as configured
	keeps  time.Duration // how long a revocation of all sessions is remembered
	store  *Store

	list, replace, revoke, take *redis.Script
}

const (
	activeSessions = "active-sessions-"         // + user id
	revokedBefore  = "revoked-sessions-before-" // + user id
	verifications  = "verification:"            // + identifier

	longest = 1 << 20 // bytes of a value that are read; a user's picture may be part of it, as a data URL
)

// scriptList keeps those of the list that live, without some tokens (ARGV from 4 on), and with one (ARGV 2, 3).
// ARGV 1 is now. The order of the list is Better Auth's: by end, and by arrival where that is the same.
// In the last second of the last session Better Auth drops the list already; then nothing could end that one any more.
const scriptList = `
local list = {}
local text = redis.call('GET', KEYS[1])
if text then
  local ok, value = pcall(cjson.decode, text)
  if ok and type(value) == 'table' then list = value end
end
local now, drop = tonumber(ARGV[1]), {}
for i = 4, #ARGV do drop[ARGV[i]] = true end
local kept = {}
local function keep(token, expires)
  kept[#kept + 1] = { token = token, expires = expires, place = #kept }
end
for _, s in ipairs(list) do
  if type(s) == 'table' and type(s.token) == 'string' and type(s.expiresAt) == 'number' and s.expiresAt > now and not drop[s.token] then
    keep(s.token, s.expiresAt)
  end
end
if ARGV[2] ~= '' and tonumber(ARGV[3]) > now then keep(ARGV[2], tonumber(ARGV[3])) end
table.sort(kept, function(a, b) return a.expires < b.expires or a.expires == b.expires and a.place < b.place end)
if #kept == 0 then return redis.call('DEL', KEYS[1]) end
local ttl = math.max(1, math.floor((kept[#kept].expires - now) / 1000))
local parts = {}
for i, s in ipairs(kept) do
  parts[i] = '{"token":' .. cjson.encode(s.token) .. ',"expiresAt":' .. string.format('%.0f', s.expires) .. '}'
end
redis.call('SETEX', KEYS[1], ttl, '[' .. table.concat(parts, ',') .. ']')
return #kept`

// scriptReplace writes a value in the place of the one that it was made from.
const scriptReplace = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SETEX', KEYS[1], ARGV[3], ARGV[2])
return 1`

// scriptRevoke moves a tombstone forward, never back.
const scriptRevoke = `
local before = tonumber(redis.call('GET', KEYS[1]) or '') or 0
redis.call('SETEX', KEYS[1], ARGV[2], string.format('%.0f', math.max(before, tonumber(ARGV[1]))))
return 1`

// scriptTake is GETDEL, which servers before 6.2 have not.
const scriptTake = `
local value = redis.call('GET', KEYS[1])
if value then redis.call('DEL', KEYS[1]) end
return value`

func openSecondary(ctx context.Context, s *Store) (*secondary, error) {
	c := s.config.Redis
	client, err := redisconn.Open(c.URL, redisconn.Options{Conns: c.Conns})
	if err != nil {
		return nil, fmt.Errorf("secondary storage: %w", err)
	}
	expires := c.SessionExpiresIn
	if expires <= 0 {
		expires = 7 * 24 * time.Hour
	}
	r := &secondary{
		client: client, prefix: c.Prefix, rows: s.config.sessionRows(), store: s,
		keeps: max(expires, 24*time.Hour, c.ImpersonationSessionDuration),
		list:  redis.NewScript(scriptList), replace: redis.NewScript(scriptReplace),
		revoke: redis.NewScript(scriptRevoke), take: redis.NewScript(scriptTake),
	}
	if err := r.try(ctx); err != nil {
		_ = client.Close()
		return nil, err
	}
	return r, nil
}

// try writes a key that nobody asks for, and takes it away.
func (r *secondary) try(ctx context.Context) error {
	key := r.prefix + verifications + "usher-probe-" + rand.Text()
	err := r.client.SetEx(ctx, key, "probe", time.Second).Err()
	if err == nil {
		_, err = r.take.Run(ctx, r.client, []string{key}).Text()
	}
	if errors.Is(err, redis.Nil) {
		err = nil // slower than a second
	}
	return r.explain("try to write", err)
}

// explain gives an error its words.
func (r *secondary) explain(what string, err error) error {
	if err == nil {
		return nil
	}
	if remedy := redisconn.Remedy(err); remedy != "" {
		err = fmt.Errorf("%w: %s", err, remedy)
		if redis.HasErrorPrefix(err, "NOPERM") {
			err = fmt.Errorf("%w; it takes ~%s* +get +getrange +setex +del +eval +evalsha", err, r.prefix)
		}
	}
	return fmt.Errorf("secondary storage: %s: %w", what, err)
}

// get reads the string at a key; empty: there is none.
func (r *secondary) get(ctx context.Context, key string) (string, error) {
	value, err := r.client.GetRange(ctx, r.prefix+key, 0, longest).Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		return "\x00", nil // nothing that Better Auth wrote: it is there, and says nothing
	}
	return value, err
}

func (r *secondary) now() time.Time { return r.store.now() }

// seconds is how long a key lives that has to end with something; 0 where it has ended.
func (r *secondary) seconds(end time.Time) int64 {
	return max(0, (end.UnixMilli()-r.now().UnixMilli())/1000)
}

// relist changes the list of a user's sessions: add is a token that it is to have until end, or empty.
func (r *secondary) relist(ctx context.Context, userID, add string, end time.Time, drop ...string) error {
	arguments := []any{r.now().UnixMilli(), add, end.UnixMilli()}
	for _, token := range drop {
		arguments = append(arguments, token)
	}
	return r.list.Run(ctx, r.client, []string{r.prefix + activeSessions + userID}, arguments...).Err()
}

// attemptsToReplace bounds how often a value is changed anew because somebody else has changed it meanwhile.
const attemptsToReplace = 20

var errContended = errors.New("somebody else changes the value all the time")

// rewrite changes the value of a session's key. False: there is none.
func (r *secondary) rewrite(ctx context.Context, token string, change func(*value)) (*value, error) {
	for range attemptsToReplace {
		text, err := r.get(ctx, token)
		if err != nil {
			return nil, err
		}
		v, ok := parse(text, token)
		if !ok {
			return nil, nil
		}
		change(v)
		ttl := r.seconds(v.session.instant("expiresAt"))
		if ttl == 0 {
			return v, nil // it ends by itself
		}
		done, err := r.replace.Run(ctx, r.client, []string{r.prefix + token}, text, string(v.appendJSON(nil)), ttl).Int()
		if err != nil {
			return nil, err
		}
		if done == 1 {
			return v, nil
		}
	}
	return nil, errContended
}
