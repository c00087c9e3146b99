package account

import (
	"context"
	"net/http"
	"strings"

	"github.com/usherauth/usher/betterauth/record"
	"github.com/usherauth/usher/oauth/endpoint"
	"github.com/usherauth/usher/store/accounts"
)

var anything = &endpoint.Object{Record: true}

// updateUser changes somebody's own name and picture, and nothing else: an address is what accounts are linked by, and
// what the admin plugin keeps of a user is not theirs to say.
func (rm *Room) updateUser(c *endpoint.Call) error {
	body, err := c.Body(anything)
	if err != nil {
		return err
	}
	s, u, err := c.Need()
	if err != nil {
		return err
	}
	change, err := rm.change(body)
	if err != nil {
		return err
	}
	if _, err := rm.config.Store.UpdateUser(c.R.Context(), u.ID, change, c.Now); err != nil {
		return err
	}
	rm.forget(c, s)
	c.SetSession(s.Token, !c.DontRemember())
	return c.JSON(http.StatusOK, []byte(`{"status":true}`))
}

// change is what a body asks for. Members that are neither are left alone, as the library leaves those alone that no
// plugin of it knows.
func (rm *Room) change(body endpoint.Values) (accounts.UserChange, error) {
	var change accounts.UserChange
	if body.True("email") {
		return change, refused("EMAIL_CAN_NOT_BE_UPDATED", "Email can not be updated")
	}
	if rm.config.Shape.Admin {
		for _, field := range []string{"role", "banned", "banReason", "banExpires"} {
			if body.True(field) {
				return change, refused("FIELD_NOT_ALLOWED", field+" is not allowed to be set")
			}
		}
	}
	name, image := body.Value("name").Kind(), body.Value("image").Kind()
	switch {
	case name == endpoint.Undefined && image == endpoint.Undefined:
		return change, refused("", "No fields to update")
	case name != endpoint.Undefined && name != endpoint.String:
		return change, notText("name", name)
	case image != endpoint.Undefined && image != endpoint.String && image != endpoint.Null:
		return change, notText("image", image)
	case strings.ContainsRune(body.Text("name")+body.Text("image"), 0): // no PostgreSQL text can hold it
		return change, refused("VALIDATION_ERROR", "[body] Invalid input")
	}
	change.Name = body.TextOrNil("name")
	if image != endpoint.Undefined {
		picture := body.TextOrNil("image")
		change.Image = &picture
	}
	return change, nil
}

// notText refuses what the library hands to its database, which makes a text of it or fails.
func notText(field string, got endpoint.Kind) error {
	return refused("VALIDATION_ERROR", "[body."+field+"] Invalid input: expected string, received "+string(got))
}

// forget has every session of a user forgotten: all of them carry the name.
func (rm *Room) forget(c *endpoint.Call, own *record.Session) {
	ctx := context.WithoutCancel(c.R.Context())
	all, err := rm.config.Store.SessionsOf(ctx, own.UserID)
	if err != nil {
		c.Log.WarnContext(ctx, "sign-in server: other sessions of a changed user may be remembered for a while", "error", err)
	}
	rm.config.Forget(own.Token)
	for i := range all {
		if all[i].Token != own.Token {
			rm.config.Forget(all[i].Token)
		}
	}
}
