package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"retain/features"
	"retain/internal/interval"
	"retain/internal/warehouse"
	"retain/models"
	"retain/models/survival"
)

// ForecastOptions say what to forecast.
type ForecastOptions struct {
	DB       *warehouse.Warehouse // required
	Sources  features.Sources
	Artifact *models.Artifact // of the run in force; required
	Grid     features.Grid    // where the life table and the backtest stand
	Until    *time.Time       // data_until of the configuration; nil = the watermark
	Months   int              // how many to look ahead; 0 = 3
	Refit    bool             // backtest hazards refitted with the features too, which takes as long as a training
	Progress func(string)     // told what is done; nil discards
}

// ForecastReport is the JSON of `retain forecast`.
type ForecastReport struct {
	RunID       string          `json:"run_id"`
	Cutoff      time.Time       `json:"cutoff"`
	Model       models.ModelRef `json:"model"`
	HorizonDays int             `json:"horizon_days"`
	Customers   int             `json:"customers"`   // scored in the run: those who are forecast
	MonthlyWhat string          `json:"mrr_is"`      // mrr, or the net spend of the last 365 days / 12; "" where neither is known
	MRR         *float64        `json:"mrr"`         // of them, a month
	Unvalued    int             `json:"without_mrr"` // of them, customers of whom neither is known
	Months      []ForecastMonth `json:"months"`
	// CalibrationError is the relative standard deviation of observed / expected over the backtest beyond chance, which widens the intervals; null: nothing could be tested.
	CalibrationError *float64           `json:"calibration_error"`
	Backtest         []ForecastBacktest `json:"backtest"`   // newest cutoff first
	ByMonth          []ForecastRatio    `json:"by_month"`   // over the backtest's cutoffs
	LifeTable        []ForecastPeriod   `json:"life_table"` // the shape of leaving over time, from earlier cutoffs
	Refitted         *ForecastRefit     `json:"refitted"`   // null unless asked for
	Warnings         []string           `json:"warnings"`
}

// ForecastMonth is one month ahead. Intervals hold 95 % of what chance and the calibration error leave open.
type ForecastMonth struct {
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	There    float64   `json:"customers_at_begin"` // expected
	Churners float64   `json:"expected_churners"`
	Low      float64   `json:"churners_low"`
	High     float64   `json:"churners_high"`
	LostMRR  *float64  `json:"expected_lost_mrr"`
	LostLow  *float64  `json:"lost_mrr_low"`
	LostHigh *float64  `json:"lost_mrr_high"`
	// Announced are customers who have cancelled already and whose paid time ends in the month. They are not scored, and come on top.
	Announced    int      `json:"announced_churners"`
	AnnouncedMRR *float64 `json:"announced_mrr"`
}

// ForecastBacktest is what would have been forecast at an earlier cutoff, and what came.
type ForecastBacktest struct {
	Cutoff    time.Time       `json:"cutoff"`
	Method    string          `json:"method"` // run: the probabilities told then; life_table: the same hazards for everyone
	Customers int             `json:"customers"`
	Months    []ForecastRatio `json:"months"` // those that are over
}

// ForecastRatio compares one month.
type ForecastRatio struct {
	Month    int      `json:"month"` // from 1
	Expected float64  `json:"expected"`
	Observed int      `json:"observed"`
	Ratio    *float64 `json:"ratio"` // observed / expected
	variance float64  // of the observed by chance
}

// ForecastPeriod is one period of the life table.
type ForecastPeriod struct {
	End    float64 `json:"end_days"`
	AtRisk int     `json:"at_risk"`
	Left   int     `json:"left"`
	Hazard float64 `json:"hazard"`
}

const (
	defaultForecastMonths = 3
	forecastCutoffs       = 12 // of the life table: the newest
	forecastOrigins       = 6  // of the backtest
)

// ForecastBeyondError says that the history does not reach so many months ahead.
type ForecastBeyondError struct {
	Asked, Most int
	Days        float64 // that the history reaches
}

func (e *ForecastBeyondError) Error() string {
	return fmt.Sprintf("the history tells of leaving within %.0f days only: ask for at most %d months", e.Days, e.Most)
}

// ErrNoForecast says that no cutoff before the run has known labels.
var ErrNoForecast = errors.New("no cutoff before the run in force has known labels: the shape of leaving over time cannot be told; import more history")

// forecaster is a forecast at work.
type forecaster struct {
	o       ForecastOptions
	store   *features.Store
	spec    features.ChurnSpec
	marks   *landmarks
	cutoffs []time.Time // of the grid with known labels, oldest first
	until   time.Time   // watermark
	report  *ForecastReport
}

// Forecast tells how many of the customers of the run in force will leave month by month, and what monthly revenue goes with them: their calibrated probabilities
// give the level at the horizon, a life table of earlier cutoffs the shape (survival.Survivor). Months are counted from the begin of the label window.
func Forecast(ctx context.Context, o ForecastOptions) (_ *ForecastReport, err error) {
	if o.Months == 0 {
		o.Months = defaultForecastMonths
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	f := &forecaster{o: o, store: &features.Store{DB: o.DB, Sources: o.Sources}, spec: o.Artifact.Churn}
	f.marks = newLandmarks(f.store, o.Artifact, o.Refit)
	defer func() { err = errors.Join(err, f.marks.Close(ctx)) }()
	run, err := o.DB.RunInForce(ctx, KindChurn)
	if err != nil {
		return nil, err
	}
	f.spec.DataUntil = o.Until
	f.report = &ForecastReport{RunID: run.RunID, Cutoff: run.Cutoff.UTC(), Model: models.ModelRef{Name: run.ModelName, Version: int(run.ModelVersion)},
		HorizonDays: f.spec.HorizonDays, Months: []ForecastMonth{}, Backtest: []ForecastBacktest{}, ByMonth: []ForecastRatio{}, Warnings: []string{}}
	if f.until, err = f.store.Watermark(ctx, f.spec); err != nil {
		return nil, err
	}
	if f.cutoffs, err = f.store.Cutoffs(ctx, f.spec, o.Grid); err != nil {
		return nil, err
	}
	table, _, err := f.table(ctx, f.report.Cutoff)
	if err != nil {
		return nil, err
	}
	for j, h := range table.Hazards() {
		f.report.LifeTable = append(f.report.LifeTable, ForecastPeriod{table.Periods.Ends[j], table.AtRisk[j], table.Left[j], h})
	}
	if err := f.backtest(ctx); err != nil {
		return nil, err
	}
	if err := f.ahead(ctx, run.RunID, table); err != nil {
		return nil, err
	}
	if o.Refit {
		if err := f.refit(ctx); err != nil {
			return nil, fmt.Errorf("refit: %w", err)
		}
	}
	return f.report, nil
}

// table is the life table of one who stands at an instant, and the customers at cutoffs that it counts.
func (f *forecaster) table(ctx context.Context, at time.Time) (*survival.Table, *survival.Landmarks, error) {
	cutoffs := f.known(at)
	if len(cutoffs) == 0 {
		return nil, nil, ErrNoForecast
	}
	rows, err := f.marks.read(ctx, cutoffs, standing(at))
	if err != nil {
		return nil, nil, err
	}
	reach := 0.
	for _, seen := range rows.Seen {
		reach = max(reach, seen)
	}
	table, err := survival.NewTable(survival.NewPeriods(reach, silentDays(f.spec)), rows)
	if err != nil {
		return nil, nil, err
	}
	// The horizon must lie within the periods: where it is no multiple of them, somebody must have been seen through the one that holds it.
	if n := len(table.Periods.Ends); n == 0 || table.Periods.Ends[n-1] < float64(f.spec.HorizonDays) {
		return nil, nil, ErrNoForecast
	}
	return table, rows, nil
}

// known are the newest cutoffs whose labels are known to one who stands at an instant.
func (f *forecaster) known(at time.Time) (cutoffs []time.Time) {
	for _, t := range f.cutoffs {
		if f.spec.Known(t, at) {
			cutoffs = append(cutoffs, t)
		}
	}
	return cutoffs[max(0, len(cutoffs)-forecastCutoffs):]
}

// span is a month ahead in days from T+L.
func (f *forecaster) span(cutoff time.Time, month int) (from, to float64) {
	begin := cutoff.AddDate(0, 0, f.spec.GapDays)
	days := func(months int) float64 { return begin.AddDate(0, months, 0).Sub(begin).Hours() / 24 }
	return days(month - 1), days(month)
}

// reach is how many months a table covers.
func (f *forecaster) reach(cutoff time.Time, p survival.Periods) (months int) {
	for {
		if _, to := f.span(cutoff, months+1); to > p.Ends[len(p.Ends)-1] {
			return months
		}
		months++
	}
}

// ahead forecasts the customers of the run.
func (f *forecaster) ahead(ctx context.Context, runID string, table *survival.Table) error {
	r := f.report
	if most := f.reach(r.Cutoff, table.Periods); f.o.Months > most {
		return &ForecastBeyondError{Asked: f.o.Months, Most: most, Days: table.Periods.Ends[len(table.Periods.Ends)-1]}
	}
	f.o.Progress("forecast the run of " + r.Cutoff.Format(time.DateOnly))
	landing, err := f.marks.at(ctx, r.Cutoff)
	if err != nil {
		return err
	}
	monthly, err := f.store.MonthlyValue(ctx, landing.population)
	if err != nil {
		return err
	}
	paid := make(map[string]float64, len(monthly))
	for i, id := range landing.population.Eligible() {
		paid[id] = monthly[i]
	}
	customer, _, probability, err := f.o.DB.Scored(ctx, runID)
	if err != nil {
		return err
	}
	r.Customers = len(customer)
	values := make([]float64, len(customer))
	total := 0.
	for i, id := range customer {
		v, ok := paid[id]
		if !ok || math.IsNaN(v) {
			r.Unvalued++
			continue
		}
		values[i] = v
		total += v
	}
	if r.Unvalued < len(customer) {
		r.MRR, r.MonthlyWhat = &total, "mrr"
		if f.spec.Setting != features.Contractual {
			r.MonthlyWhat = "mrr, else the net spend of the last 365 days / 12"
		}
	}
	error2 := 0.
	if e := r.CalibrationError; e != nil {
		error2 = *e * *e
	}
	survivors, err := f.survivors(table, probability)
	if err != nil {
		return err
	}
	for month := 1; month <= f.o.Months; month++ {
		from, to := f.span(r.Cutoff, month)
		m := ForecastMonth{From: r.Cutoff.AddDate(0, 0, f.spec.GapDays).AddDate(0, month-1, 0), To: r.Cutoff.AddDate(0, 0, f.spec.GapDays).AddDate(0, month, 0)}
		var variance, lost, lostVariance float64
		for i, s := range survivors {
			q := s.At(from) - s.At(to)
			m.There += s.At(from)
			m.Churners += q
			variance += q * (1 - q)
			lost += q * values[i]
			lostVariance += q * (1 - q) * values[i] * values[i]
		}
		m.Low, m.High = sumInterval(m.Churners, variance+error2*m.Churners*m.Churners, m.There)
		if r.MRR != nil {
			low, high := sumInterval(lost, lostVariance+error2*lost*lost, total)
			m.LostMRR, m.LostLow, m.LostHigh = &lost, &low, &high
		}
		r.Months = append(r.Months, m)
	}
	return f.announced(ctx, landing.population)
}

// survivors joins the probabilities of a run with the hazards of a table.
func (f *forecaster) survivors(table *survival.Table, probability []float64) ([]survival.Survivor, error) {
	hazards := table.Hazards()
	out := make([]survival.Survivor, len(probability))
	for i, p := range probability {
		var err error
		if out[i], err = survival.NewSurvivor(table.Periods, hazards, float64(f.spec.HorizonDays), p); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// sumInterval is the 95 % interval of a sum of many independent small parts around its mean, by the normal approximation, within [0, most].
func sumInterval(mean, variance, most float64) (low, high float64) {
	spread := interval.Z95 * math.Sqrt(variance)
	return max(0, mean-spread), min(most, mean+spread)
}

// announced counts who has cancelled already, by the month in which the last paid period ends.
func (f *forecaster) announced(ctx context.Context, p *features.Population) error {
	if f.spec.Setting != features.Contractual || p.ByStatus()[features.StatusNotEligible] == 0 {
		return nil
	}
	pending := map[string]bool{}
	for i, code := range p.StatusCode {
		if code == features.CodeCancelPending {
			pending[p.Customer[i]] = true
		}
	}
	at := p.Cutoff.UnixMilli()
	for payer, err := range f.store.Payers(ctx, p.Cutoff, p.Cutoff) {
		if err != nil {
			return err
		}
		if !pending[payer.Customer] {
			continue
		}
		var end, paid int64
		for _, period := range payer.Periods {
			if period.End >= at {
				end, paid = max(end, period.End), paid+period.MRR
			}
		}
		k := slices.IndexFunc(f.report.Months, func(m ForecastMonth) bool { return end >= m.From.UnixMilli() && end < m.To.UnixMilli() })
		if k < 0 {
			continue
		}
		m := &f.report.Months[k]
		m.Announced++
		if m.AnnouncedMRR == nil {
			m.AnnouncedMRR = new(float64)
		}
		*m.AnnouncedMRR += money(paid)
	}
	return nil
}
