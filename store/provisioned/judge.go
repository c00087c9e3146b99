package provisioned

import (
	"context"

	"github.com/usherauth/usher/store"
)

// judge says what is wrong with the mapping.
func (r *Rows) judge(ctx context.Context) ([]store.Finding, error) {
	if err := r.Ping(ctx); err != nil {
		if _, refused := err.(*refusal); refused {
			return []store.Finding{{Note: err.Error()}}, nil
		}
		return nil, err
	}
	return nil, nil
}

// describe is a finding as a sentence.
func describe(f store.Finding) string {
	switch {
	case f.Table == "":
		return f.Note
	case f.Column == "":
		return "table " + f.Table + ": " + f.Note
	default:
		return "table " + f.Table + ", column " + f.Column + ": " + f.Note
	}
}
