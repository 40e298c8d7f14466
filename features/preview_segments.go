package features

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// SegmentPreview counts labels of the customers of one level of a column, over the previewed cutoffs.
type SegmentPreview struct {
	Column   string   `json:"column"` // segment, plan, region or lead_source
	Level    string   `json:"level"`  // "" = not known at the cutoff
	Pooled   bool     `json:"pooled"` // the levels with few labels together; Level is "other"
	Labelled int      `json:"labelled"`
	Churned  int      `json:"churned"`
	BaseRate *float64 `json:"base_rate"`
	Low      *float64 `json:"base_rate_low"` // 95 %, customers counted once each
	High     *float64 `json:"base_rate_high"`
}

const (
	segmentLevels   = 8  // of a column; more are pooled, the rarest first
	segmentLabels   = 30 // fewer labels say nothing about a level by itself
	segmentPooled   = "other"
	segmentMaxNames = 10_000 // different levels that are counted; an identifier is no segment
)

// segmentColumns are the columns of customers by which the preview is divided.
var segmentColumns = []string{"segment", "plan", "region", "lead_source"}

// segmentCounts are the counts by column and level.
type segmentCounts map[string]map[string]*rateCount

func (s segmentCounts) add(column, level string, customer int32, y float64) {
	levels := s[column]
	if levels == nil {
		levels = map[string]*rateCount{}
		s[column] = levels
	}
	if levels[level] == nil {
		if len(levels) == segmentMaxNames {
			level = segmentPooled
		}
		levels[level] = cmp.Or(levels[level], &rateCount{})
	}
	levels[level].add(customer, y)
}

// countSegments adds the labels of a population by its customers' levels, as known at the cutoff.
func (s *Store) countSegments(ctx context.Context, p *Population, y []float64, number func(id string) int32, into segmentCounts) error {
	customers, err := s.Versions(ctx, Customers, segmentColumns, p.Cutoff)
	if err != nil {
		return err
	}
	periods, err := s.periodsSQL(ctx, p.Cutoff, p.Cutoff)
	if err != nil {
		return err
	}
	told := make([]string, len(segmentColumns))
	for i, c := range segmentColumns {
		told[i] = "toString(c." + c + ") AS " + c
		if c == "plan" { // that of the latest periods, all of them where several began at once, where the customer has none
			told[i] = "if(c.plan != '', toString(c.plan), s.plan) AS plan"
		}
	}
	query := "SELECT p.customer_id AS id, " + strings.Join(told, ", ") + "\nFROM " + quoteName(p.Table) + " AS p\nLEFT ANY JOIN " + customers +
		" AS c ON c.customer_id = p.customer_id\nLEFT ANY JOIN (SELECT customer_id, arrayStringConcat(arraySort(arrayDistinct(arrayMap(p -> p.2, arrayFilter((p, started) -> started = latest, plans, starts)))), ' + ') AS plan\n" +
		"FROM (SELECT customer_id, groupArray((started_ms, toString(plan))) AS plans, arrayMap(p -> p.1, plans) AS starts, max(started_ms) AS latest FROM " + periods +
		" WHERE plan != '' GROUP BY customer_id)) AS s ON s.customer_id = p.customer_id\nORDER BY p.customer_id\nSETTINGS join_use_nulls = 0"
	row := 0
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return err
		}
		columns := make([][]string, len(segmentColumns))
		for i, c := range segmentColumns {
			columns[i] = b.Strings(c)
		}
		for k, id := range b.Strings("id") {
			if row >= len(y) {
				return fmt.Errorf("segments: more rows than %d eligible customers", len(y))
			}
			if !math.IsNaN(y[row]) {
				for i, c := range segmentColumns {
					into.add(c, columns[i][k], number(id), y[row])
				}
			}
			row++
		}
	}
	return nil
}

// previews are the levels of each column that tells at least two apart, the largest first; what is not known comes last.
func (s segmentCounts) previews() []SegmentPreview {
	out := []SegmentPreview{}
	for _, column := range segmentColumns {
		var rows []SegmentPreview
		rest := &rateCount{}
		levels := sortedKeys(s[column])
		size := map[string]int{} // labels
		for _, level := range levels {
			size[level], _, _, _, _ = s[column][level].figures()
		}
		slices.SortStableFunc(levels, func(a, b string) int { return cmp.Compare(size[b], size[a]) })
		for _, level := range levels {
			if level != "" && (len(rows) >= segmentLevels || size[level] < segmentLabels) {
				rest.join(s[column][level])
				continue
			}
			row := SegmentPreview{Column: column, Level: level}
			row.Labelled, row.Churned, row.BaseRate, row.Low, row.High = s[column][level].figures()
			rows = append(rows, row)
		}
		if n, churned, rate, low, high := rest.figures(); n > 0 {
			rows = append(rows, SegmentPreview{Column: column, Level: segmentPooled, Pooled: true, Labelled: n, Churned: churned, BaseRate: rate, Low: low, High: high})
		}
		slices.SortStableFunc(rows, func(a, b SegmentPreview) int { return strings.Compare(last(a), last(b)) })
		if len(rows) > 1 {
			out = append(out, rows...)
		}
	}
	return out
}

// last puts the pooled levels behind the others, and what is not known behind all.
func last(s SegmentPreview) string {
	switch {
	case s.Level == "":
		return "2"
	case s.Pooled:
		return "1"
	}
	return "0"
}
