package pipelines

import (
	"context"
	"slices"
	"time"

	"retain/features"
	"retain/features/revenue"
)

// CohortReport is the JSON of `retain retention`.
type CohortReport struct {
	Setting       features.Setting `json:"setting"`
	Measure       string           `json:"measure"` // what it means to be there still, in words
	CompleteUntil time.Time        `json:"complete_until"`
	Cohorts       []CohortRow      `json:"cohorts"` // by month of begin, oldest first; months in which nobody began are left out
	Average       []CohortCell     `json:"average"` // over all cohorts that are old enough, by age
}

// CohortRow is the customers who began in a month.
type CohortRow struct {
	Month     time.Time    `json:"month"`
	Customers int          `json:"customers"`
	Revenue   *float64     `json:"revenue"` // a month, at the begin; null where no revenue is known
	First     bool         `json:"first"`   // the records begin in it: it may hold customers who were there before
	Cells     []CohortCell `json:"cells"`
}

// CohortCell is who of them is there so many months after that of the begin.
type CohortCell struct {
	Age          int      `json:"age_months"` // 0 is the month of the begin
	Of           int      `json:"of"`         // customers of the cohorts
	Customers    int      `json:"customers"`
	Share        *float64 `json:"share"` // customers / of
	Revenue      *float64 `json:"revenue"`
	RevenueShare *float64 `json:"revenue_share"` // of that at the begin
	Provisional  bool     `json:"provisional"`   // who seems to have left may still renew within the grace
}

// Cohorts tells how many of those who began in a month are still there, and what they pay, month by month. In the contractual setting those count who hold a
// paid period at the end of a month, in the non-contractual those who were active in it; with events those who have not left for the first time.
func Cohorts(ctx context.Context, store *features.Store, c features.ChurnSpec) (*CohortReport, error) {
	r := &CohortReport{Setting: c.Setting, Cohorts: []CohortRow{}, Average: []CohortCell{}}
	var err error
	switch c.Setting {
	case features.Contractual:
		err = r.paying(ctx, store, c)
	case features.EventSetting:
		err = r.staying(ctx, store, c)
	default:
		err = r.active(ctx, store, c)
	}
	if err != nil {
		return nil, err
	}
	if len(r.Cohorts) == 0 {
		return nil, ErrNoMonth
	}
	r.average()
	return r, nil
}

func (r *CohortReport) paying(ctx context.Context, store *features.Store, c features.ChurnSpec) error {
	r.Measure = "holds a paid period at the end of the month"
	bounds, until, err := paidMonths(ctx, store, c, time.Time{})
	if err != nil {
		return err
	}
	r.CompleteUntil = until
	grace := time.Duration(c.GraceDays) * 24 * time.Hour
	cohorts := revenue.NewCohorts(bounds, grace)
	for p, err := range store.Payers(ctx, until, time.Time{}) {
		if err != nil {
			return err
		}
		cohorts.Add(p)
	}
	for k, cohort := range cohorts.List() {
		began := money(cohort.MRR)
		row := CohortRow{Month: cohort.Month, Customers: cohort.Customers, Revenue: &began, First: k == 0}
		for age, cell := range cohort.Cells {
			paid := money(cell.MRR)
			row.Cells = append(row.Cells, CohortCell{Age: age, Customers: cell.Customers, Revenue: &paid, Provisional: bounds[k+1+age].Add(grace).After(until)})
		}
		r.add(row)
	}
	return nil
}

func (r *CohortReport) active(ctx context.Context, store *features.Store, c features.ChurnSpec) error {
	r.Measure = "was active in the month"
	until, err := store.Watermark(ctx, c)
	if err != nil {
		return err
	}
	r.CompleteUntil = until
	last := time.Date(until.Year(), until.Month(), 1, 0, 0, 0, 0, time.UTC)
	cells, err := store.ActivityCohorts(ctx, c, last)
	if err != nil || len(cells) == 0 {
		return err
	}
	bounds := revenue.Months(cells[0].Cohort, last)
	for k, month := range bounds[:len(bounds)-1] {
		row := CohortRow{Month: month, First: k == 0, Cells: make([]CohortCell, len(bounds)-1-k)}
		for age := range row.Cells {
			row.Cells[age] = CohortCell{Age: age}
			if c.CountsSpend() {
				row.Cells[age].Revenue = new(float64)
			}
		}
		for _, cell := range cells {
			if age := slices.Index(bounds, cell.Month) - k; cell.Cohort.Equal(month) && age >= 0 {
				row.Cells[age].Customers = cell.Customers
				if c.CountsSpend() {
					*row.Cells[age].Revenue = money(cell.Spent)
				}
			}
		}
		row.Customers, row.Revenue = row.Cells[0].Customers, row.Cells[0].Revenue
		r.add(row)
	}
	return nil
}

func (r *CohortReport) staying(ctx context.Context, store *features.Store, c features.ChurnSpec) error {
	r.Measure = "has not left by the end of the month"
	t, err := store.Tenures(ctx, c, features.Ungrouped)
	if err != nil || len(t.First) == 0 {
		return err
	}
	r.CompleteUntil = t.Until
	bounds := revenue.Months(time.UnixMilli(slices.Min(t.First)), t.Until)
	for k := range bounds[:len(bounds)-1] {
		row := CohortRow{Month: bounds[k], First: k == 0}
		for age := range len(bounds) - 1 - k {
			row.Cells = append(row.Cells, CohortCell{Age: age})
		}
		for i, first := range t.First {
			if first < bounds[k].UnixMilli() || first >= bounds[k+1].UnixMilli() {
				continue
			}
			row.Customers++
			for age := range row.Cells {
				if t.Left[i] >= bounds[k+1+age].UnixMilli() {
					row.Cells[age].Customers++
				}
			}
		}
		r.add(row)
	}
	return nil
}

// add fills the shares of a cohort and keeps it, if anybody is in it.
func (r *CohortReport) add(row CohortRow) {
	if row.Customers == 0 {
		return
	}
	for i := range row.Cells {
		cell := &row.Cells[i]
		cell.Of = row.Customers
		cell.Share = share(float64(cell.Customers), float64(row.Customers))
		if cell.Revenue != nil {
			cell.RevenueShare = share(*cell.Revenue, *row.Revenue)
		}
	}
	r.Cohorts = append(r.Cohorts, row)
}

// average pools the cohorts by age; the first one, of the month in which the records begin, is left out where there are others.
func (r *CohortReport) average() {
	var began []float64
	for _, row := range r.Cohorts {
		if row.First && len(r.Cohorts) > 1 {
			continue
		}
		for age, cell := range row.Cells {
			if age == len(r.Average) {
				r.Average, began = append(r.Average, CohortCell{Age: age}), append(began, 0)
			}
			pooled := &r.Average[age]
			pooled.Of += cell.Of
			pooled.Customers += cell.Customers
			pooled.Provisional = pooled.Provisional || cell.Provisional
			if cell.Revenue != nil {
				if pooled.Revenue == nil {
					pooled.Revenue = new(float64)
				}
				*pooled.Revenue += *cell.Revenue
				began[age] += *row.Revenue
			}
		}
	}
	for age := range r.Average {
		pooled := &r.Average[age]
		pooled.Share = share(float64(pooled.Customers), float64(pooled.Of))
		if pooled.Revenue != nil {
			pooled.RevenueShare = share(*pooled.Revenue, began[age])
		}
	}
}

// share is part / whole, nil where there is no whole.
func share(part, whole float64) *float64 {
	if !(whole > 0) {
		return nil
	}
	v := part / whole
	return &v
}
