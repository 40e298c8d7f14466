package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// SourceFreshness is how new the rows of a source, or of your own feature table, are.
type SourceFreshness struct {
	Source     string     `json:"source"`
	Rows       uint64     `json:"rows"`
	NewestAt   *time.Time `json:"newest_at"`   // null without rows
	BehindDays *float64   `json:"behind_days"` // how far the newest row lies before the cutoff of the run; at least 0
	UsualGap   *int       `json:"usual_gap"`   // longest stretch between two days with rows in the 28 days up to the newest, in days; null without rows, and for a feature table that was written once
	Stale      bool       `json:"stale"`       // behind by more than two days and by more than three usual gaps
	MedianLag  *float64   `json:"lag_hours"`   // from happening to knowledge, median of the rows, in hours
}

// freshness looks at the newest rows of every source that has any, your own feature table too.
func (m *monitor) freshness(ctx context.Context) error {
	age := m.o.Now.Sub(m.run.Cutoff)
	if age < 0 {
		m.check("cutoff", true, "the run stands at %s, in the future, and stays in force until one of a later cutoff is made", m.run.Cutoff.Format(time.RFC3339))
	} else {
		m.check("cutoff", age > staleRun+24*time.Hour, "the run stands at %s, %.1f days ago", m.run.Cutoff.Format(time.RFC3339), age.Hours()/24)
	}
	names := []string{}
	for _, source := range warehouse.ImportSources {
		if source.Name != features.Customers { // a row a customer, not one a happening
			names = append(names, source.Name)
		}
	}
	var stale []string
	for _, name := range append(names, features.OwnFeatures) {
		f, err := m.freshnessOf(ctx, name)
		if err != nil {
			return fmt.Errorf("freshness of %s: %w", name, err)
		}
		if f.Rows == 0 {
			continue
		}
		m.report.Sources = append(m.report.Sources, f)
		if f.Stale {
			stale = append(stale, fmt.Sprintf("%s ends %.1f days before the cutoff (rows used to come every %d days)", f.Source, *f.BehindDays, *f.UsualGap))
		}
	}
	m.check("freshness", len(stale) > 0, "%s", cmp.Or(strings.Join(stale, "; "), fmt.Sprintf("%d sources have rows up to the cutoff", len(m.report.Sources))))
	return nil
}

func (m *monitor) freshnessOf(ctx context.Context, source string) (SourceFreshness, error) {
	f := SourceFreshness{Source: source}
	rows, err := m.rowsOf(ctx, source)
	if err != nil || rows == "" {
		return f, err
	}
	var newest int64
	var days []uint32
	var lag float64
	err = m.o.DB.Conn().QueryRow(ctx, `SELECT count() AS n, toUnixTimestamp64Milli(max(at)) AS newest,
		arraySort(groupUniqArray(toUInt32(intDiv(toUnixTimestamp64Milli(greatest(at, toDateTime64(0, 3, 'UTC'))), 86400000)))) AS days,
		toFloat64(quantile(0.5)(greatest(toUnixTimestamp64Milli(ingested_at) - toUnixTimestamp64Milli(at), 0))) AS lag FROM `+rows).Scan(&f.Rows, &newest, &days, &lag)
	if err != nil || f.Rows == 0 {
		return f, err
	}
	at := time.UnixMilli(newest).UTC()
	day := newest / (24 * time.Hour).Milliseconds()
	gap := 1
	for i := len(days) - 1; i > 0 && int64(days[i]) > day-freshDays; i-- {
		gap = max(gap, int(days[i]-days[i-1]))
	}
	behind := max(0, m.run.Cutoff.Sub(at).Hours()/24)
	hours := lag / float64(time.Hour.Milliseconds())
	f.NewestAt, f.BehindDays, f.UsualGap, f.MedianLag = &at, &behind, &gap, &hours
	if source == features.OwnFeatures && len(days) == 1 { // written once: there is no rhythm that it could be behind
		f.UsualGap = nil
		return f, nil
	}
	f.Stale = behind > staleDays && behind > staleGaps*float64(gap)
	return f, nil
}

// rowsOf is the FROM-expression of the clocks of a source; "" where there is none.
func (m *monitor) rowsOf(ctx context.Context, source string) (string, error) {
	if source == features.OwnFeatures {
		return m.store.OwnRows(ctx, m.o.Now)
	}
	return m.store.Versions(ctx, source, []string{"at", "ingested_at"}, m.o.Now)
}
