package gate

import "slices"

// Business says which business rows a backend relies on. Without the row nobody passes: the backend could not say whose
// request it is, and might make up somebody.
type Business struct {
	Users         bool // everybody has one
	Organizations bool // and so has the organization a request acts under
}

// served reports whether the rows are there. Otherwise the decision becomes that it could not be found out.
func (b Business) served(r *Request, d *Decision) bool {
	switch {
	case d.Principal == nil:
		return true
	case b.Users && d.Principal.User.BusinessID == "":
		r.trace("business", "the user has no row")
	case b.Organizations && d.Membership != nil && d.Membership.BusinessID == "":
		r.trace("business", "the organization has no row")
	default:
		return true
	}
	d.Verdict, d.Reason, d.Err = Unavailable, ProvisionFailed, ErrNotProvisioned
	return false
}

// notChosen is the answer where no organization was. What was asked for may be the business id of one whose row could not be
// had this time: then nobody can say that the user is no member of it.
func (g *Gate) notChosen(r *Request, d Decision, why Reason) Decision {
	if why != NotAMember || !g.config.Headers.business.Organizations ||
		!slices.ContainsFunc(d.Principal.Memberships, func(m Membership) bool { return m.BusinessID == "" }) {
		return deny(d, why)
	}
	r.trace("business", "an organization has no row, and this may be its id")
	d.Verdict, d.Reason, d.Err = Unavailable, ProvisionFailed, ErrNotProvisioned
	return d
}
