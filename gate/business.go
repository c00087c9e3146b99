package gate

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
