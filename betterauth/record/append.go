package record

// The library writes the fields of a schema in their order, those of plugins after them, and the id last.

// AppendJSON appends u as it stands in the answers of get-session and the sign-in with an id token.
func (u *User) AppendJSON(b []byte, s Shape) []byte {
	o := open(b)
	o.text("name", u.Name)
	o.text("email", u.Email)
	o.flag("emailVerified", u.EmailVerified)
	o.textOrNull("image", u.Image)
	o.time("createdAt", u.CreatedAt)
	o.time("updatedAt", u.UpdatedAt)
	if s.Admin {
		o.textOrNull("role", u.Role)
		o.flagOrNull("banned", u.Banned)
		o.textOrNull("banReason", u.BanReason)
		o.timeOrNull("banExpires", u.BanExpires)
	}
	o.text("id", u.ID)
	return o.close()
}

// AppendJSON appends s, its token included: the session's own user may read it.
func (s *Session) AppendJSON(b []byte, shape Shape) []byte {
	o := open(b)
	o.time("expiresAt", s.ExpiresAt)
	o.text("token", s.Token)
	o.time("createdAt", s.CreatedAt)
	o.time("updatedAt", s.UpdatedAt)
	o.textOrNull("ipAddress", s.IPAddress)
	o.textOrNull("userAgent", s.UserAgent)
	o.text("userId", s.UserID)
	if shape.Organizations {
		o.textOrNull("activeOrganizationId", s.ActiveOrganizationID)
		if shape.Teams {
			o.textOrNull("activeTeamId", s.ActiveTeamID)
		}
	}
	if shape.Admin {
		o.textOrNull("impersonatedBy", s.ImpersonatedBy)
	}
	o.text("id", s.ID)
	return o.close()
}

// AppendJSON appends o with its metadata as the text it is.
func (o *Organization) AppendJSON(b []byte, _ Shape) []byte {
	w := open(b)
	o.fields(w)
	return w.close()
}

// fields are the keys of an organization, which get-full-organization follows with others.
func (o *Organization) fields(w *object) {
	w.text("name", o.Name)
	w.text("slug", o.Slug)
	w.textOrNull("logo", o.Logo)
	w.time("createdAt", o.CreatedAt)
	w.textOrNull("metadata", o.Metadata)
	w.text("id", o.ID)
}

// AppendJSON appends m without the user behind it.
func (m *Member) AppendJSON(b []byte, _ Shape) []byte {
	o := open(b)
	o.text("organizationId", m.OrganizationID)
	o.text("userId", m.UserID)
	o.text("role", m.Role)
	o.time("createdAt", m.CreatedAt)
	o.text("id", m.ID)
	return o.close()
}

// AppendJSON appends i.
func (i *Invitation) AppendJSON(b []byte, s Shape) []byte {
	o := open(b)
	o.text("organizationId", i.OrganizationID)
	o.text("email", i.Email)
	o.textOrNull("role", i.Role)
	if s.Teams {
		o.textOrNull("teamId", i.TeamID)
	}
	o.text("status", i.Status)
	o.time("expiresAt", i.ExpiresAt)
	o.time("createdAt", i.CreatedAt)
	o.text("inviterId", i.InviterID)
	o.text("id", i.ID)
	return o.close()
}

// AppendJSON appends t as get-full-organization has it, with the count that the library means to keep to itself.
func (t *Team) AppendJSON(b []byte, _ Shape) []byte {
	o := open(b)
	o.text("name", t.Name)
	if t.MemberCount != nil {
		o.number("memberCount", *t.MemberCount)
	}
	o.text("organizationId", t.OrganizationID)
	o.time("createdAt", t.CreatedAt)
	o.timeOrNull("updatedAt", t.UpdatedAt)
	o.text("id", t.ID)
	return o.close()
}
