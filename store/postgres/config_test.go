package postgres

import (
	"strings"
	"testing"
)

// FuzzURL: whatever somebody forgot to percent-encode in a password, no part of it is taken for the host or the database,
// which errors name, and no error quotes it.
func FuzzURL(f *testing.F) {
	for _, password := range []string{
		"secret-word", "p@ssword", "pass/word", "pass?word=1", "pass#word", "pass:word", "pa%ssword", "pass%77ord", "[::1]:word", "a,b,c,d,e", "1234/word", "\x00word",
		"user@host,other", "pässwörd", "word&password=other", "pass word\n",
	} {
		f.Add(password)
	}
	f.Fuzz(func(t *testing.T, password string) {
		config, err := Config{URL: "postgres://u:" + password + "@127.0.0.1:5432/db"}.pool()
		switch {
		case err == nil && (config.ConnConfig.Host != "127.0.0.1" || config.ConnConfig.Database != "db" || config.ConnConfig.Port != 5432):
			t.Errorf("%q: connects to %s:%d, database %s", password, config.ConnConfig.Host, config.ConnConfig.Port, config.ConnConfig.Database)
		case err != nil && len(password) > 6 && !strings.Contains(errURL.Error(), password) && strings.Contains(err.Error(), password):
			t.Errorf("%q: %v", password, err)
		}
	})
}
