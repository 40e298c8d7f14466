package lifetime

import (
	"cmp"
	"math"
	"slices"
)

// countRow is all customers with the same x, t_x and T.
type countRow struct {
	x      int
	tx, t  float64
	weight float64 // how many
}

// spendRow is all customers with the same number of days with spend and the same mean.
type spendRow struct {
	days     float64
	mean     float64
	logSpent float64 // ln (days · mean)
	weight   float64
}

// countRows puts equal histories together, in an order that does not depend on that of the customers, with times divided by unit.
func countRows(histories []History, unit float64) []countRow {
	rows := make([]countRow, len(histories))
	for i, h := range histories {
		rows[i] = countRow{h.Repeats, h.Recency / unit, h.Age / unit, 1}
	}
	slices.SortFunc(rows, func(a, b countRow) int {
		return cmp.Or(cmp.Compare(a.x, b.x), cmp.Compare(a.tx, b.tx), cmp.Compare(a.t, b.t))
	})
	return merge(rows, func(a, b countRow) bool { return a.x == b.x && a.tx == b.tx && a.t == b.t }, func(into *countRow) { into.weight++ })
}

// spendRows are those of the customers whose spend is known, with money divided by unit.
func spendRows(histories []History, unit float64) []spendRow {
	rows := make([]spendRow, 0, len(histories))
	for _, h := range histories {
		if h.Spend.Days > 0 {
			days, mean := float64(h.Spend.Days), h.Spend.Mean/unit
			rows = append(rows, spendRow{days, mean, math.Log(days * mean), 1})
		}
	}
	slices.SortFunc(rows, func(a, b spendRow) int { return cmp.Or(cmp.Compare(a.days, b.days), cmp.Compare(a.mean, b.mean)) })
	return merge(rows, func(a, b spendRow) bool { return a.days == b.days && a.mean == b.mean }, func(into *spendRow) { into.weight++ })
}

// merge adds each sorted row to the one before where they are the same.
func merge[R any](rows []R, same func(a, b R) bool, add func(into *R)) []R {
	kept := rows[:0]
	for _, r := range rows {
		if n := len(kept); n > 0 && same(kept[n-1], r) {
			add(&kept[n-1])
			continue
		}
		kept = append(kept, r)
	}
	return kept
}
