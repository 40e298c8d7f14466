package metrics

import (
	"cmp"
	"slices"
)

// Bounds of the table of segments.
const (
	segmentRows  = 100 // rows below which a segment is not measured
	segmentRarer = 30  // rows of the rarer class below which it is not: from there on families are measured, too (metrics.md §5)
	segmentsMost = 24  // segments measured, those of the most rows
)

// Category is a categorical column of held-out rows.
type Category struct {
	Column string
	Levels []string
	Code   []float32 // of each row: a place in Levels, NaN = missing
}

// SegmentFigures is how a family does among the test rows that share a level of a categorical column. Their rank metrics are of the order within the
// segment, and their intervals come from the draws of all rows.
type SegmentFigures struct {
	Column string `json:"column"`
	Level  string `json:"level"`
	PooledFigures
}

// SegmentTable is a family's figures by segment: columns in their order, and within one the segment of the most rows first. Rows without a value are in
// no segment of that column. One segment in twenty lies outside of a 95 % interval by chance.
type SegmentTable struct {
	Family   string           `json:"family"`
	Segments []SegmentFigures `json:"segments"`
	Small    int              `json:"small"` // segments with fewer than 100 rows, or fewer than 30 of the rarer class, which are not measured
	More     int              `json:"more"`  // measurable segments beyond the 24 that are
}

// Segments measures a family by segment. categories are those of the rows of each test cutoff, in the order of e.Held.
func Segments(e Entrant, categories [][]Category, seed uint64) SegmentTable {
	found := SegmentsOf(e.Held, categories)
	out := SegmentTable{Family: e.Name, Segments: []SegmentFigures{}}
	whole := len(found)
	found = slices.DeleteFunc(found, func(s *Segment) bool {
		return s.size < segmentRows || min(s.positives, s.size-s.positives) < segmentRarer
	})
	out.Small = whole - len(found)
	slices.SortStableFunc(found, func(a, b *Segment) int { return cmp.Compare(b.size, a.size) })
	if len(found) > segmentsMost {
		out.More = len(found) - segmentsMost
		found = found[:segmentsMost]
	}
	slices.SortStableFunc(found, func(a, b *Segment) int { return cmp.Compare(a.place, b.place) })
	entrants := make([]Entrant, len(found))
	for k, s := range found {
		for f, rows := range s.Rows {
			entrants[k].Held = append(entrants[k].Held, e.Held[f].take(rows))
		}
	}
	for k, m := range PoolAll(entrants, Pooling{Seed: seed}) {
		out.Segments = append(out.Segments, SegmentFigures{Column: found[k].Column, Level: found[k].Level, PooledFigures: m.Pooled})
	}
	return out
}

// Segment is the test rows that share a level of a categorical column.
type Segment struct {
	Column, Level string
	Rows          [][]int32 // of each test cutoff, rising

	place           int // of its column
	size, positives int
}

// SegmentsOf finds the rows of each level, the levels in the order of their first appearance. categories are those of the rows of each test cutoff, in
// the order of held.
func SegmentsOf(held []Held, categories [][]Category) []*Segment {
	type key struct{ column, level string }
	var found []*Segment
	of := make(map[key]*Segment)
	places := make(map[string]int)
	for f, columns := range categories {
		for _, c := range columns {
			if _, ok := places[c.Column]; !ok {
				places[c.Column] = len(places)
			}
			levels := make([]*Segment, len(c.Levels))
			for i, code := range c.Code {
				if code != code {
					continue
				}
				s := levels[int(code)]
				if s == nil {
					k := key{c.Column, c.Levels[int(code)]}
					if s = of[k]; s == nil {
						s = &Segment{Column: k.column, Level: k.level, place: places[c.Column], Rows: make([][]int32, len(held))}
						of[k] = s
						found = append(found, s)
					}
					levels[int(code)] = s
				}
				s.Rows[f] = append(s.Rows[f], int32(i))
				s.size++
				if held[f].Y[i] > .5 {
					s.positives++
				}
			}
		}
	}
	return found
}

// take is some of the rows.
func (h Held) take(rows []int32) Held {
	out := Held{Cutoff: h.Cutoff}
	for _, i := range rows {
		out.Customer, out.Y = append(out.Customer, h.Customer[i]), append(out.Y, h.Y[i])
		out.Margin, out.P = append(out.Margin, h.Margin[i]), append(out.P, h.P[i])
	}
	return out
}
