package pipelines

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

// bought are the instants of each customer's purchases in a warehouse.
func bought(t *testing.T, w *warehouse.Warehouse) map[string][]time.Time {
	t.Helper()
	out := map[string][]time.Time{}
	for b, err := range w.Blocks(t.Context(), "SELECT customer_id, toUnixTimestamp64Milli(at) AS ms FROM purchases ORDER BY customer_id, at", nil) {
		if err != nil {
			t.Fatal(err)
		}
		ms := b.Int64s("ms")
		for i, id := range b.Strings("customer_id") {
			out[id] = append(out[id], time.UnixMilli(ms[i]).UTC())
		}
	}
	return out
}

// silentFrom is the days from an instant until a silence of so many days is complete.
func silentFrom(at []time.Time, from time.Time, silence float64) float64 {
	since := 0.
	for _, t := range at {
		days := t.Sub(from).Hours() / 24
		if days < 0 {
			continue
		}
		if days-since >= silence {
			break
		}
		since = days
	}
	return since + silence
}

// The forecast of a small shop, computed once more from the purchases and the scores.
func TestForecast(t *testing.T) {
	w := warehousetest.Open(t)
	m := openShop(t, w, 220)
	options := ForecastOptions{DB: w, Artifact: m.Artifact, Grid: features.DefaultGrid(), Months: 3, Refit: true}
	if _, err := Forecast(t.Context(), options); !errors.Is(err, ErrNoRun) {
		t.Errorf("before any run: %v, want ErrNoRun", err)
	}
	early := worldStart.AddDate(0, 0, 100) // no cutoff of the grid has a known label by then
	cutoff := worldStart.AddDate(0, 0, 220)
	if _, err := Score(t.Context(), scoreShop(w, m, early, cutoff)); err != nil {
		t.Fatal(err)
	}
	if _, err := Forecast(t.Context(), options); !errors.Is(err, ErrNoForecast) {
		t.Errorf("without history: %v, want ErrNoForecast", err)
	}
	if _, err := Score(t.Context(), scoreShop(w, m, cutoff, cutoff)); err != nil {
		t.Fatal(err)
	}
	r, err := Forecast(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	purchases := bought(t, w)
	spec := shopChurn()

	// The life table: everyone eligible at the cutoffs before the run, as far as it is known who left.
	store := &features.Store{DB: w}
	until, err := store.Watermark(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	cutoffs, err := store.Cutoffs(t.Context(), spec, options.Grid)
	if err != nil || len(cutoffs) < 3 {
		t.Fatalf("cutoffs %v, %v", cutoffs, err)
	}
	ends := []float64{30, 60, 90}
	for j, end := range ends {
		var atRisk, left int
		for _, c := range cutoffs {
			if !spec.Known(c, cutoff) || cutoff.Sub(c).Hours()/24 < end {
				continue
			}
			p, err := store.Population(t.Context(), spec, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, id := range p.Eligible() {
				days := silentFrom(purchases[id], c, 30)
				begin := 0.
				if j > 0 {
					begin = ends[j-1]
				}
				if j > 0 && days <= begin {
					continue
				}
				atRisk++
				if days <= end {
					left++
				}
			}
			if err := p.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if got := r.LifeTable[j]; got.End != end || got.AtRisk != atRisk || got.Left != left {
			t.Errorf("period %d is %+v, want %d at risk, %d left", j+1, got, atRisk, left)
		}
	}

	// The months: S*(t) = S(t)^(ln(1-p)/ln S(H)) of each customer.
	_, _, probability, err := w.Scored(t.Context(), r.RunID)
	if err != nil {
		t.Fatal(err)
	}
	log := func(t float64) float64 {
		sum, begin := 0., 0.
		for _, p := range r.LifeTable {
			switch {
			case t >= p.End:
				sum += math.Log(1 - p.Hazard)
			case t > begin && begin > 0:
				sum += math.Log(1-p.Hazard) * (t - begin) / (p.End - begin)
			}
			begin = p.End
		}
		return sum
	}
	for k, month := range r.Months {
		from, to := cutoff.AddDate(0, k, 0), cutoff.AddDate(0, k+1, 0)
		want, variance := 0., 0.
		for _, p := range probability {
			at := func(t time.Time) float64 {
				return math.Exp(log(t.Sub(cutoff).Hours()/24) * math.Log(1-p) / math.Log(1-r.LifeTable[0].Hazard))
			}
			q := at(from) - at(to)
			want, variance = want+q, variance+q*(1-q)
		}
		if !month.From.Equal(from) || !month.To.Equal(to) || math.Abs(month.Churners-want) > 1e-9 {
			t.Errorf("month %d: %+v, want %v churners", k+1, month, want)
		}
		spread := 1.959963984540054 * math.Sqrt(variance+*r.CalibrationError**r.CalibrationError*want*want)
		if math.Abs(month.Low-max(0, want-spread)) > 1e-9 || !(month.High > month.Churners) || month.LostMRR == nil || !(*month.LostMRR > 0 && *month.LostMRR < *r.MRR) {
			t.Errorf("month %d: %+v", k+1, month)
		}
	}
	if len(r.Backtest) < 2 || r.Backtest[0].Method != "life_table" || r.CalibrationError == nil || r.Customers != len(probability) || r.Unvalued != 0 {
		t.Errorf("%+v", r)
	}
	for _, b := range r.Backtest {
		checkObserved(t, b, purchases, until, nil)
	}
	if f := r.Refitted; f == nil || len(f.Cutoffs) == 0 || f.Concordance == nil || !(*f.Concordance > .5) || len(f.Periods) == 0 {
		t.Errorf("refitted %+v", f)
	}

	options.Months = 40
	var beyond *ForecastBeyondError
	if _, err := Forecast(t.Context(), options); !errors.As(err, &beyond) || beyond.Most < 3 || beyond.Most > 7 {
		t.Errorf("forty months of a history of seven: %v", err)
	}

	// Two months later the run itself is what is tested.
	s := shop{customers: 60, seed: 7}
	if _, err := Import(t.Context(), ImportOptions{Warehouse: w, Source: "purchases", Path: "-", Stdin: bytes.NewReader(s.csv(220, 290))}); err != nil {
		t.Fatal(err)
	}
	later := worldStart.AddDate(0, 0, 290)
	if _, err := Score(t.Context(), scoreShop(w, m, later, later)); err != nil {
		t.Fatal(err)
	}
	options.Months, options.Refit = 1, false
	if r, err = Forecast(t.Context(), options); err != nil {
		t.Fatal(err)
	}
	k := slices.IndexFunc(r.Backtest, func(b ForecastBacktest) bool { return b.Method == "run" })
	if k < 0 || !r.Backtest[k].Cutoff.Equal(cutoff) {
		t.Fatalf("the run of %v is not tested: %+v", cutoff, r.Backtest)
	}
	checkObserved(t, r.Backtest[k], bought(t, w), later, probability)
	if r.Refitted != nil {
		t.Error("refitted without being asked")
	}
}

// checkObserved counts who completed a silence in each month of a backtest; with the probabilities of its run it also checks what was expected until the horizon.
func checkObserved(t *testing.T, b ForecastBacktest, purchases map[string][]time.Time, until time.Time, probability []float64) {
	t.Helper()
	for _, m := range b.Months {
		from, to := b.Cutoff.AddDate(0, m.Month-1, 0), b.Cutoff.AddDate(0, m.Month, 0)
		if to.After(until) {
			t.Errorf("month %d of %v is not over at %v", m.Month, b.Cutoff, until)
		}
		observed := 0
		for _, at := range purchases {
			alive := slices.ContainsFunc(at, func(t time.Time) bool {
				return t.Before(b.Cutoff) && !t.Before(b.Cutoff.AddDate(0, 0, -shopChurn().ActiveDays))
			})
			left := b.Cutoff.Add(time.Duration(silentFrom(at, b.Cutoff, 30)*24*float64(time.Hour)) - time.Millisecond)
			if alive && !left.Before(from) && left.Before(to) {
				observed++
			}
		}
		if observed != m.Observed {
			t.Errorf("%v, month %d: %d observed, want %d", b.Cutoff, m.Month, m.Observed, observed)
		}
	}
	if probability != nil {
		sum := 0.
		for _, p := range probability {
			sum += p
		}
		if first := b.Months[0].Expected; first < sum || first > 1.3*sum {
			t.Errorf("%v expected in a month of 31 days, and %v within 30", first, sum)
		}
	}
}
