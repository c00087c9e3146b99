package config

import (
	"slices"
	"strings"
	"testing"

	"github.com/usherauth/usher/betterauth"
)

// betterauth knows the tables; the list here only gives its refusals a place. Both must know the same.
func TestTheTablesAreThoseOfBetterAuth(t *testing.T) {
	all := betterauth.Tables{Models: make(map[string]betterauth.Rename)}
	var names []string
	for _, model := range (&Tables{}).Models() {
		fields := make(map[string]string)
		for _, field := range model.fields {
			fields[field] = "column_" + field
		}
		table := Table{ModelName: "x", Fields: fields}
		all.Models[model.Name] = betterauth.Rename(table) // as internal/boot does it
		names = append(names, model.Name)
		if got := knownTo(t, betterauth.Tables{Models: map[string]betterauth.Rename{model.Name: {Fields: map[string]string{"?": "x"}}}}); !equal(got, model.fields) {
			t.Errorf("%s: betterauth knows %v, config %v", model.Name, got, model.fields)
		}
	}
	if err := all.Validate(); err != nil {
		t.Error(err)
	}
	if got := knownTo(t, betterauth.Tables{Models: map[string]betterauth.Rename{"?": {}}}); !equal(got, names) {
		t.Errorf("betterauth knows %v, config %v", got, names)
	}
	if err := (betterauth.Tables{Preset: strings.TrimPrefix(presetWords, ",")}).Validate(); err != nil {
		t.Error(err)
	}
}

// knownTo is what a refusal lists.
func knownTo(t *testing.T, tables betterauth.Tables) []string {
	t.Helper()
	err := tables.Validate()
	if err == nil {
		t.Fatal("betterauth takes ? for a name")
	}
	_, list, found := strings.Cut(err.Error(), "there are ")
	if !found {
		t.Fatalf("betterauth lists no names: %v", err)
	}
	return strings.Split(list, ", ")
}

func equal(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
