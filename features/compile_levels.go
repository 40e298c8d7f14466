package features

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// localName finds the aggregates of the same scan that an expression names, as local writes them; texts and quoted names are passed over.
var localName = regexp.MustCompile("'(?:[^'\\\\]|\\\\.)*'|`(?:[^`\\\\]|\\\\.)*`|\\ba([0-9]+)\\b")

// levels are the aggregates of a scan by how many SELECTs stand below them: 0 reads rows, n reads what is of the levels before. In one SELECT
// the engine writes out every name again wherever it stands: chains of them cost a tenth of planning the statement and some of running it.
func (s *scan) levels() [][]int {
	var levels [][]int
	of := make([]int, len(s.aggregates))
	for i, expr := range s.aggregates { // an aggregate names only earlier ones
		for _, m := range localName.FindAllStringSubmatch(expr, -1) {
			if m[1] == "" {
				continue
			}
			if k, err := strconv.Atoi(m[1]); err == nil && k < i {
				of[i] = max(of[i], of[k]+1)
			}
		}
		for len(levels) <= of[i] {
			levels = append(levels, nil)
		}
		levels[of[i]] = append(levels[of[i]], i)
	}
	return levels
}

// groupSQL is the subquery of a scan over its rows.
func (s *scan) groupSQL(rows string) string {
	columns := func(level []int) string {
		var b strings.Builder
		for _, i := range level {
			fmt.Fprintf(&b, ",\n        %s AS a%d", s.aggregates[i], i)
		}
		return b.String()
	}
	levels := s.levels()
	if len(levels) == 0 {
		levels = [][]int{nil} // only who has a row
	}
	sql := "SELECT\n        customer_id" + columns(levels[0]) + "\n    FROM " + rows + "\n    GROUP BY customer_id"
	for _, level := range levels[1:] {
		sql = "SELECT\n        *" + columns(level) + "\n    FROM (\n    " + sql + ")"
	}
	return "(\n    " + sql + "\n)"
}
