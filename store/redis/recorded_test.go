package redis_test

import (
	_ "embed"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/gate/gatetest"
	"github.com/usherauth/usher/internal/testenv"
	"github.com/usherauth/usher/store/redis"
)

//go:embed testdata/recorded.json
var recorded []byte

// written is the value of a session as the recording holds it.
type written struct {
	Session struct {
		ID, UserID, ActiveOrganizationID, ActiveTeamID, ImpersonatedBy string
		CreatedAt, ExpiresAt                                           time.Time
	}
	User struct {
		ID, Name, Email, Role string
		EmailVerified, Banned bool
	}
}

func (w written) principal() *gate.Principal {
	s, u := w.Session, w.User
	return &gate.Principal{
		Session: gate.Session{
			ID: s.ID, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt,
			ActiveOrganization: s.ActiveOrganizationID, ActiveTeam: s.ActiveTeamID, ImpersonatedBy: s.ImpersonatedBy,
		},
		User: gate.User{ID: u.ID, Name: u.Name, Email: u.Email, EmailVerified: u.EmailVerified, Roles: gate.Roles(u.Role), Banned: u.Banned},
	}
}

// TestRecorded replays what Better Auth did to Redis and the session table, in all modes. After each step, every session
// that ever was is as alive as Better Auth's own rule has it.
func TestRecorded(t *testing.T) {
	t.Parallel()
	var recording struct {
		Modes []struct {
			Name, Prefix    string
			Store, Preserve bool
			Steps           []struct {
				Step    string
				Changes map[string]*string
				Rows    []string
			}
		}
	}
	if err := json.Unmarshal(recorded, &recording); err != nil {
		t.Fatal(err)
	}
	if len(recording.Modes) != 4 {
		t.Fatalf("%d modes", len(recording.Modes))
	}
	for _, mode := range recording.Modes {
		t.Run(mode.Name, func(t *testing.T) {
			t.Parallel()
			server := testenv.StartRedis(t)
			row := &gate.Principal{Session: gate.Session{ID: "of a row"}, User: gate.User{ID: "u"}}
			rows := make(map[string]*gate.Principal)
			s := open(t, redis.Config{
				URL: server.URL(), Prefix: mode.Prefix, Fallback: gatetest.NewResolver(rows),
				StoreSessionInDatabase: mode.Store, PreserveSessionInDatabase: mode.Preserve,
			})
			alive := make(map[string]string) // value by token
			ever := make(map[string]bool)
			for _, step := range mode.Steps {
				for key, value := range step.Changes {
					name, ours := strings.CutPrefix(key, mode.Prefix)
					if !ours {
						t.Fatalf("key %q", key)
					}
					if value == nil {
						server.Call(t, "DEL", key)
						delete(alive, name)
						continue
					}
					server.Call(t, "SET", key, *value)
					if len(name) == 32 {
						alive[name], ever[name] = *value, true
					}
				}
				clear(rows)
				for _, token := range step.Rows {
					rows[token] = row
				}
				for token := range ever {
					value, there := alive[token]
					switch {
					case there:
						var want written
						if err := json.Unmarshal([]byte(value), &want); err != nil {
							t.Fatal(err)
						}
						same(t, resolve(t, s, token), want.principal())
					case mode.Store && !mode.Preserve && rows[token] != nil:
						same(t, resolve(t, s, token), row)
					default:
						nobody(t, s, token)
					}
				}
				if t.Failed() {
					t.Fatalf("after %q", step.Step)
				}
			}
			if len(ever) < 5 {
				t.Errorf("%d sessions in the recording", len(ever))
			}
		})
	}
}
