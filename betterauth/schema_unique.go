package betterauth

import (
	"fmt"
	"strings"
)

// contradicted are the rows that keep a unique index from being made. Rows with a NULL contradict nothing.
func (s *Statement) contradicted() (table, where, columns string) {
	quoted := make([]string, len(s.Columns))
	present := make([]string, len(s.Columns))
	for i, c := range s.Columns {
		quoted[i] = quote(c)
		present[i] = quote(c) + " is not null"
	}
	return s.on, strings.Join(present, " and "), strings.Join(quoted, ", ")
}

// Count is a query for how many rows keep a unique index from being made, all of them counted. It is empty for other
// statements, and where the table or a column is not there yet.
func (s *Statement) Count(c Catalog) string {
	name, exists := lookUp(c.Tables, s.Table, c.Fold)
	if !s.Unique || s.Index == "" || !exists {
		return ""
	}
	for _, column := range s.Columns {
		if _, exists := lookUp(c.Tables[name].Columns, column, c.Fold); !exists {
			return ""
		}
	}
	table, where, columns := s.contradicted()
	return "select count(*) from " + table + " t join (select " + columns + " from " + table + " where " + where +
		" group by " + columns + " having count(*) > 1) twice using (" + columns + ")"
}

// Contradicted is the error of a unique index that so many rows keep from being made. It says how to find them.
func (s *Statement) Contradicted(rows int64) error {
	table, where, columns := s.contradicted()
	return fmt.Errorf("the unique index %q cannot be made: %d rows of table %q have the same %s as another. "+
		"Find them with: select %s, count(*) from %s where %s group by %s having count(*) > 1; keep one of each",
		s.Index, rows, s.Table, strings.Join(s.Columns, " and "), columns, table, where, columns)
}
