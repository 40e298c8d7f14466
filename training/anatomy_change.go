package training

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"

	"retain/features"
	"retain/models"
	"retain/training/metrics"
)

const (
	toldMoves  = 10  // features whose share moved most
	toldPoints = 300 // pairs of scores for the picture
)

// Change is what scoring by the new model instead of the champion changes.
type Change struct {
	Champion ModelName `json:"champion"`
	Added    []string  `json:"added"`   // features that only the new model reads
	Removed  []string  `json:"removed"` // features that only the champion reads
	Moves    []Move    `json:"moves"`   // of the shares of importance, the greatest first, at most ten
	// Of the same rows, those of the newest training cutoff, scored by both as they stand:
	Rows         int                 `json:"rows"`              // 0: they could not be scored by the champion; Note says why
	Correlation  metrics.Figure      `json:"rank_correlation"`  // Spearman's, of the margins; null where a model knows one margin only
	TopTenth     metrics.Figure      `json:"top_tenth_in_both"` // share of the new model's tenth at most risk that is in the champion's
	MeanChampion metrics.Figure      `json:"mean_probability_champion"`
	MeanNew      metrics.Figure      `json:"mean_probability_new"`
	Bands        [3][3]int           `json:"bands"`                  // rows by the champion's band (low, medium, high) and the new model's, each by its own thresholds
	Pairs        [][2]metrics.Figure `json:"pairs"`                  // probabilities by both of at most 300 of the rows
	Gain         metrics.Figure      `json:"log_loss_gain"`          // champion's less the new model's, its recipe refitted on the same folds; null: not measured
	GainInterval metrics.Interval    `json:"log_loss_gain_interval"` // 95 %, bootstrap by customer
	Note         string              `json:"note,omitempty"`         // what could not be compared, and why
}

// Move is the change of a feature's share of importance, on the same rows.
type Move struct {
	Feature  string         `json:"feature"`
	Champion metrics.Figure `json:"champion"` // 0 where it does not read the feature
	New      metrics.Figure `json:"new"`
}

// compare tells the new artifact from the champion on the raw rows of d; worths are of the new model on its explained rows.
func (a *arena) compare(artifact *models.Artifact, worths []Worth, champion *standing, d *features.Dataset, t *tournament) (*Change, error) {
	s, err := specimenOf(artifact)
	if err != nil {
		return nil, fmt.Errorf("compare with the champion: %w", err)
	}
	old := champion.artifact
	out := &Change{
		Champion: ModelName{Name: champion.row.Name, Version: int(champion.row.Version), Family: champion.row.Family},
		Added:    listed(lackingIn(artifact.Schema, old.Schema)), Removed: listed(lackingIn(old.Schema, artifact.Schema)),
		Moves: []Move{}, Pairs: [][2]metrics.Figure{}, Gain: undefined, GainInterval: metrics.Interval{undefined, undefined},
		Correlation: undefined, TopTenth: undefined, MeanChampion: undefined, MeanNew: undefined,
	}
	if own, challenger := t.find(familyChampion), t.find(artifact.Family); own != nil && challenger != nil {
		gain, interval := lossGain(own.Held, challenger.Held, metrics.NewBootstrap(a.seed, metrics.Concatenate(own.Held).Customer))
		out.Gain, out.GainInterval = metrics.Figure(gain), interval
	}
	theirs, err := specimenOf(old)
	if err != nil || old.Encoding == nil {
		out.Note = fmt.Sprintf("the champion cannot be asked any more: %v", err)
		return out, nil
	}
	before, err := old.Encoding.Apply(d.X)
	if errors.Is(err, features.ErrDefinition) {
		out.Note = fmt.Sprintf("the champion reads a feature that is computed otherwise today, so today's rows cannot be scored by it: %v", err)
		return out, nil
	}
	if err != nil {
		return nil, fmt.Errorf("compare with the champion: %w", err)
	}
	after, err := artifact.Encoding.Apply(d.X)
	if err != nil {
		return nil, fmt.Errorf("compare with the champion: %w", err)
	}
	former, err := weigh(theirs.model, before.Take(sampleRows(d.Customer, explainedRows, a.seed)))
	if err != nil {
		return nil, err
	}
	out.Moves = moves(former, worths)
	return out, out.score(&version{theirs, old.Bands, before}, &version{s, artifact.Bands, after}, sampleRows(d.Customer, toldPoints, a.seed))
}

// version is one of two models with its bands and the rows in its own shape.
type version struct {
	*specimen
	bands models.Bands
	x     *features.Matrix
}

// score fills what is told of the same rows under both models; told are the rows whose pairs are kept.
func (c *Change) score(old, own *version, told []int) error {
	n := old.x.Rows()
	var margins, p [2][]float64
	for k, v := range []*version{old, own} {
		var err error
		if margins[k], p[k], err = probabilities(v.model, v.calibration, v.x); err != nil {
			return fmt.Errorf("compare with the champion: %w", err)
		}
	}
	c.Rows = n
	c.Correlation = metrics.Figure(correlation(middleRanks(margins[0]), middleRanks(margins[1])))
	c.TopTenth = metrics.Figure(topTenthInBoth(margins[0], margins[1]))
	c.MeanChampion, c.MeanNew = metrics.Figure(metrics.Sum(p[0])/float64(n)), metrics.Figure(metrics.Sum(p[1])/float64(n))
	place := map[string]int{models.BandLow: 0, models.BandMedium: 1, models.BandHigh: 2}
	for i := range n {
		c.Bands[place[old.bands.Band(p[0][i])]][place[own.bands.Band(p[1][i])]]++
	}
	for _, i := range told {
		c.Pairs = append(c.Pairs, [2]metrics.Figure{metrics.Figure(p[0][i]), metrics.Figure(p[1][i])})
	}
	return nil
}

// topTenthInBoth is the share of the ⌈n/10⌉ rows of the highest margin in own that are among those in old, ties by row; NaN without rows.
func topTenthInBoth(old, own []float64) float64 {
	k := (len(old) + 9) / 10
	top := func(margin []float64) []int {
		order := make([]int, len(margin))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(margin[b], margin[a]), cmp.Compare(a, b)) })
		return order[:k]
	}
	in := make(map[int]bool, k)
	for _, i := range top(old) {
		in[i] = true
	}
	both := 0
	for _, i := range top(own) {
		if in[i] {
			both++
		}
	}
	return float64(both) / float64(k)
}

// lackingIn are the names of columns of a that b has not.
func lackingIn(a, b features.Schema) []string {
	var out []string
	for _, c := range a {
		if !slices.ContainsFunc(b, func(d features.Column) bool { return d.Name == c.Name }) {
			out = append(out, c.Name)
		}
	}
	return out
}

// moves are the greatest differences of shares; where no feature contributes there are none.
func moves(old, own []Worth) []Move {
	share := func(list []Worth, name string) metrics.Figure {
		k := slices.IndexFunc(list, func(w Worth) bool { return w.Feature == name })
		if k < 0 || math.IsNaN(float64(list[k].Share)) {
			return 0
		}
		return list[k].Share
	}
	out := []Move{}
	add := func(list []Worth) {
		for _, w := range list {
			if !slices.ContainsFunc(out, func(m Move) bool { return m.Feature == w.Feature }) {
				out = append(out, Move{Feature: w.Feature, Champion: share(old, w.Feature), New: share(own, w.Feature)})
			}
		}
	}
	add(own)
	add(old)
	far := func(m Move) float64 { return math.Abs(float64(m.New - m.Champion)) }
	out = slices.DeleteFunc(out, func(m Move) bool { return far(m) == 0 })
	slices.SortStableFunc(out, func(a, b Move) int { return cmp.Compare(far(b), far(a)) })
	return out[:min(toldMoves, len(out))]
}
