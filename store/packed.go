package store

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/usherauth/usher/gate"
)

// A packed principal is one string without pointers, so that a cache may keep a million of them where the garbage collector
// does not look, or send them to Redis. It is, in this order:
//
//	version, flags                 1 byte each
//	created, expires, banExpires   seconds since 1970 (8 bytes) and nanoseconds (4), big-endian; the last one by flag
//	memberships, teams, texts      counts of all of them, and bytes of all texts together
//	lengths                        of the texts, in the order of the struct: session, user, memberships with their teams;
//	                               by flag, the user's and each membership's business id after their roles
//	texts                          one after the other
//
// Counts and lengths are unsigned varints. A membership's teams are preceded by their number. The length of the active
// organization is doubled; an odd number is the membership that holds the same id, doubled, plus one.
const packedVersion = 1

const (
	packedVerified = 1 << iota
	packedBanned
	packedBanExpires
	packedPlain
	packedBusiness               // somebody or something has a business row
	packedFlags    = 1<<iota - 1 // all of them
)

const (
	packedTime      = 12 // bytes of an instant
	leastMembership = 5  // bytes of lengths: four texts and the number of teams
)

// The errors of Unpack. Neither says anything about the content.
var (
	errPackedVersion = errors.New("store: packed by another version of usher")
	errPacked        = errors.New("store: not a packed principal")
)

// Pack writes a principal as one string. Its Plain is found out anew, whatever p says.
func Pack(p *gate.Principal) string {
	var room [512]byte
	return string(AppendPacked(room[:0], p))
}

// AppendPacked appends what Pack makes to b.
func AppendPacked(b []byte, p *gate.Principal) []byte {
	flags, plain, size, teams := byte(0), true, 0, 0
	same := -1 // the membership whose id is that of the active organization
	business := p.User.BusinessID != ""
	for text := range texts(p) {
		plain = plain && isPlain(text)
		size += len(text)
	}
	for i := range p.Memberships {
		business = business || p.Memberships[i].BusinessID != ""
		teams += len(p.Memberships[i].Teams)
		if same < 0 && p.Session.ActiveOrganization != "" && p.Memberships[i].OrganizationID == p.Session.ActiveOrganization {
			same = i
			size -= len(p.Session.ActiveOrganization)
		}
	}
	set := func(flag byte, on bool) {
		if on {
			flags |= flag
		}
	}
	set(packedVerified, p.User.EmailVerified)
	set(packedBanned, p.User.Banned)
	set(packedBanExpires, !p.User.BanExpires.IsZero())
	set(packedPlain, plain)
	set(packedBusiness, business)

	b = append(b, packedVersion, flags)
	b = appendTime(appendTime(b, p.Session.CreatedAt), p.Session.ExpiresAt)
	if flags&packedBanExpires != 0 {
		b = appendTime(b, p.User.BanExpires)
	}
	number := func(n int) { b = binary.AppendUvarint(b, uint64(n)) }
	number(len(p.Memberships))
	number(teams)
	number(size)
	number(len(p.Session.ID))
	if same >= 0 {
		number(same<<1 | 1)
	} else {
		number(len(p.Session.ActiveOrganization) << 1)
	}
	for _, text := range [...]string{
		p.Session.ActiveTeam, p.Session.ImpersonatedBy, p.User.ID, p.User.Name, p.User.Email, string(p.User.Roles),
	} {
		number(len(text))
	}
	if business {
		number(len(p.User.BusinessID))
	}
	for i := range p.Memberships {
		m := &p.Memberships[i]
		for _, text := range [...]string{m.OrganizationID, m.Slug, m.Name, string(m.Roles)} {
			number(len(text))
		}
		if business {
			number(len(m.BusinessID))
		}
		number(len(m.Teams))
		for _, team := range m.Teams {
			number(len(team))
		}
	}
	i := 0
	for text := range texts(p) {
		if i != 1 || same < 0 { // the second is the active organization
			b = append(b, text...)
		}
		i++
	}
	return b
}

// texts are all texts of a principal, in the order in which they are packed.
func texts(p *gate.Principal) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for _, text := range [...]string{
			p.Session.ID, p.Session.ActiveOrganization, p.Session.ActiveTeam, p.Session.ImpersonatedBy,
			p.User.ID, p.User.Name, p.User.Email, string(p.User.Roles), p.User.BusinessID,
		} {
			if !yield(text) {
				return
			}
		}
		for i := range p.Memberships {
			m := &p.Memberships[i]
			for _, text := range [...]string{m.OrganizationID, m.Slug, m.Name, string(m.Roles), m.BusinessID} {
				if !yield(text) {
					return
				}
			}
			for _, team := range m.Teams {
				if !yield(team) {
					return
				}
			}
		}
	}
}

func appendTime(b []byte, t time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(t.Unix()))
	return binary.BigEndian.AppendUint32(b, uint32(t.Nanosecond())) //nolint:gosec // below a billion
}

// isPlain reports whether gate.Headers.Value leaves a text as it is.
func isPlain(text string) bool {
	return text == "" || text[0] != ' ' && text[len(text)-1] != ' ' && printable(text)
}

// printable reports whether all bytes are printable ASCII other than "%", eight at a time: it is asked about all texts
// of a principal on every answer from memory.
func printable(text string) bool {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	odd := uint64(0)
	for len(text) >= 8 {
		w := word(text)
		// The high bit of a byte is set where it is not ASCII, or DEL, or below the space, or "%". A carry or a borrow may
		// set more of them, but only next to one that is rightly set.
		odd |= w | (w + ones) | (w - ' '*ones) | ((w ^ '%'*ones) - ones)
		text = text[8:]
	}
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '%' {
			return false
		}
	}
	return odd&highs == 0
}

func word(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// Unpack reads what Pack wrote, in one allocation for up to four memberships without teams: its texts are parts of the
// packed string. Times come back in UTC. Anything else than a packed principal is an error: the string may come from
// a cache that others can write to, so nothing in it is believed, Plain included.
func Unpack(packed string) (*gate.Principal, error) {
	if packed == "" {
		return nil, errPacked
	}
	if packed[0] != packedVersion {
		return nil, errPackedVersion
	}
	u := unpacker{packed: packed, at: 1}
	flags := u.byte()
	u.plain = flags&packedPlain != 0
	created, expires := u.time(), u.time()
	var banExpires time.Time
	if flags&packedBanExpires != 0 {
		banExpires = u.time()
	}
	memberships, teams, size := u.number(), u.number(), u.number()
	if u.bad || flags&^packedFlags != 0 || size > len(packed)-u.at {
		return nil, errPacked
	}
	u.text = len(packed) - size
	u.lengths = u.text
	if u.plain && !printable(packed[u.text:]) ||
		memberships > (u.text-u.at)/leastMembership || teams > u.text-u.at { // before there is room made for them
		return nil, errPacked
	}

	p := newPrincipal(memberships)
	p.Plain = u.plain
	s, user := &p.Session, &p.User
	s.CreatedAt, s.ExpiresAt, user.BanExpires = created, expires, banExpires
	user.EmailVerified, user.Banned = flags&packedVerified != 0, flags&packedBanned != 0
	s.ID = u.next()
	active := u.number()
	if active&1 == 0 {
		s.ActiveOrganization = u.cut(active >> 1)
	}
	s.ActiveTeam, s.ImpersonatedBy = u.next(), u.next()
	user.ID, user.Name, user.Email, user.Roles = u.next(), u.next(), u.next(), gate.Roles(u.next())
	business := flags&packedBusiness != 0
	if business {
		user.BusinessID = u.next()
	}
	var room []string
	if teams > 0 {
		room = make([]string, 0, teams)
	}
	for i := range p.Memberships {
		m := &p.Memberships[i]
		m.OrganizationID, m.Slug, m.Name, m.Roles = u.next(), u.next(), u.next(), gate.Roles(u.next())
		if business {
			m.BusinessID = u.next()
		}
		if n := u.number(); n > 0 {
			if n > cap(room)-len(room) {
				return nil, errPacked
			}
			first := len(room)
			for range n {
				room = append(room, u.next())
			}
			m.Teams = room[first:len(room):len(room)]
		}
	}
	if active&1 != 0 {
		if active>>1 >= memberships {
			return nil, errPacked
		}
		s.ActiveOrganization = p.Memberships[active>>1].OrganizationID
	}
	if u.bad || u.at != u.lengths || u.text != len(packed) || len(room) != teams {
		return nil, errPacked
	}
	return p, nil
}

// newPrincipal makes room for a principal and its memberships in one piece, where they are as few as usual.
func newPrincipal(memberships int) *gate.Principal {
	switch memberships {
	case 0:
		return new(gate.Principal)
	case 1:
		one := new(struct {
			gate.Principal
			room [1]gate.Membership
		})
		one.Memberships = one.room[:]
		return &one.Principal
	case 2, 3, 4:
		few := new(struct {
			gate.Principal
			room [4]gate.Membership
		})
		few.Memberships = few.room[:memberships:memberships]
		return &few.Principal
	default:
		return &gate.Principal{Memberships: make([]gate.Membership, memberships)}
	}
}

// unpacker reads a packed principal. What is missing or wrong sets bad and reads as nothing.
type unpacker struct {
	packed  string
	at      int // of what is read next
	lengths int // where they end
	text    int // where the next text begins
	plain   bool
	bad     bool
}

func (u *unpacker) byte() byte {
	if u.at >= len(u.packed) {
		u.bad = true
		return 0
	}
	u.at++
	return u.packed[u.at-1]
}

func (u *unpacker) time() time.Time {
	if len(u.packed)-u.at < packedTime {
		u.bad = true
		return time.Time{}
	}
	s := u.packed[u.at : u.at+packedTime]
	u.at += packedTime
	nanoseconds := uint32(s[11]) | uint32(s[10])<<8 | uint32(s[9])<<16 | uint32(s[8])<<24
	if nanoseconds >= 1e9 {
		u.bad = true
	}
	seconds := uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
		uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
	return time.Unix(int64(seconds), int64(nanoseconds)).UTC() //nolint:gosec // the same bits as they were packed
}

// number reads a count or a length.
func (u *unpacker) number() int {
	if u.at < len(u.packed) && u.packed[u.at] < 0x80 {
		u.at++
		return int(u.packed[u.at-1])
	}
	return u.longNumber()
}

// longNumber reads one of several bytes; more than four would be longer than any string here.
func (u *unpacker) longNumber() int {
	n := 0
	for shift := 0; shift < 28; shift += 7 {
		c := u.byte()
		n |= int(c&0x7f) << shift
		if c < 0x80 {
			return n
		}
	}
	u.bad = true
	return 0
}

// next is the text whose length is read next.
func (u *unpacker) next() string { return u.cut(u.number()) }

// cut is the next text, of n bytes.
func (u *unpacker) cut(n int) string {
	if n == 0 {
		return ""
	}
	if n > len(u.packed)-u.text || u.bad {
		u.bad = true
		return ""
	}
	text := u.packed[u.text : u.text+n]
	u.text += n
	if u.plain && (text[0] == ' ' || text[n-1] == ' ') {
		u.bad = true
	}
	return text
}
