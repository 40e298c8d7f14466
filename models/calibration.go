package models

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"retain/features"
)

// Kinds of calibration.
const (
	CalibrationIntercept = "intercept" // σ(margin + intercept)
	CalibrationPlatt     = "platt"     // σ(slope·margin + intercept)
	CalibrationIsotonic  = "isotonic"  // a rising piecewise-linear curve through the knots
)

// Calibration turns margins into probabilities of churn. It never decreases with the margin, so ranking by margin stays valid.
// The zero value is not calibrated: use FitCalibration.
type Calibration struct {
	Kind      string    `json:"kind"`
	Slope     float64   `json:"slope"`
	Intercept float64   `json:"intercept"`
	Knots     []float64 `json:"knots,omitempty"`  // isotonic: margins, rising
	Values    []float64 `json:"values,omitempty"` // isotonic: probabilities at the knots, not falling
	Rows      int       `json:"rows"`             // n of the fit; probabilities are clipped to [1/(n+2), 1-1/(n+2)]
	Positives int       `json:"positives"`
}

const (
	minSlopePositives    = 50   // of the rarer class: below, the slope stays 1 (metrics.md §5)
	minIsotonicPositives = 5000 // of the rarer class: below, isotonic regression is not tried
	calibrationFolds     = 5
	calibrationDomain    = "calibration" // of KeyedHash
)

// FitCalibration learns from out-of-fold margins (n, finite), labels (n, 0 or 1) and the customers they belong to (n), as
// metrics.md §5 lays down: Platt with smoothed targets (Platt 1999; Lin, Lin & Weng 2007); only the intercept below 50 of the rarer
// class; isotonic regression only from 5,000 of it and if its log loss, cross-validated over 5 folds of customers (keyed by seed),
// is better by one standard error. A slope that comes out negative is held at zero.
// Errors: unequal lengths, no rows, a margin that is not finite, a label that is neither 0 nor 1.
func FitCalibration(margin, y []float64, group []string, seed uint64) (Calibration, error) {
	n := len(margin)
	if n == 0 || len(y) != n || len(group) != n {
		return Calibration{}, fmt.Errorf("models: calibrate %d margins with %d labels of %d customers", n, len(y), len(group))
	}
	positives := 0
	for i, m := range margin {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return Calibration{}, fmt.Errorf("models: calibrate: margin %v of row %d is not finite", m, i)
		}
		switch y[i] {
		case 0:
		case 1:
			positives++
		default:
			return Calibration{}, fmt.Errorf("models: calibrate: label %v of row %d is neither 0 nor 1", y[i], i)
		}
	}
	rarer := min(positives, n-positives)
	if rarer < minSlopePositives {
		return fitIntercept(margin, y), nil
	}
	platt := fitPlatt(margin, y)
	if rarer < minIsotonicPositives || !isotonicWins(margin, y, group, seed) {
		return platt, nil
	}
	return fitIsotonic(margin, y), nil
}

// Probability is the calibrated probability of churn of a margin, in (0, 1).
func (c Calibration) Probability(margin float64) float64 {
	p := 0.0
	if c.Kind == CalibrationIsotonic {
		p = interpolate(c.Knots, c.Values, margin)
	} else {
		p = Sigmoid(c.Slope*margin + c.Intercept)
	}
	edge := 1 / float64(c.Rows+2)
	return min(max(p, edge), 1-edge)
}

// Validate reports what is wrong with a calibration that was read from elsewhere.
func (c Calibration) Validate() error {
	bad := func(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }
	switch {
	case c.Rows < 1 || c.Positives < 0 || c.Positives > c.Rows:
		return fmt.Errorf("models: calibration of %d positives among %d rows", c.Positives, c.Rows)
	case c.Kind == CalibrationIsotonic:
		if len(c.Knots) == 0 || len(c.Knots) != len(c.Values) {
			return fmt.Errorf("models: calibration of %d knots and %d values", len(c.Knots), len(c.Values))
		}
		if slices.ContainsFunc(c.Knots, bad) || slices.ContainsFunc(c.Values, bad) || !slices.IsSorted(c.Knots) || !slices.IsSorted(c.Values) {
			return errors.New("models: calibration curve does not rise")
		}
		return nil
	case c.Kind == CalibrationPlatt || c.Kind == CalibrationIntercept:
		if bad(c.Slope) || bad(c.Intercept) || c.Slope < 0 {
			return fmt.Errorf("models: calibration slope %v, intercept %v", c.Slope, c.Intercept)
		}
		return nil
	default:
		return fmt.Errorf("models: unknown calibration kind %q", c.Kind)
	}
}

// smoothed returns Platt's targets, (N₊+1)/(N₊+2) for churners and 1/(N₋+2) for the others, and N₊.
func smoothed(y []float64) (t []float64, positives int) {
	for _, v := range y {
		positives += int(v)
	}
	high, low := float64(positives+1)/float64(positives+2), 1/float64(len(y)-positives+2)
	t = make([]float64, len(y))
	for i, v := range y {
		t[i] = low + v*(high-low)
	}
	return t, positives
}

func fitPlatt(margin, y []float64) Calibration {
	t, positives := smoothed(y)
	w := ones(len(y))
	c := Calibration{Kind: CalibrationPlatt, Rows: len(y), Positives: positives}
	c.Intercept, c.Slope = fitLine(margin, t, w, 0)
	if c.Slope < 0 {
		// The loss is convex, so the best slope that is not negative is zero: everyone gets the mean.
		mean := 0.0
		for _, v := range t {
			mean += v / float64(len(t))
		}
		c.Slope, c.Intercept = 0, logit(mean)
	}
	return c
}

// fitIntercept shifts the margins so that their mean probability is that of the smoothed targets. The mean rises with the
// intercept, so bisection finds it.
func fitIntercept(margin, y []float64) Calibration {
	t, positives := smoothed(y)
	want := 0.0
	for _, v := range t {
		want += v
	}
	excess := func(b float64) float64 {
		s := 0.0
		for _, m := range margin {
			s += Sigmoid(m + b)
		}
		return s - want
	}
	centre := logit(want / float64(len(t)))
	lo, hi := centre-slices.Max(margin), centre-slices.Min(margin)
	for range 200 {
		mid := lo + (hi-lo)/2
		if mid <= lo || mid >= hi {
			break
		}
		if excess(mid) > 0 {
			hi = mid
		} else {
			lo = mid
		}
	}
	return Calibration{Kind: CalibrationIntercept, Slope: 1, Intercept: lo + (hi-lo)/2, Rows: len(y), Positives: positives}
}

// isotonicWins compares both curves on held-out customers: is the mean fall in log loss more than its standard error, with
// customers as the independent units?
func isotonicWins(margin, y []float64, group []string, seed uint64) bool {
	n := len(y)
	fold := make([]int, n)
	for i, g := range group {
		fold[i] = int(features.KeyedHash(seed, calibrationDomain, g) % calibrationFolds)
	}
	gain := make([]float64, n)
	for k := range calibrationFolds {
		var m, t []float64
		positives := 0
		for i := range margin {
			if fold[i] != k {
				m, t = append(m, margin[i]), append(t, y[i])
				positives += int(y[i])
			}
		}
		if positives == 0 || positives == len(t) {
			return false // so few customers that a fold holds one class: no ground to judge
		}
		platt, isotonic := fitPlatt(m, t), fitIsotonic(m, t)
		for i := range margin {
			if fold[i] == k {
				gain[i] = probabilityLoss(platt.Probability(margin[i]), y[i]) - probabilityLoss(isotonic.Probability(margin[i]), y[i])
			}
		}
	}
	mean, se := clusteredMean(gain, group)
	return mean > se
}

func probabilityLoss(p, y float64) float64 {
	if y == 1 {
		return -math.Log(p)
	}
	return -math.Log1p(-p)
}

// clusteredMean is the mean of v and its standard error when rows of one group are dependent and groups are not.
func clusteredMean(v []float64, group []string) (mean, se float64) {
	n := float64(len(v))
	for _, x := range v {
		mean += x / n
	}
	index := make(map[string]int)
	var sums []float64
	for i, x := range v {
		k, ok := index[group[i]]
		if !ok {
			k = len(sums)
			index[group[i]] = k
			sums = append(sums, 0)
		}
		sums[k] += x - mean
	}
	squares := 0.0
	for _, s := range sums {
		squares += s * s
	}
	g := float64(len(sums))
	if g < 2 {
		return mean, math.Inf(1)
	}
	return mean, math.Sqrt(squares*g/(g-1)) / n
}

func ones(n int) []float64 {
	w := make([]float64, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// String tells the kind and its parameters, for reports.
func (c Calibration) String() string {
	if c.Kind == CalibrationIsotonic {
		return c.Kind + " with " + strconv.Itoa(len(c.Knots)) + " knots"
	}
	return fmt.Sprintf("%s σ(%.3f·margin %+.3f)", c.Kind, c.Slope, c.Intercept)
}
