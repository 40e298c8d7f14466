package pipelines

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"retain/features"
	"retain/models"
	"retain/models/boost"
	"retain/models/linear"
	"retain/models/survival"
)

// backtest forecasts from earlier cutoffs, of runs where there are any and else of the grid, and counts what came.
func (f *forecaster) backtest(ctx context.Context) error {
	origins, err := f.origins(ctx)
	if err != nil {
		return err
	}
	for _, o := range origins {
		f.o.Progress("backtest " + o.cutoff.Format(time.DateOnly))
		table, _, err := f.table(ctx, o.cutoff)
		if errors.Is(err, ErrNoForecast) {
			continue
		}
		if err != nil {
			return err
		}
		rows, err := f.marks.read(ctx, []time.Time{o.cutoff}, knowledge{until: f.until})
		if err != nil {
			return err
		}
		b := ForecastBacktest{Cutoff: o.cutoff, Method: "life_table", Customers: rows.Rows(), Months: []ForecastRatio{}}
		everyone := table.Churn(float64(f.spec.HorizonDays))
		told := func(int) (float64, bool) { return everyone, true }
		if o.run != "" {
			b.Method = "run"
			customer, _, probability, err := f.o.DB.Scored(ctx, o.run)
			if err != nil {
				return err
			}
			of := make(map[string]float64, len(customer))
			for i, id := range customer {
				of[id] = probability[i]
			}
			told = func(i int) (float64, bool) { p, ok := of[rows.Customer[i]]; return p, ok }
		}
		if b.Months, err = f.compare(table, rows, told, f.reach(o.cutoff, table.Periods)); err != nil {
			return err
		}
		if len(b.Months) > 0 {
			f.report.Backtest = append(f.report.Backtest, b)
		}
	}
	f.pool()
	return nil
}

// compare counts month by month, as far as what came is known and the table reaches.
func (f *forecaster) compare(table *survival.Table, rows *survival.Landmarks, told func(i int) (float64, bool), most int) ([]ForecastRatio, error) {
	out := []ForecastRatio{}
	var probability []float64
	var of []int // row of each
	for i := range rows.Exit {
		if p, ok := told(i); ok {
			probability, of = append(probability, p), append(of, i)
		}
	}
	survivors, err := f.survivors(table, probability)
	if err != nil {
		return nil, err
	}
	for month := 1; month <= most && len(of) > 0; month++ {
		from, to := f.span(rows.Cutoff[0], month)
		if rows.Seen[0] < to {
			break
		}
		r := ForecastRatio{Month: month}
		for k, i := range of {
			q := survivors[k].At(from) - survivors[k].At(to)
			r.Expected += q
			r.variance += q * (1 - q)
			if rows.Exit[i] >= from && rows.Exit[i] < to {
				r.Observed++
			}
		}
		if r.Expected > 0 {
			r.Ratio = share(float64(r.Observed), r.Expected)
		}
		out = append(out, r)
	}
	return out, nil
}

// pool adds the months up over the cutoffs and tells the calibration error: what the squared differences leave beyond chance, relative to what was expected.
func (f *forecaster) pool() {
	r := f.report
	var excess, expected float64
	for _, b := range r.Backtest {
		for _, m := range b.Months {
			if m.Month > len(r.ByMonth) {
				r.ByMonth = append(r.ByMonth, ForecastRatio{Month: m.Month})
			}
			pooled := &r.ByMonth[m.Month-1]
			pooled.Expected += m.Expected
			pooled.Observed += m.Observed
			pooled.variance += m.variance
			off := float64(m.Observed) - m.Expected
			excess += off*off - m.variance
			expected += m.Expected * m.Expected
		}
	}
	for i := range r.ByMonth {
		r.ByMonth[i].Ratio = share(float64(r.ByMonth[i].Observed), r.ByMonth[i].Expected)
	}
	if expected > 0 {
		e := math.Sqrt(max(0, excess/expected))
		r.CalibrationError = &e
		return
	}
	r.Warnings = append(r.Warnings, "no earlier cutoff could be tested: the intervals hold chance alone")
}

// forecastOrigin is where a backtest stands.
type forecastOrigin struct {
	cutoff time.Time
	run    string // "" = a cutoff of the grid
}

// origins are the newest cutoffs, newest first, of which a month is over: of runs that were made without hindsight, one a month, else of the grid.
func (f *forecaster) origins(ctx context.Context) ([]forecastOrigin, error) {
	runs, err := f.o.DB.Runs(ctx, KindChurn)
	if err != nil {
		return nil, err
	}
	var out []forecastOrigin
	over := func(t time.Time) bool {
		_, to := f.span(t, 1)
		grace := 0
		if f.spec.Setting == features.Contractual {
			grace = f.spec.GraceDays
		}
		first := time.Duration(max(to, float64(silentDays(f.spec)))*24) * time.Hour
		return t.Before(f.report.Cutoff) && !t.AddDate(0, 0, f.spec.GapDays+grace).Add(first).After(f.until)
	}
	month := func(t time.Time) string { return t.Format("2006-01") }
	seen := map[string]bool{}
	for _, run := range runs {
		if int(run.HorizonDays) == f.spec.HorizonDays && !run.Hindsight && run.Scored > 0 && over(run.Cutoff) && !seen[month(run.Cutoff)] {
			seen[month(run.Cutoff)] = true
			out = append(out, forecastOrigin{run.Cutoff.UTC(), run.RunID})
		}
	}
	for _, t := range f.cutoffs {
		if over(t) && !seen[month(t)] {
			out = append(out, forecastOrigin{cutoff: t})
		}
	}
	slices.SortFunc(out, func(a, b forecastOrigin) int { return b.cutoff.Compare(a.cutoff) })
	return out[:min(len(out), forecastOrigins)], nil
}

// ForecastRefit is how hazards with features, refitted at earlier cutoffs, did on the customers of those cutoffs.
type ForecastRefit struct {
	Cutoffs             []time.Time      `json:"cutoffs"` // newest first
	Family              string           `json:"family"`
	Rows                int              `json:"rows"`        // customers at cutoffs
	Concordance         *float64         `json:"concordance"` // of the risk with the time to leaving, mean over the cutoffs by rows
	Integrated          *float64         `json:"integrated_brier"`
	IntegratedReference *float64         `json:"integrated_brier_life_table"`
	Periods             []ForecastTested `json:"periods"`
}

// ForecastTested is one period over all cutoffs.
type ForecastTested struct {
	End       float64  `json:"end_days"`
	Rows      int      `json:"rows"`
	Expected  float64  `json:"expected"`
	Observed  int      `json:"observed"`
	Ratio     *float64 `json:"ratio"`
	Brier     float64  `json:"brier"`
	Reference float64  `json:"brier_life_table"`
}

// hazardFlexible is how many leavers boosted hazards need; with fewer they are linear.
const hazardFlexible = 200

func hazardTrainer(rows, positives, columns int) models.Trainer {
	if positives < hazardFlexible {
		return linear.Defaults(rows, positives, columns)
	}
	return boost.Defaults(rows, positives, columns)
}

// refit fits hazards with the champion's features at earlier cutoffs and measures them on what came.
func (f *forecaster) refit(ctx context.Context) error {
	out := &ForecastRefit{Cutoffs: []time.Time{}, Periods: []ForecastTested{}}
	var weight, concordance, integrated, reference float64
	for _, b := range f.report.Backtest {
		t := b.Cutoff
		f.o.Progress("refit hazards at " + t.Format(time.DateOnly))
		table, train, err := f.table(ctx, t)
		if err != nil {
			return err
		}
		model, err := survival.Trainer{Hazard: hazardTrainer}.Fit(ctx, table.Periods, train, rand.New(rand.NewPCG(1, uint64(t.Unix()))))
		if errors.Is(err, models.ErrOneClass) {
			continue
		}
		if err != nil {
			return err
		}
		test, err := f.marks.read(ctx, []time.Time{t}, knowledge{until: f.until})
		if err != nil {
			return err
		}
		measured, err := f.measure(model, table, test)
		if err != nil {
			return err
		}
		if len(measured.Periods) == 0 {
			continue
		}
		out.Family = "linear"
		if model.Positives >= hazardFlexible {
			out.Family = "boost"
		}
		out.add(measured)
		out.Cutoffs, out.Rows = append(out.Cutoffs, t), out.Rows+test.Rows()
		n := float64(test.Rows())
		weight, integrated, reference = weight+n, integrated+n*measured.Integrated, reference+n*measured.IntegratedReference
		concordance += n * measured.Concordance
	}
	if weight > 0 {
		out.Concordance, out.Integrated, out.IntegratedReference = orNull(concordance/weight), orNull(integrated/weight), orNull(reference/weight)
	}
	f.report.Refitted = out
	return nil
}

// measure holds hazards by themselves, without a calibrated probability, against what came.
func (f *forecaster) measure(m *survival.Model, table *survival.Table, test *survival.Landmarks) (survival.Measured, error) {
	hazards, err := m.Hazards(test.X)
	if err != nil {
		return survival.Measured{}, err
	}
	survivors := make([]survival.Survivor, len(hazards))
	for i, h := range hazards {
		if survivors[i], err = survival.NewSurvivor(m.Periods, h, m.Periods.Ends[0], h[0]); err != nil {
			return survival.Measured{}, err
		}
	}
	return survival.Measure(m.Periods, survivors, test, table)
}

func (r *ForecastRefit) add(m survival.Measured) {
	for j, p := range m.Periods {
		if j == len(r.Periods) {
			r.Periods = append(r.Periods, ForecastTested{End: p.End})
		}
		tested := &r.Periods[j]
		n, all := float64(p.Rows), float64(p.Rows+tested.Rows)
		tested.Brier += (p.Brier - tested.Brier) * n / all
		tested.Reference += (p.Reference - tested.Reference) * n / all
		tested.Rows += p.Rows
		tested.Observed += p.Left
		tested.Expected += p.Expected
		tested.Ratio = share(float64(tested.Observed), tested.Expected)
	}
}
