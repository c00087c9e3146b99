package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/usherauth/usher/gate"
)

// Tag names one thing that answers depend on: a session, a user or an organization. It is the first 16 bytes of the
// SHA-256 of the kind, a colon and the name, so that it can be stored and sent where the name, which may be a session's
// token, must not. The triggers of `usher schema apply -revocation` compute the same in SQL.
type Tag [16]byte

// SessionTag is the tag of the session with this token.
func SessionTag(token string) Tag { return tag("session:", token) }

// UserTag is the tag of the user with this id.
func UserTag(id string) Tag { return tag("user:", id) }

// OrganizationTag is the tag of the organization with this id.
func OrganizationTag(id string) Tag { return tag("organization:", id) }

// KeyOf is the tag of what a credential leads to: the session with this token, or the answer about a user who was named.
// The latter is of a kind of its own, which nothing ever changes by itself: what is known of a user changes with UserTag.
func KeyOf(c gate.Credential) Tag {
	if c.Method() == gate.ByInternal {
		return tag("named:", c.Token())
	}
	return SessionTag(c.Token())
}

func tag(kind, name string) Tag {
	var room [len("organization:") + MaxToken]byte // no allocation for anything that is really asked for
	sum := sha256.Sum256(append(append(room[:0], kind...), name...))
	return Tag(sum[:16])
}

// ParseTag reads the 32 hexadecimal digits in which a tag is sent.
func ParseTag(text string) (t Tag, ok bool) {
	if len(text) != hex.EncodedLen(len(t)) {
		return Tag{}, false
	}
	_, err := hex.Decode(t[:], []byte(text))
	return t, err == nil
}

func (t Tag) String() string { return hex.EncodeToString(t[:]) }

// TagsOf are what the answer to this credential depends on: the session, its user, and every organization the user is in.
func TagsOf(c gate.Credential, p *gate.Principal) []Tag {
	tags := make([]Tag, 0, 2+len(p.Memberships))
	tags = append(tags, KeyOf(c))
	if p.User.ID != "" {
		tags = append(tags, UserTag(p.User.ID))
	}
	for i := range p.Memberships {
		tags = append(tags, OrganizationTag(p.Memberships[i].OrganizationID))
	}
	return tags
}

// Notices is where a Watcher tells what changes in a storage; a cache implements it. It is safe for concurrent use, and
// never blocks for long.
type Notices interface {
	// Changed says that what depends on one of the tags is no longer known. At is when it changed, by the storage's own
	// clock, for measuring how late the news is; zero where that is not known.
	Changed(at time.Time, tags ...Tag)

	// ChangedAll says that nothing is known any more.
	ChangedAll()

	// Complete says that every change made until then was told. It has to be said again and again, at least twice a
	// second, for silence is no proof: a connection that died tells nothing either. The first one after Incomplete
	// implies ChangedAll.
	Complete(until time.Time)

	// Incomplete says that changes may go untold from now on, and why, until the next Complete. The error is for people:
	// it says what to do, where that is known.
	Incomplete(why error)
}

// Watcher is a storage that can tell what changes in it. Watch blocks until ctx ends; whatever goes wrong meanwhile is
// told to n as Incomplete and tried again. One Watch runs at a time.
type Watcher interface {
	Watch(ctx context.Context, n Notices)
}
