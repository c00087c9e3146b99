package config

import (
	_ "embed"
	"slices"
)

//go:embed schema.json
var schema []byte

// Schema is the JSON Schema (draft 2020-12) of usher.yaml, for editors. It is made from the structs and kept true by a
// test.
func Schema() []byte { return slices.Clone(schema) }
