package offpolicy

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"retain/features"
	"retain/internal/resample"
	"retain/models"
	"retain/models/boost"
	"retain/models/linear"
)

// RewardModel is the family that learns the reward from the action and what was known of the customer.
type RewardModel string

// The reward models. A wrong one costs the doubly robust estimate precision, never truth, as long as the propensities are right.
const (
	LinearReward RewardModel = "linear" // the action and the customer add up
	BoostReward  RewardModel = "boost"  // the action may work differently on different customers
)

// RewardModels are all of them.
var RewardModels = []RewardModel{LinearReward, BoostReward}

// actionColumn is the name of the action among the columns of the reward model.
const actionColumn = "action taken"

// robustTerms are Σ_a q(a|i) μ̂(i,a) + wᵢ (rᵢ - μ̂(i,aᵢ)) of each row, μ̂ learned without the customers of the row's fold.
func robustTerms(ctx context.Context, l *Log, p Policy, w []float64, o Options) ([]float64, error) {
	if o.Folds == 0 {
		o.Folds = 5
	}
	if o.Reward == "" {
		o.Reward = LinearReward
	}
	if o.Folds < 2 || !slices.Contains(RewardModels, o.Reward) {
		return nil, fmt.Errorf("off-policy evaluation: %d folds of the reward model %q; at least 2 of one of %v", o.Folds, o.Reward, RewardModels)
	}
	s := rewardScale(l.Reward)
	out := make([]float64, l.Rows())
	parts := folds(l, o)
	for k := range parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		held := parts[k]
		if len(held) == 0 {
			continue
		}
		var train []int
		for j, part := range parts {
			if j != k {
				train = append(train, part...)
			}
		}
		slices.Sort(train)
		m, err := learnReward(ctx, l, train, rewardChoices{s, o, uint64(k)})
		if err != nil {
			return nil, fmt.Errorf("learn the reward: %w", err)
		}
		if err := m.terms(out, heldRows{l, p, w, held}); err != nil {
			return nil, fmt.Errorf("learn the reward: %w", err)
		}
	}
	return out, nil
}

// folds are the rows of each fold, whole customers by their keyed hash.
func folds(l *Log, o Options) [][]int {
	out := make([][]int, o.Folds)
	for i := range l.Action {
		h := resample.Mix(o.Seed ^ resample.Mix(^uint64(i)))
		if l.Customer != nil {
			h = features.KeyedHash(o.Seed, "policy fold", l.Customer[i])
		}
		k := h % uint64(o.Folds)
		out[k] = append(out[k], i)
	}
	return out
}

// scale maps rewards to [0, 1] for the models, which learn probabilities: a reward of share y counts as y wins and 1-y losses, whose
// logistic regression is right about means (Papke & Wooldridge 1996, fractional responses).
type scale struct {
	low, width float64
	binary     bool // rewards are 0 and 1 already, or all the same
}

func rewardScale(r []float64) scale {
	low, high := slices.Min(r), slices.Max(r)
	return scale{low, high - low, !slices.ContainsFunc(r, func(v float64) bool { return v != low && v != high })}
}

// rewards is a fitted reward model. model is nil where the training rows all had the same reward, which is mean then.
type rewards struct {
	model    models.Model
	encoding *features.Encoding // of the context; nil without
	mean     float64
	scale    scale
}

type rewardChoices struct {
	scale scale
	o     Options
	fold  uint64
}

func learnReward(ctx context.Context, l *Log, rows []int, c rewardChoices) (*rewards, error) {
	m := &rewards{scale: c.scale}
	d := &features.Dataset{X: &features.Matrix{}}
	take := make([]int, 0, len(rows)) // row of the log behind each training row
	for _, i := range rows {
		m.mean += l.Reward[i] / float64(len(rows))
		y := 0.
		if c.scale.width > 0 {
			y = (l.Reward[i] - c.scale.low) / c.scale.width
		}
		for _, side := range [2]float64{1, 0} {
			share := y
			if side == 0 {
				share = 1 - y
			}
			if share > 0 {
				take, d.Y = append(take, i), append(d.Y, side)
				if !c.scale.binary {
					d.Weight = append(d.Weight, share)
				}
			}
		}
	}
	if l.X != nil && l.X.Cols() > 0 {
		raw := l.X.Take(take)
		m.encoding, _ = features.FitEncoding(raw)
		encoded, err := m.encoding.Apply(raw)
		if err != nil {
			return nil, err
		}
		d.X = encoded
	}
	action := make([]float32, len(take))
	for k, i := range take {
		action[k] = float32(l.Action[i])
	}
	d.X = withAction(d.X, l.Actions, action)
	d.Customer = make([]string, len(take))
	for k, i := range take {
		if l.Customer == nil {
			d.Customer[k] = fmt.Sprint(i)
		} else {
			d.Customer[k] = l.Customer[i]
		}
	}
	var err error
	m.model, err = c.trainer(d).Fit(ctx, d, rand.New(rand.NewPCG(c.o.Seed, c.fold)))
	if errors.Is(err, models.ErrOneClass) {
		m.model, err = nil, nil
	}
	return m, err
}

func (c rewardChoices) trainer(d *features.Dataset) models.Trainer {
	wins := 0
	for _, y := range d.Y {
		wins += int(y)
	}
	if c.o.Reward == BoostReward {
		return boost.Defaults(d.Rows(), wins, d.X.Cols())
	}
	return linear.Defaults(d.Rows(), wins, d.X.Cols())
}

// withAction adds the column of the action to encoded features.
func withAction(x *features.Matrix, actions []string, action []float32) *features.Matrix {
	column := features.Column{Name: actionColumn, Kind: features.Categorical, Levels: actions}
	return &features.Matrix{Schema: append(slices.Clone(x.Schema), column), X: append(slices.Clone(x.X), action)}
}

// heldRows are the rows that a reward model has not seen.
type heldRows struct {
	l    *Log
	p    Policy
	w    []float64
	rows []int
}

// terms fills dst, n long, at the held rows.
func (m *rewards) terms(dst []float64, h heldRows) error {
	x := &features.Matrix{}
	if m.encoding != nil {
		var err error
		if x, err = m.encoding.Apply(h.l.X.Take(h.rows)); err != nil {
			return err
		}
	}
	k := len(h.l.Actions)
	asked := make([][]int, k) // places in h.rows whose new policy may take the action
	q := make([][]float64, k) // with which probability
	all := make([]float64, k)
	for place, i := range h.rows {
		h.p.Each(all, i)
		dst[i] = h.w[i] * h.l.Reward[i]
		for a, v := range all {
			direct := v
			if int(h.l.Action[i]) == a {
				direct -= h.w[i]
			}
			if direct != 0 {
				asked[a], q[a] = append(asked[a], place), append(q[a], direct)
			}
		}
	}
	for a, places := range asked {
		if len(places) == 0 {
			continue
		}
		mu, err := m.expect(x, h.l.Actions, places, a)
		if err != nil {
			return err
		}
		for j, place := range places {
			dst[h.rows[place]] += q[a][j] * mu[j]
		}
	}
	return nil
}

// expect is μ̂ of the action for the given rows of the encoded features x.
func (m *rewards) expect(x *features.Matrix, actions []string, rows []int, action int) ([]float64, error) {
	mu := make([]float64, len(rows))
	if m.model == nil {
		for j := range mu {
			mu[j] = m.mean
		}
		return mu, nil
	}
	column := make([]float32, len(rows))
	for j := range column {
		column[j] = float32(action)
	}
	if err := m.model.Margin(mu, withAction(x.Take(rows), actions, column)); err != nil {
		return nil, err
	}
	for j, v := range mu {
		mu[j] = m.scale.low + m.scale.width/(1+math.Exp(-v))
	}
	return mu, nil
}
