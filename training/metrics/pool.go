package metrics

import (
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"
)

// Entrant is a family with the held-out rows of its test cutoffs.
type Entrant struct {
	Name string
	Held []Held
}

// Pooling says what to measure.
type Pooling struct {
	Seed   uint64       // of the bootstrap and the noise band
	Curves bool         // reliability table and gains, too
	Profit *ProfitTerms // and the profit curve, with Curves; nil = none
}

// Pool measures a family on its test cutoffs by the pooled rules of metrics.md §5, without the curves.
func Pool(name string, held []Held, seed uint64) ModelFigures {
	return PoolAll([]Entrant{{Name: name, Held: held}}, Pooling{Seed: seed})[0]
}

// PoolAll is [Pool] of several families at once. They share the draws of the bootstrap, as any customers of the same ids do under the same seed.
func PoolAll(entrants []Entrant, o Pooling) []ModelFigures {
	pools := make([]*pool, len(entrants))
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for k, b := range bootstraps(entrants, o.Seed) {
		group.Go(func() error {
			pools[k] = newPool(entrants[k], b, o)
			return nil
		})
	}
	_ = group.Wait() // measuring returns no error
	out := make([]ModelFigures, len(entrants))
	for from := 0; from < len(pools); { // those of the same rows draw once
		to := from
		var statistics []statistic
		for ; to < len(pools) && pools[to].b == pools[from].b; to++ {
			statistics = append(statistics, pools[to].trial.statistic(), statistic{size: pools[to].size(), fill: pools[to].fill})
		}
		intervals := pools[from].b.intervals(statistics...)
		for ; from < to; from++ {
			p := pools[from]
			size := trialFigures + p.size()
			out[from] = p.figures(intervals[:size])
			intervals = intervals[size:]
		}
	}
	return out
}

// bootstraps are one for each entrant, the same for the same customers.
func bootstraps(entrants []Entrant, seed uint64) []*Bootstrap {
	out := make([]*Bootstrap, len(entrants))
	for k, e := range entrants {
		if k > 0 && slices.EqualFunc(e.Held, entrants[k-1].Held, func(a, b Held) bool { return slices.Equal(a.Customer, b.Customer) }) {
			out[k] = out[k-1]
			continue
		}
		var customers []string
		for _, h := range e.Held {
			customers = append(customers, h.Customer...)
		}
		out[k] = NewBootstrap(seed, customers)
	}
	return out
}

// pool is a family before its intervals.
type pool struct {
	o       Pooling
	b       *Bootstrap
	model   ModelFigures
	trial   *trial
	cutoffs []*ranked
	shares  []int // at which recall, precision and lift are told, in thousandths: a tenth first
}

const topDecile = 100 // thousandths

func newPool(e Entrant, b *Bootstrap, o Pooling) *pool {
	p := &pool{o: o, b: b, model: ModelFigures{Name: e.Name, Folds: make([]FoldFigures, len(e.Held))}, shares: []int{topDecile}}
	if o.Curves {
		p.shares = append(p.shares, gainShares...)
	}
	var y, probability []float64
	for k, h := range e.Held {
		r := Rank(h.Margin)
		p.model.Folds[k] = FoldFigures{Cutoff: h.Cutoff, Rows: len(h.Y), Positives: Positives(h.Y), Figures: r.figures(h.Y, h.P), AUCDue: h.AUCDue()}
		p.cutoffs = append(p.cutoffs, r.lay(h.Y, b.bag[len(y):len(y)+len(h.Y)]))
		y, probability = append(y, h.Y...), append(probability, h.P...)
	}
	bins := massBins(probability)
	p.trial = newTrial(probability, y, bins, b)
	pooled := &p.model.Pooled
	pooled.Rows, pooled.Positives = len(y), Positives(y)
	pooled.LogLoss, pooled.Brier, pooled.ECE = Figure(LogLoss(probability, y, nil)), Figure(Brier(probability, y, nil)), p.trial.proof.ECE
	ranks := make([]Figure, p.size())
	p.fill(slices.Repeat([]uint8{1}, b.Bags()), &scratch{}, ranks)
	pooled.AUC, pooled.PRAUC, pooled.TopDecileLift = ranks[ofAUC], ranks[ofPrecision], ranks[ofShares+2]
	if o.Curves {
		pooled.Bins = reliabilityTable(bins, probability, y, b)
		p.gains(ranks)
		if o.Profit != nil {
			p.profit(ranks[len(ranks)-1])
		}
	}
	return p
}

// size is the number of figures of fill.
func (p *pool) size() int {
	if p.o.Curves && p.o.Profit != nil {
		return rankSize(p.shares) + 1
	}
	return rankSize(p.shares)
}

// fill gives the rank metrics under weights of the bags, and the EMPC last if profit is asked for: means of the cutoffs with both classes, weighted by
// their positives, NaN where there is none.
func (p *pool) fill(w []uint8, s *scratch, out []Figure) {
	clear(out)
	weight := 0.
	ranks := rankSize(p.shares)
	for _, c := range p.cutoffs {
		positives := c.measure(w, s, p.shares)
		if positives == 0 {
			continue
		}
		weight += positives
		for k, v := range s.figures {
			out[k] += Figure(positives * v)
		}
		if len(out) > ranks {
			out[ranks] += Figure(positives * p.o.Profit.empc(rocHull(s.curve)))
		}
	}
	for k := range out {
		out[k] /= Figure(weight) // 0/0 = NaN
	}
}

// gains fills the gains from the rank metrics of all rows.
func (p *pool) gains(ranks []Figure) {
	for k, share := range gainShares {
		at := ranks[ofShares+perShare*(k+1):]
		g := GainPoint{Share: Figure(share) / 1000, Recall: at[0], Precision: at[1], Lift: at[2]}
		for _, c := range p.cutoffs {
			g.Rows += int(topOf(share, c.rows()))
		}
		p.model.Pooled.Gains = append(p.model.Pooled.Gains, g)
	}
}

// profit fills the profit curve.
func (p *pool) profit(empc Figure) {
	points := make([]ProfitPoint, 1001) // by thousandths
	ones := slices.Repeat([]uint8{1}, p.b.Bags())
	var s scratch
	for _, c := range p.cutoffs {
		c.measure(ones, &s, nil)
		for share := range points {
			k := topOf(share, c.rows())
			points[share].Rows += int(k)
			points[share].Profit += Figure(p.o.Profit.of(s.truePositives(k), float64(k)))
		}
	}
	curve := &ProfitCurve{ProfitTerms: *p.o.Profit, EMPC: empc}
	for share := range points {
		points[share].Share = Figure(share) / 1000
		if points[share].Profit > curve.Best.Profit {
			curve.Best = points[share]
		}
	}
	for _, share := range gainShares {
		curve.Points = append(curve.Points, points[share])
	}
	p.model.Pooled.Profit = curve
}

// figures are the family's with the intervals of its two statistics, those of the trial first.
func (p *pool) figures(intervals []Interval) ModelFigures {
	out := p.model
	pooled := &out.Pooled
	pooled.Calibration = p.trial.reliability(intervals)
	pooled.LogLossInterval, pooled.BrierInterval = intervals[ofLogLoss], intervals[ofBrier]
	ranks := intervals[trialFigures:]
	pooled.AUCInterval, pooled.PRAUCInterval, pooled.TopDecileLiftInterval = ranks[ofAUC], ranks[ofPrecision], ranks[ofShares+2]
	for k := range pooled.Gains {
		at := ranks[ofShares+perShare*(k+1):]
		pooled.Gains[k].RecallInterval, pooled.Gains[k].PrecisionInterval, pooled.Gains[k].LiftInterval = at[0], at[1], at[2]
	}
	if pooled.Profit != nil {
		pooled.Profit.EMPCInterval = ranks[len(ranks)-1]
	}
	return out
}
