package pipelines

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"runtime"
	"slices"
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
	Plan    bool            // take what the plan has instead of exploring
	Budget  *float64        // for what is marketing or proactive in the run, in the currency; nil: no limit
	Effects EffectModel     // what is learned of actions; nil: nothing
}

// EffectModel tells what was learned of the effects of actions.
type EffectModel interface {
	// Entries are the features that it reads.
	Entries() []features.Entry
	// Effects are what is learned of the actions of the catalogue for the rows of x: the scored customers of a run in the order of
	// their ids, the columns those of Entries, raw (NaN = missing), and risk their churn probabilities. The same rows give the same effects.
	Effects(c *actions.Catalogue, x *features.Matrix, risk []float64) (*actions.Learned, error)
	// Identity names the model and its version: it is part of the policy.
	Identity() string
}

// deciding is the state of the decisions of one run: some 150 bytes a customer.
type deciding struct {
	shared   actions.Deciding // RunID set by draw
	engine   *actions.Engine
	customer []string
	word     *lexicon // reasons, each held once
	place    *lexicon // channels and time zones

	eligible  []uint64  // by rules and policy; bit = action
	value     []float64 // NaN = unknown
	pressure  []float64
	zone      []uint32 // place
	ticket    []uint32 // place: the channel of the oldest open ticket
	reasons   []uint32 // customer-major, one word per action
	channel   []uint8  // customer-major, of the actions of several: the place in actions.Channels
	several   []int    // actions of several channels
	hindsight bool     // the model has learned from labels after the cutoff: its risks are no baseline to learn from
	row       []int32  // of learned and risk; -1 unless scored
	risk      []float64
	learned   *actions.Learned
	churn     float64        // mean probability of the scored customers; NaN = there is none
	turns     *actions.Turns // set by draw
	habit     []actions.Habit
	moments   map[presence]time.Time
	awake     map[uint32]time.Time // by zone: when to send what is due
}

// presence is what the moment to act depends on.
type presence struct {
	zone  uint32
	habit actions.Habit
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
		shared: actions.Deciding{Cutoff: s.o.Cutoff, Explore: !o.Plan, Share: share, Catalogue: engine.Catalogue, Budget: o.Budget},
		engine: engine, customer: s.p.Customer, word: newLexicon(), hindsight: s.o.Cutoff.Before(s.o.Model.Artifact.TrainedUntil), row: make([]int32, n), churn: math.NaN(),
		eligible: make([]uint64, n), value: make([]float64, n), pressure: make([]float64, n), zone: make([]uint32, n), ticket: make([]uint32, n),
		reasons: make([]uint32, n*len(engine.Catalogue.Actions)), moments: map[presence]time.Time{}, awake: map[uint32]time.Time{},
	}
	for i := range engine.Catalogue.Actions {
		if len(engine.Catalogue.Actions[i].Also) > 0 {
			d.several = append(d.several, i)
		}
	}
	d.channel = make([]uint8, n*len(d.several))
	s.deciding = d
	if err := s.learn(ctx, store, x); err != nil {
		return err
	}
	d.shared.Policy = d.shared.Version()
	reader := decideReader{store: store, p: s.p, engine: engine}
	known, err := reader.customers(ctx)
	if err != nil {
		return err
	}
	d.place = known.word
	if err := errors.Join(reader.tickets(ctx, known), reader.habits(ctx, known)); err != nil {
		return err
	}
	d.habit = known.habit
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
				for k, action := range d.several {
					channel := engine.Catalogue.Channel(action, c.Contactable, histories[i-lo], s.o.Cutoff)
					d.channel[i*len(d.several)+k] = uint8(slices.Index(actions.Channels, channel))
				}
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
		Facts: actions.Facts{Status: s.p.Status[i], StatusCode: s.p.StatusCode[i], Probability: nan, Value: nan, Stage: s.stageName(i),
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
	if d.learned != nil {
		for action, column := range d.learned.Actions {
			hashText(h, fmt.Sprintf("effects of %d: %d", action, len(column)))
			for _, e := range column {
				binary.LittleEndian.PutUint32(b[:4], math.Float32bits(e.Mean))
				binary.LittleEndian.PutUint32(b[4:8], math.Float32bits(e.SE))
				h.Write(b[:8])
			}
		}
		hashText(h, fmt.Sprint(d.learned.Events, d.learned.Settled))
	}
	for i := range d.customer { // value is in the hash already
		binary.LittleEndian.PutUint64(b[:8], d.eligible[i])
		binary.LittleEndian.PutUint64(b[8:], math.Float64bits(d.pressure[i]))
		h.Write(b[:])
		h.Write([]byte{d.habit[i].Hour, d.habit[i].Day})
		h.Write(d.channel[i*len(d.several) : (i+1)*len(d.several)])
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

// learn asks the model of effects about the scored customers, and finds their mean risk.
func (s *scoring) learn(ctx context.Context, store *features.Store, x *features.Matrix) error {
	d, model := s.deciding, s.o.Decide.Effects
	var sum float64
	d.risk = make([]float64, len(s.margin))
	for i, k := range s.eligible {
		if d.row[i] = int32(k); k >= 0 {
			d.risk[k] = s.o.Model.Artifact.Calibration.Probability(s.margin[k])
			sum += d.risk[k]
		}
	}
	if len(s.margin) > 0 {
		d.churn = sum / float64(len(s.margin))
	}
	if model == nil || len(s.margin) == 0 {
		return nil
	}
	d.shared.Effects = model.Identity()
	own, err := besideColumns(ctx, store, s.o.Model.Artifact, model.Entries(), besides{s.p, x})
	if err != nil {
		return fmt.Errorf("compute the features of effects: %w", err)
	}
	if d.learned, err = model.Effects(d.engine.Catalogue, own, d.risk); err != nil {
		return fmt.Errorf("effects of actions: %w", err)
	}
	for action, column := range d.learned.Actions {
		if column != nil && len(column) != len(s.margin) {
			return fmt.Errorf("effects of actions: %d of action %d for %d scored customers", len(column), action, len(s.margin))
		}
	}
	return nil
}

// draw gives every customer a turn in the run's keyed order.
func (d *deciding) draw(ctx context.Context, runID string) (err error) {
	d.shared.RunID = runID
	round := &actions.Round{Catalogue: d.engine.Catalogue, RunID: runID, Cutoff: d.shared.Cutoff, Share: d.shared.Share, Explore: d.shared.Explore,
		Budget: d.shared.Budget, Customer: d.customer, Eligible: d.eligible, Value: d.value, Pressure: d.pressure, Learned: d.learned, Row: d.row}
	if d.turns, err = round.Decide(ctx); err != nil {
		return err
	}
	var held, treated int
	for i, row := range d.row {
		switch {
		case row < 0:
		case d.turns.Held(i):
			held++
		default:
			treated++
		}
	}
	d.shared.Account = d.turns.Account(d.churn, held, treated, d.shared.Effects)
	for i, code := range d.zone {
		at := presence{code, d.habit[i]}
		if _, ok := d.moments[at]; !ok {
			d.moments[at] = d.shared.Catalogue.Policy.MomentOf(d.place.text(code), at.habit, d.shared.Cutoff)
		}
		if _, ok := d.awake[code]; !ok {
			d.awake[code] = d.shared.Catalogue.Policy.Awake(d.place.text(code), d.shared.Cutoff)
		}
	}
	return nil
}

// decision is what was decided for customer i.
func (d *deciding) decision(i int) actions.Decision {
	c := d.engine.Catalogue
	made := actions.Decision{CustomerID: d.customer[i], Holdout: d.turns.Held(i),
		Chosen: c.Actions[d.turns.Chosen(i)].ID, Value: d.value[i], Pressure: d.pressure[i]}
	var propensity [actions.MaxActions]float64
	d.turns.Propensities(propensity[:len(c.Actions)], i)
	mask, why := d.turns.Open(i), d.why(i)
	for a := range c.Actions {
		id := c.Actions[a].ID
		open, eligible := mask&(1<<a) != 0, d.eligible[i]&(1<<a) != 0
		switch {
		case made.Holdout && c.Withheld(a):
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: id, Reason: holdoutReason})
			if open {
				made.Withheld = append(made.Withheld, actions.Withheld{Action: id, Propensity: propensity[a]})
			}
		case !eligible:
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: id, Reason: d.word.text(why[a])})
		case !open:
			made.Suppressed = append(made.Suppressed, actions.Suppressed{Action: id, Reason: d.turns.Shut(i, a)})
		default:
			made.Options = append(made.Options, d.option(i, a, propensity[a]))
		}
	}
	return made
}

const holdoutReason = "holdout: the control group gets no marketing and no service that was not asked for"

func (d *deciding) option(i, a int, propensity float64) actions.Option {
	c := d.engine.Catalogue
	action := &c.Actions[a]
	o := actions.Option{Action: action.ID, Channel: action.Channel, Propensity: propensity}
	o.Terms, o.Source = d.turns.Terms(i, a)
	if action.ID == actions.DoNothing {
		return o
	}
	if action.Channel == actions.ChannelTicket && d.ticket[i] != 0 {
		o.Channel = d.place.text(d.ticket[i])
	}
	if k := slices.Index(d.several, a); k >= 0 {
		o.Channel = actions.Channels[d.channel[i*len(d.several)+k]]
	}
	switch {
	case c.Withheld(a):
		o.Moment = d.moments[presence{d.zone[i], d.habit[i]}]
	case action.Channel == actions.ChannelTicket: // the customer waits
		o.Moment = d.shared.Cutoff
	default:
		o.Moment = d.awake[d.zone[i]]
	}
	o.Expires = o.Moment.Add(time.Duration(action.ExpiresAfter))
	return o
}

// put writes the decisions.
func (d *deciding) put(ctx context.Context, db *warehouse.Warehouse, now time.Time) error {
	account, err := json.Marshal(d.shared.Account)
	if err != nil {
		return fmt.Errorf("write what the decisions come to: %w", err)
	}
	run := warehouse.DecisionRun{RunID: d.shared.RunID, Cutoff: d.shared.Cutoff, Policy: d.shared.Policy, Document: string(d.shared.Catalogue.Document()),
		Explore: d.shared.Explore, Holdout: d.shared.Share, Account: string(account), DecidedAt: now}
	return db.PutDecisions(ctx, run, len(d.customer), func(i int) warehouse.DecisionRow {
		made := d.decision(i)
		row := decisionRow(run.RunID, &made)
		if row.Risk = math.NaN(); d.row[i] >= 0 && !d.hindsight {
			row.Risk = d.risk[d.row[i]]
		}
		return row
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
