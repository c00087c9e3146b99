package provisioned_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
	"github.com/usherauth/usher/gate"
)

// TestNoSlugTakesThePlaceOfARefusedRow: the gate would take a slug for what was asked for, if it did not know the id.
func TestNoSlugTakesThePlaceOfARefusedRow(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d *database) {
		d.exec(t, shape)
		r := d.open(t, mapped())
		key := provision(t, r, ada()).Memberships[0].BusinessID
		d.exec(t, `delete from memberships`)
		refusing := `alter table memberships add constraint none check (role <> 'owner')`
		if d.dialect == betterauth.SQLite {
			refusing = `create trigger none before insert on memberships when new.role = 'owner' begin select raise(abort, 'none'); end`
		}
		d.exec(t, refusing)
		p := provision(t, r, ada())
		if p.Memberships[0].BusinessID != "" || p.Memberships[1].BusinessID == "" || !p.Partial {
			t.Fatalf("%+v", p)
		}
		for _, slug := range []string{key, strings.ReplaceAll(key, "-", "%2D")} {
			p = ada()
			p.Memberships[1].Slug = slug
			if err := r.Provision(t.Context(), p); !errors.Is(err, gate.ErrNotProvisioned) {
				t.Errorf("slug %q: %v, %+v", slug, err, p.Memberships)
			}
		}
	})
}
