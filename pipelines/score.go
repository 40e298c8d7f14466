package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/actions"
)

// KindChurn is the kind of churn models and of their scoring runs.
const KindChurn = "churn"

// reasonsKept is how many reasons a score tells, "other" not counted.
const reasonsKept = 5

// explainBatch rows are explained at a time: 8 k rows × 100 features are 6 MB of contributions.
const explainBatch = 8192

// ScoreOptions is what one scoring run needs.
type ScoreOptions struct {
	DB      *warehouse.Warehouse // required
	Sources features.Sources
	Model   ServingModel  // required
	Cutoff  time.Time     // exclusive, UTC; required
	Loyalty *LoyaltyModel // scored beside; nil: customers have no loyalty score
	Value   actions.ValueTerms
	Decide  DecideOptions    // of the next best actions
	Stages  *lifecycle.Rules // of the lifecycle; nil: the default preset
	Bands   *models.Bands    // nil: the artifact's
	Warn    func(string)     // told what is odd about the input; nil discards
	Now     func() time.Time // nil means time.Now
}

// ServingModel is an artifact with its model decoded.
type ServingModel struct {
	Artifact *models.Artifact
	Model    models.Explainer
	Address  string // sha256:…
	Version  int
}

// Score scores every customer who exists at the cutoff and makes the run visible by one row, last of all. A killed run leaves
// the one before in force; the same inputs give the same run_id, and then the first run stays in force and is returned.
// Next best actions are decided with it and written before it, so that no run is without them.
// The artifact's catalogue, encoding and label specification compile the matrix, whatever the configuration says today.
func Score(ctx context.Context, o ScoreOptions) (run models.Run, err error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	started := o.Now()
	watch := stopwatch{now: o.Now, last: started, seconds: map[string]float64{"decide": 0}}
	a := o.Model.Artifact
	store := &features.Store{DB: o.DB, Sources: o.Sources}

	in, err := readInput(ctx, store, a, o.Cutoff)
	if err != nil {
		return run, err
	}
	population, monthly := in.Population, in.Monthly
	defer func() { err = errors.Join(err, population.Close(context.WithoutCancel(ctx))) }()
	x, err := a.Encoding.Apply(in.X)
	if err != nil {
		return run, fmt.Errorf("encode features: %w", err)
	}
	watch.lap("features")
	if empty := emptyColumns(x); len(empty) > 0 && o.Warn != nil {
		o.Warn(fmt.Sprintf("no customer has a value of %s: the model was trained with them; is a source missing or late?", strings.Join(empty, ", ")))
	}

	s, err := newScoring(o, population, x, monthly)
	if err != nil {
		return run, err
	}
	if o.Loyalty != nil {
		if err := s.scoreLoyalty(ctx, store, in.X); err != nil {
			return run, fmt.Errorf("score loyalty: %w", err)
		}
	}
	watch.lap("predict")
	if err := s.findStages(ctx); err != nil {
		return run, fmt.Errorf("lifecycle stages: %w", err)
	}
	watch.lap("stages")
	if err := s.prepare(ctx, store, in.X); err != nil {
		return run, fmt.Errorf("decide: %w", err)
	}
	watch.lap("decide")
	id := s.runID()
	if before, err := o.DB.Run(ctx, id); err == nil {
		return runOf(before), nil
	} else if !errors.Is(err, warehouse.ErrNoRun) {
		return run, err
	}
	if err := o.DB.PutScores(ctx, id, len(population.Customer), s.row); err != nil {
		return run, err
	}
	if s.err != nil {
		return run, s.err
	}
	watch.lap("write")
	watch.move("write", "reasons", s.explaining)
	if err := s.stages.put(ctx, id, s.staged, ""); err != nil {
		return run, err
	}
	watch.lap("stages")
	if err := s.deciding.draw(ctx, id); err != nil {
		return run, fmt.Errorf("decide: %w", err)
	}
	if err := s.deciding.put(ctx, o.DB, o.Now()); err != nil {
		return run, err
	}
	watch.lap("decide")

	row := warehouse.RunRow{
		RunID: id, Kind: KindChurn, Cutoff: o.Cutoff, Artifact: o.Model.Address, ModelName: a.Name, ModelVersion: uint32(o.Model.Version),
		HorizonDays: uint16(a.Churn.HorizonDays), Customers: uint64(len(population.Customer)), Scored: uint64(len(s.margin)),
		ByStatus: map[string]uint64{}, Hindsight: o.Cutoff.Before(a.TrainedUntil), StartedAt: started, FinishedAt: o.Now(), Seconds: watch.seconds,
	}
	for _, status := range population.Status {
		row.ByStatus[status]++
	}
	if o.Loyalty != nil {
		row.LoyaltyArtifact, row.LoyaltyVersion = o.Loyalty.Address, uint32(o.Loyalty.Version)
	}
	if err := o.DB.PutRun(ctx, row); err != nil {
		return run, err
	}
	// Another process may have finished the same run in the meantime: the first one is in force.
	kept, err := o.DB.Run(ctx, id)
	if err != nil {
		return run, err
	}
	return runOf(kept), errors.Join(o.DB.PruneRuns(ctx, KindChurn, id), o.DB.PruneDecisions(ctx), o.DB.PruneStages(ctx))
}

// emptyColumns names the features that no row has: they had values at training, or they would not be in the model.
func emptyColumns(x *features.Matrix) (names []string) {
	if x.Rows() == 0 {
		return nil
	}
	for j, column := range x.X {
		if !slices.ContainsFunc(column, func(v float32) bool { return v == v }) {
			names = append(names, x.Schema[j].Name)
		}
	}
	return names
}

// scoring is the state of one run between features and rows.
type scoring struct {
	o          ScoreOptions
	p          *features.Population
	x          *features.Matrix // the eligible customers
	eligible   []int            // row of x of each customer; -1 unless scored
	margin     []float64        // of each row of x
	percentile []int
	value      []float64
	bands      models.Bands
	loyalty    [2][]float64 // of each row of x: P(repeat), P(promotes | repeat); nil without a loyalty model
	stages     *Stages      // set by findStages, as staged
	staged     *staged      // of every customer
	deciding   *deciding    // set by prepare

	contributions []float64 // of rows [explained, explained+explainBatch) of x
	explained     int
	explaining    time.Duration
	err           error
}

func newScoring(o ScoreOptions, p *features.Population, x *features.Matrix, monthly []float64) (*scoring, error) {
	n := len(p.Eligible())
	s := &scoring{o: o, p: p, x: x, eligible: make([]int, len(p.Customer)), margin: make([]float64, n), value: monthly,
		bands: o.Model.Artifact.Bands, explained: -explainBatch}
	if o.Bands != nil {
		s.bands = *o.Bands
	}
	next := 0
	for i, status := range p.Status {
		s.eligible[i] = -1
		if status == models.StatusScored {
			s.eligible[i] = next
			next++
		}
	}
	if next != n || len(monthly) != n {
		return nil, fmt.Errorf("score: %d eligible customers, %d scored statuses, %d values", n, next, len(monthly))
	}
	if n > 0 {
		if err := o.Model.Model.Margin(s.margin, x); err != nil {
			return nil, fmt.Errorf("predict: %w", err)
		}
	}
	s.percentile = models.Percentiles(s.margin)
	for i, m := range monthly {
		s.value[i] = o.Value.Value(m)
	}
	return s, nil
}

// runID is the hash of all that decides the run's rows: kind, cutoff, model, configuration and input.
func (s *scoring) runID() string {
	h := sha256.New()
	configuration, err := json.Marshal(struct {
		Kind, Artifact string
		Version        int
		Cutoff         time.Time
		Bands          models.Bands
	}{KindChurn, s.o.Model.Address, s.o.Model.Version, s.o.Cutoff, s.bands})
	if err != nil {
		panic(err) // plain strings and numbers always marshal
	}
	hashText(h, string(configuration))
	for i, id := range s.p.Customer {
		hashText(h, id)
		hashText(h, s.p.Status[i])
		hashText(h, s.p.StatusCode[i])
	}
	var b [8]byte
	for _, column := range s.x.X {
		for _, v := range column {
			binary.LittleEndian.PutUint32(b[:4], math.Float32bits(v))
			h.Write(b[:4])
		}
	}
	for _, v := range s.value {
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
		h.Write(b[:])
	}
	s.hashLoyalty(h)
	hashText(h, s.stages.Rules.Version)
	s.staged.hash(h)
	s.deciding.hash(h)
	return hex.EncodeToString(h.Sum(nil))[:32]
}

func hashText(h hash.Hash, text string) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(len(text)))
	h.Write(b[:])
	h.Write([]byte(text))
}

// row is the stored score of customer i. Rows are asked for in order, so that the contributions of one batch are held at a time.
func (s *scoring) row(i int) warehouse.ScoreRow {
	nan := math.NaN()
	row := warehouse.ScoreRow{CustomerID: s.p.Customer[i], Status: s.p.Status[i], StatusCode: s.p.StatusCode[i], Stage: s.stageName(i),
		Margin: nan, Probability: nan, Value: nan, Loss: nan, PRepeat: nan, PPromotes: nan}
	k := s.eligible[i]
	if k < 0 || s.err != nil {
		return row
	}
	if err := s.explain(k); err != nil {
		s.err = err
		return row
	}
	a := s.o.Model.Artifact
	row.Margin = s.margin[k]
	row.Probability = a.Calibration.Probability(row.Margin)
	row.Percentile = uint8(s.percentile[k])
	row.Band = s.bands.Band(row.Probability)
	row.Value = s.value[k]
	row.Loss = row.Probability * row.Value
	if s.o.Loyalty != nil {
		row.PRepeat, row.PPromotes = s.loyalty[0][k], s.loyalty[1][k]
	}
	p := s.x.Cols()
	at := k - s.explained
	for _, r := range a.Reasons(reasonsKept, s.x, k, s.contributions[at*p:(at+1)*p]) {
		row.ReasonFeatures = append(row.ReasonFeatures, r.Feature)
		row.ReasonTexts = append(row.ReasonTexts, r.Text)
		row.ReasonValues = append(row.ReasonValues, orNaN(r.Value))
		row.ReasonReferences = append(row.ReasonReferences, orNaN(r.Reference))
		row.ReasonContributions = append(row.ReasonContributions, r.Contribution)
	}
	row.Vector = make([]float32, p)
	for j, column := range s.x.X {
		row.Vector[j] = column[k]
	}
	return row
}

// explain makes sure that the contributions of row k are there.
func (s *scoring) explain(k int) error {
	if k >= s.explained && k < s.explained+explainBatch {
		return nil
	}
	begin := s.o.Now()
	s.explained = k
	hi := min(k+explainBatch, s.x.Rows())
	s.contributions = make([]float64, (hi-k)*s.x.Cols())
	if _, err := s.o.Model.Model.Contributions(s.contributions, s.x.Slice(k, hi)); err != nil {
		return fmt.Errorf("explain: %w", err)
	}
	s.explaining += s.o.Now().Sub(begin)
	return nil
}

// stopwatch tells how long each part of a job took.
type stopwatch struct {
	now     func() time.Time
	last    time.Time
	seconds map[string]float64
}

func (w *stopwatch) lap(part string) {
	now := w.now()
	w.seconds[part] += now.Sub(w.last).Seconds()
	w.last = now
}

// move books d from one part to another.
func (w *stopwatch) move(from, to string, d time.Duration) {
	w.seconds[from] -= d.Seconds()
	w.seconds[to] += d.Seconds()
}

func orNaN(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}
