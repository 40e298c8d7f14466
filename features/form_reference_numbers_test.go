package features

import "math"

func valuesOf(rows []refRow, column string) []float64 {
	var out []float64
	for _, r := range rows {
		if v, ok := r.num[column]; ok {
			out = append(out, v)
		}
	}
	return out
}

func sumOf(rows []refRow, column string) float64 {
	sum := 0.0
	for _, v := range valuesOf(rows, column) {
		sum += v
	}
	return sum
}

func meanOf(x []float64, atLeast int) float64 {
	if len(x) < atLeast {
		return absent
	}
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

func sdOf(x []float64) float64 {
	if len(x) < 2 {
		return absent
	}
	mean, sum := meanOf(x, 1), 0.0
	for _, v := range x {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(x)-1))
}

func atOfLast(rows []refRow) int64 {
	if len(rows) == 0 {
		return 0
	}
	return rows[len(rows)-1].at
}
