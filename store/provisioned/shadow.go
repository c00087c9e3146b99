package provisioned

import "net/url"

// shadowed says that somebody who asks for an organization by its business id would be taken to another: the rows of the one
// are refused, so that the gate is not told its id, and the other has it for a slug. People choose slugs.
func (w *work) shadowed() error {
	for id := range w.refused {
		key := w.keys[id]
		if key == "" {
			continue // nobody knows it, so nobody asks for it
		}
		for i := range w.p.Memberships {
			if slug := w.p.Memberships[i].Slug; slug == key || unescaped(slug) == key {
				return refuse("an organization's slug is the business id of another, the rows of which are refused")
			}
		}
	}
	return nil
}

func unescaped(slug string) string {
	if text, err := url.PathUnescape(slug); err == nil {
		return text
	}
	return slug
}
