package pipelines

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
)

// DecideOptions says how the next best actions of a run are chosen.
type DecideOptions struct {
	Engine  *actions.Engine // nil: the shipped catalogue
	Holdout *float64        // share of customers held out; nil: 5 %, 20 % below 10,000 scored customers
	Plan    bool            // choose the greatest priority instead of exploring
}

// decideChunk customers have their turn at a time: in a chunk that capacity cannot run out in, turns do not depend on each other.
const decideChunk = 4096

// deciding is the state of the decisions of one run: some 150 bytes a customer.
type deciding struct {
	shared   actions.Deciding // RunID set by draw
	engine   *actions.Engine
	customer []string
	word     *lexicon // reasons, each held once
	place    *lexicon // channels and time zones

	eligible   []uint64  // by rules and policy; bit = action
	value      []float64 // NaN = unknown
	pressure   []float64
	zone       []uint32 // place
	ticket     []uint32 // place: the channel of the oldest open ticket
	reasons    []uint32 // customer-major, one word per action
	open       []uint64 // after capacity, at the customer's turn
	chosen     []uint8
	propensity []float64 // of the open actions in the order of bits, customer after customer
	at         []uint32  // customer i has propensity[at[i]:at[i+1]]
	moments    map[uint32]time.Time
}

// prepare finds who may get what at the run's cutoff: everything that decides but chance and capacity.
func (s *scoring) prepare(ctx context.Context, store *features.Store, x *features.Matrix) (err error) {
	o, engine := s.o.Decide, s.o.Decide.Engine
	if engine == nil {
		if engine, err = actions.Default(nil); err != nil {
			return err
		}
	}
	columns, err := ruleColumns(ctx, store, s.o.Model.Artifact, engine, s.p, x)
	if err != nil {
		return err
	}
	share := actions.HoldoutShare(o.Holdout, len(s.margin))
	n := len(s.p.Customer)
	d := &deciding{
		shared: actions.Deciding{Cutoff: s.o.Cutoff, Policy: actions.PolicyVersion(engine.Catalogue, share, !o.Plan), Explore: !o.Plan, Share: share, Catalogue: engine.Catalogue},
		engine: engine, customer: s.p.Customer, word: newLexicon(),
		eligible: make([]uint64, n), value: make([]float64, n), pressure: make([]float64, n), zone: make([]uint32, n), ticket: make([]uint32, n),
		reasons: make([]uint32, n*len(engine.Catalogue.Actions)), moments: map[uint32]time.Time{},
	}
	s.deciding = d
	reader := decideReader{store: store, p: s.p, engine: engine}
	known, err := reader.customers(ctx)
	if err != nil {
		return err
	}
	d.place = known.word
	if err := reader.tickets(ctx, known); err != nil {
		return err
	}
	group, inner := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	err = reader.histories(inner, func(lo, hi int, histories [][]actions.Contact) {
		group.Go(func() error {
			reasons := make([]string, len(engine.Catalogue.Actions))
			for i := lo; i < hi; i++ {
				c, err := s.decided(i, known, columns)
				if err != nil {
					return err
				}
				d.value[i], d.zone[i], d.ticket[i] = c.Value, known.zone[i], known.channel[i]
				d.pressure[i] = engine.Catalogue.Policy.Pressure(histories[i-lo], s.o.Cutoff)
				d.eligible[i] = engine.Consider(reasons, &c, histories[i-lo], s.o.Cutoff)
				for k, reason := range reasons {
					d.reasons[i*len(reasons)+k] = d.word.code(reason)
				}
			}
			return inner.Err()
		})
	})
	if wait := group.Wait(); wait != nil { // it is why reading stopped, if it did
		return wait
	}
	return err
}

// decided is customer i as rules and policy see him.
func (s *scoring) decided(i int, known *decideFacts, columns *actions.FeatureColumns) (actions.Customer, error) {
	nan := math.NaN()
	c := actions.Customer{
		Facts: actions.Facts{Status: s.p.Status[i], StatusCode: s.p.StatusCode[i], Probability: nan, Value: nan,
			OpenTickets: int(known.open[i]), OldestTicketDays: known.oldest[i]},
		Contactable: actions.Contactable{OpenTickets: int(known.open[i]), TicketChannel: known.word.text(known.channel[i]), Refused: known.refused(i)},
	}
	if err := known.describe(i, &c.Facts); err != nil {
		return c, err
	}
	if k := s.eligible[i]; k >= 0 {
		c.Probability = s.o.Model.Artifact.Calibration.Probability(s.margin[k])
		c.Percentile, c.Band, c.Value = s.percentile[k], s.bands.Band(c.Probability), s.value[k]
		c.Features, c.Row = columns, k
	}
	return c, nil
}

// hash adds all that the decisions depend on to the run's identity.
func (d *deciding) hash(h hash.Hash) {
	hashText(h, d.shared.Policy)
	var b [16]byte
	for i := range d.customer { // value is in the hash already
		binary.LittleEndian.PutUint64(b[:8], d.eligible[i])
		binary.LittleEndian.PutUint64(b[8:], math.Float64bits(d.pressure[i]))
		h.Write(b[:])
		hashText(h, d.place.text(d.zone[i]))
		hashText(h, d.place.text(d.ticket[i]))
		for _, code := range d.why(i) {
			hashText(h, d.word.text(code))
		}
	}
}

// why are the words of customer i's suppressed actions, one per action.
func (d *deciding) why(i int) []uint32 {
	k := len(d.engine.Catalogue.Actions)
	return d.reasons[i*k : (i+1)*k]
}

// draw gives every customer a turn in the run's keyed order, in which capacity is handed out.
func (d *deciding) draw(ctx context.Context, runID string) error {
	d.shared.RunID = runID
	n := len(d.customer)
	d.open, d.chosen, d.at = make([]uint64, n), make([]uint8, n), make([]uint32, n+1)
	for i, mask := range d.eligible {
		d.at[i+1] = d.at[i] + uint32(bits.OnesCount64(mask))
	}
	d.propensity = make([]float64, d.at[n])
	for _, code := range d.zone {
		if _, ok := d.moments[code]; !ok {
			d.moments[code] = d.shared.Catalogue.Policy.NextMoment(d.place.text(code), d.shared.Cutoff)
		}
	}
	type place struct {
		key uint64
		i   uint32
	}
	order := make([]place, n)
	for i, id := range d.customer {
		order[i] = place{actions.OrderKey(runID, id), uint32(i)}
	}
	slices.SortFunc(order, func(a, b place) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.i, b.i)) })

	left := newCapacity(d.engine.Catalogue)
	for lo := 0; lo < n; lo += decideChunk {
		if err := ctx.Err(); err != nil {
			return err
		}
		chunk := order[lo:min(lo+decideChunk, n)]
		if left.settled(len(chunk)) {
			open := left.open()
			parallel(len(chunk), func(k int) { d.turn(int(chunk[k].i), open) })
			for _, c := range chunk {
				left.take(int(d.chosen[c.i]))
			}
			continue
		}
		for _, c := range chunk {
			d.turn(int(c.i), left.open())
			left.take(int(d.chosen[c.i]))
		}
	}
	return nil
}

// turn is the turn of customer i while the actions of the mask have capacity.
func (d *deciding) turn(i int, capacity uint64) {
	var all [actions.MaxActions]float64
	c, id := d.engine.Catalogue, d.customer[i]
	d.open[i] = d.eligible[i] & capacity
	d.chosen[i] = uint8(c.Choose(all[:], actions.Turn{
		Open: d.open[i], Value: d.value[i], Pressure: d.pressure[i], Share: d.shared.Share, Explore: d.shared.Explore,
		Held: actions.HeldOut(id, d.shared.Cutoff, d.shared.Share), Draw: actions.Draw(d.shared.RunID, id),
	}))
	k := d.at[i]
	for rest := d.open[i]; rest != 0; rest &= rest - 1 {
		d.propensity[k] = all[bits.TrailingZeros64(rest)]
		k++
	}
}

// parallel calls do for 0..n-1 on all threads.
func parallel(n int, do func(k int)) {
	var group sync.WaitGroup
	threads := runtime.GOMAXPROCS(0)
	for t := range threads {
		group.Go(func() {
			for k := t * n / threads; k < (t+1)*n/threads; k++ {
				do(k)
			}
		})
	}
	group.Wait()
}

// decision is what was decided for customer i.
func (d *deciding) decision(i int) actions.Decision {
	c := d.engine.Catalogue
	made := actions.Decision{CustomerID: d.customer[i], Holdout: actions.HeldOut(d.customer[i], d.shared.Cutoff, d.shared.Share),
		Chosen: c.Actions[d.chosen[i]].ID, Value: d.value[i], Pressure: d.pressure[i]}
	k := d.at[i]
	why := d.why(i)
	for a := range c.Actions {
		id := c.Actions[a].ID
		open, eligible := d.open[i]&(1<<a) != 0, d.eligible[i]&(1<<a) != 0
		var p float64
		if open {
			p = d.propensity[k]
			k++
		}
		switch {
		case made.Holdout && c.Withheld(a):
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: id, Reason: holdoutReason})
			if open {
				made.Withheld = append(made.Withheld, actions.Withheld{Action: id, Propensity: p})
			}
		case !eligible:
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: id, Reason: d.word.text(why[a])})
		case !open:
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: id, Reason: fmt.Sprintf("capacity: %d a day are spoken for", *c.Actions[a].Capacity)})
		default:
			made.Options = append(made.Options, d.option(i, a, p))
		}
	}
	return made
}

const holdoutReason = "holdout: the control group gets no marketing and no service that was not asked for"

func (d *deciding) option(i, a int, propensity float64) actions.Option {
	c := d.engine.Catalogue
	action := &c.Actions[a]
	o := actions.Option{Action: action.ID, Channel: action.Channel, Source: actions.SourcePrior, Terms: c.Terms(a, d.value[i], d.pressure[i]), Propensity: propensity}
	if action.ID == actions.DoNothing {
		return o
	}
	if action.Channel == actions.ChannelTicket && d.ticket[i] != 0 {
		o.Channel = d.place.text(d.ticket[i])
	}
	o.Moment = d.shared.Cutoff
	if c.Withheld(a) {
		o.Moment = d.moments[d.zone[i]]
	}
	o.Expires = o.Moment.Add(time.Duration(action.ExpiresAfter))
	return o
}

// put writes the decisions.
func (d *deciding) put(ctx context.Context, db *warehouse.Warehouse, now time.Time) error {
	run := warehouse.DecisionRun{RunID: d.shared.RunID, Cutoff: d.shared.Cutoff, Policy: d.shared.Policy, Document: string(d.shared.Catalogue.Document()),
		Explore: d.shared.Explore, Holdout: d.shared.Share, DecidedAt: now}
	return db.PutDecisions(ctx, run, len(d.customer), func(i int) warehouse.DecisionRow {
		made := d.decision(i)
		return decisionRow(run.RunID, &made)
	})
}

// ruleColumns are the features that rules name.
func ruleColumns(ctx context.Context, store *features.Store, a *models.Artifact, engine *actions.Engine, p *features.Population, x *features.Matrix) (*actions.FeatureColumns, error) {
	used := engine.Used()
	entries := make([]features.Entry, len(used))
	for k, place := range used {
		entries[k] = engine.Features[place]
	}
	m, err := besideColumns(ctx, store, a, entries, besides{p, x})
	if err != nil {
		return nil, fmt.Errorf("compute the features of action rules: %w", err)
	}
	columns := &actions.FeatureColumns{X: make([][]float32, len(engine.Features)), Levels: make([][]string, len(engine.Features))}
	for k, place := range used {
		columns.X[place], columns.Levels[place] = m.X[k], m.Schema[k].Levels
	}
	return columns, nil
}
