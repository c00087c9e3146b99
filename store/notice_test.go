package store_test

import (
	"strings"
	"testing"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store"
)

func TestTags(t *testing.T) {
	// printf 'session:%s' Abc | sha256sum | cut -c 1-32, and so on: SQL has to compute the same.
	for want, got := range map[string]store.Tag{
		"4d7e9bf9b220104d34442cab88ab6d32": store.SessionTag("Abc"), "844825678aa3bbc343efbde878f6b81a": store.UserTag("Abc"), "407dcdf776ebd10a6937d07154231f0e": store.OrganizationTag("Abc"),
	} {
		if got.String() != want {
			t.Errorf("%s, want %s", got, want)
		}
		if back, ok := store.ParseTag(want); !ok || back != got {
			t.Errorf("%s is read as %s, %v", want, back, ok)
		}
	}
	for _, bad := range []string{"", "00", strings.Repeat("g", 32), strings.Repeat("0", 33), strings.Repeat("0", 64)} {
		if _, ok := store.ParseTag(bad); ok {
			t.Errorf("%q is read as a tag", bad)
		}
	}
	if n := testing.AllocsPerRun(100, func() { store.SessionTag("CfGKi167y3hW3FhSqs998axwsNhZgpBx") }); n != 0 {
		t.Errorf("the tag of an ordinary token: %v allocations", n)
	}
}

func TestTagsOf(t *testing.T) {
	p := &gate.Principal{User: gate.User{ID: "u"}, Memberships: []gate.Membership{{OrganizationID: "a"}, {OrganizationID: "b"}}}
	got := store.TagsOf(gate.Proven(gate.ByCookie, "t"), p)
	want := []store.Tag{store.SessionTag("t"), store.UserTag("u"), store.OrganizationTag("a"), store.OrganizationTag("b")}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("tag %d: %s, want %s", i, got[i], want[i])
		}
	}
	if got := store.TagsOf(gate.Proven(gate.ByBearer, "t"), &gate.Principal{}); len(got) != 1 {
		t.Errorf("a session without user: %v", got)
	}
}
