package provisioned_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/usherauth/usher/gate"
	"github.com/usherauth/usher/store/provisioned"
)

// TestAThousandFirstRequestsMakeOneRow: several replicas, each with many requests at once, of one user who is new and of
// others who are new in the same organizations.
func TestAThousandFirstRequestsMakeOneRow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		var seen events
		c := mapped()
		c.Observe = seen.observe
		var replicas []*provisioned.Rows
		for range 4 {
			replicas = append(replicas, d.open(t, c))
		}
		var mu sync.Mutex
		keys := make(map[string]map[string]bool)
		note := func(of, key string) {
			mu.Lock()
			defer mu.Unlock()
			if keys[of] == nil {
				keys[of] = make(map[string]bool)
			}
			keys[of][key] = true
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		together(1000, func(i int) {
			p := ada()
			if i%10 == 0 {
				p.User.ID = fmt.Sprint("other", i)
			}
			if i%2 == 0 {
				p.Memberships[0], p.Memberships[1] = p.Memberships[1], p.Memberships[0]
			}
			if err := replicas[i%len(replicas)].Provision(ctx, p); err != nil {
				t.Error(err)
				return
			}
			if p.Partial {
				t.Error("partial")
			}
			note(p.User.ID, p.User.BusinessID)
			for _, m := range p.Memberships {
				note(m.OrganizationID, m.BusinessID)
			}
		})
		for of, different := range keys {
			if len(different) != 1 || different[""] {
				t.Errorf("%s has the keys %v", of, different)
			}
		}
		d.is(t, "select count(*), count(distinct auth_id) from users", "101|101")
		d.is(t, "select count(*) from organizations", "2")
		d.is(t, "select count(*) from memberships", "202")
		made := make(map[string]int)
		for _, e := range seen.all {
			made[fmt.Sprint(e.Table, " ", e.Kind)] += e.Rows
		}
		if len(made) != 3 || made["users made"] != 101 || made["organizations made"] != 2 || made["memberships made"] != 202 {
			t.Errorf("observed %v", made)
		}
	})
}

// TestManyOrganizations: what a user of a thousand costs, and that those who make the same at the same time do not keep each
// other waiting for ever.
func TestManyOrganizations(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		replicas := []*provisioned.Rows{d.open(t, mapped()), d.open(t, mapped())}
		principals := make([]*gate.Principal, 8)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		together(len(principals), func(i int) {
			p := ada()
			p.User.ID = fmt.Sprint("member", i)
			p.Memberships = nil
			for n := range 300 {
				if i%2 == 0 {
					n = 299 - n
				}
				p.Memberships = append(p.Memberships, gate.Membership{OrganizationID: fmt.Sprint("o", n), Name: "O", Roles: "member"})
			}
			if err := replicas[i%2].Provision(ctx, p); err != nil || p.Partial {
				t.Error(err, p.Partial)
			}
			principals[i] = p
		})
		d.is(t, "select count(*) from organizations", "300")
		d.is(t, "select count(*) from memberships", "2400")
		if a, b := principals[0].Memberships[0].BusinessID, principals[1].Memberships[299].BusinessID; a != b || a == "" {
			t.Errorf("o299 is %s and %s", a, b)
		}
	})
}
