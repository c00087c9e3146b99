package cached

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

// record is one answer as it is kept, without pointers, and never changed once it is made:
//
//	began    6 bytes  number of the latest notice when the lookup began: a million a second, for nine years
//	places   2 bytes  how many there are
//	loaded   8 bytes  when it began, as Cache.since
//	ends     8 bytes  when the session ends, in nanoseconds since 1970: see endOf
//	         3 bytes  for each place, what the answer depends on
//	packed            the principal; empty: nobody
//
// All numbers are little-endian.
type record []byte

const recordHead = 24

// ordinary is how many bytes of a record are few. People name themselves and their organizations, at any length, and may
// sign in as often as they like: what they fill with it must not grow with the names, so arena.Weight makes one that is
// longer count as several.
const ordinary = 1 << 10

// mostPlaces is how many a record has room for. Stores answer with store.MaxMemberships at most.
const mostPlaces = math.MaxUint16

// newRecord makes the record of a lookup that began at that number and time. Without principal it says "nobody".
func newRecord(began uint64, loaded, ends int64, at []place, p *gate.Principal) record {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, ordinary/2), began)[:6]
	b = binary.LittleEndian.AppendUint16(b, uint16(len(at))) //nolint:gosec // mostPlaces
	b = binary.LittleEndian.AppendUint64(b, uint64(loaded))  //nolint:gosec // the same bits come back
	b = binary.LittleEndian.AppendUint64(b, uint64(ends))    //nolint:gosec // the same bits come back
	for _, place := range at {
		b = append(b, byte(place), byte(place>>8), byte(place>>16))
	}
	if p != nil {
		b = store.AppendPacked(b, p)
	}
	return b
}

// endOf is when an answer is over by itself, in nanoseconds since 1970: with the session, and never where a user was named.
// It is the credential that tells, for a session without an end is one that has ended. What was found of somebody who is
// banned may be less than what he needs to pass, a business row for one, so it is over with the ban, too.
func endOf(c gate.Credential, p *gate.Principal, began time.Time) int64 {
	end := int64(math.MaxInt64)
	if c.Method() != gate.ByInternal {
		end = nanoseconds(p.Session.ExpiresAt)
	}
	if p.User.Banned && p.User.BanExpires.After(began) {
		end = min(end, nanoseconds(p.User.BanExpires))
	}
	return end
}

// nanoseconds since 1970, or as many as there can be: sessions may end in the year 9999.
func nanoseconds(t time.Time) int64 {
	switch seconds := t.Unix(); {
	case seconds > math.MaxInt64/int64(time.Second)-1:
		return math.MaxInt64
	case seconds < math.MinInt64/int64(time.Second)+1:
		return math.MinInt64
	default:
		return t.UnixNano()
	}
}

func (r record) began() uint64 { return binary.LittleEndian.Uint64(r) << 16 >> 16 }
func (r record) loaded() int64 { return int64(binary.LittleEndian.Uint64(r[8:])) }  //nolint:gosec // as it was written
func (r record) ends() int64   { return int64(binary.LittleEndian.Uint64(r[16:])) } //nolint:gosec // as it was written
func (r record) places() int   { return int(binary.LittleEndian.Uint16(r[6:])) }

// packed is the principal; empty: nobody.
func (r record) packed() []byte { return r[recordHead+3*r.places():] }

// counts reports whether an answer is young enough and nothing it depends on has changed.
func (r record) counts(m *marks, since int64, limit time.Duration) bool {
	age := since - r.loaded()
	return age >= 0 && age < int64(limit) && !r.changed(m)
}

// changed reports whether anything the answer depends on changed since its lookup began.
func (r record) changed(m *marks) bool {
	began := r.began()
	if m.all.Load() > began {
		return true
	}
	for i := range r.places() {
		at := r[recordHead+3*i:]
		if m.changedAt(place(at[0])|place(at[1])<<8|place(at[2])<<16, began) {
			return true
		}
	}
	return false
}
