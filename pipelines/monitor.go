package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/training"
)

// MonitorOptions is what the monitor looks at.
type MonitorOptions struct {
	DB      *warehouse.Warehouse // required
	Sources features.Sources
	Now     time.Time // required
	Cutoff  time.Time // of the run; zero: the run in force
}

// MonitorReport is the report of the monitor job.
type MonitorReport struct {
	RunID         string            `json:"run_id"`
	Cutoff        time.Time         `json:"cutoff"`
	PreviousRunID *string           `json:"previous_run_id"` // of the next smaller cutoff; null without one
	Checks        []MonitorCheck    `json:"checks"`
	Sources       []SourceFreshness `json:"sources"`
	Missing       []MissingShare    `json:"missing"`          // features that no scored customer has, or markedly fewer than in the previous run
	Features      []FeatureDrift    `json:"features"`         // of the model that scored, the most important first; empty for a model without reference
	Vanished      []string          `json:"vanished_sources"` // of whose features nobody has a value any more
	Margin        *Drift            `json:"margin"`           // of the margins against the training rows; null for a model without reference
	Drift         *Drift            `json:"drift"`            // of the scores against the previous run; null without one
	Realised      []Realised        `json:"realised"`
	Maturing      *Maturing         `json:"maturing"` // the next run whose labels will be known; null without one
	Shadow        *ShadowVerdict    `json:"shadow"`   // null without one
}

// MonitorCheck is one finding.
type MonitorCheck struct {
	Name    string `json:"name"`
	Status  string `json:"status"` // ok or warning
	Message string `json:"message"`
}

// The statuses of a MonitorCheck.
const (
	checkOK      = "ok"
	checkWarning = "warning"
)

// MissingShare is how many scored customers lack a feature.
type MissingShare struct {
	Feature  string   `json:"feature"`
	Share    float64  `json:"share"`    // in [0, 1]
	Previous *float64 `json:"previous"` // null without a previous run of the same columns
}

// Monitor compares the run in force with the data behind it, the run before it and what has become of the customers of earlier runs. What it finds is
// told, not acted upon. Errors: ErrNoRun, or of the warehouse.
func Monitor(ctx context.Context, o MonitorOptions) (Outcome, error) {
	runs, err := o.DB.Runs(ctx, KindChurn)
	if err != nil {
		return Outcome{}, err
	}
	at := slices.IndexFunc(runs, func(r warehouse.RunRow) bool { return o.Cutoff.IsZero() || r.Cutoff.Equal(o.Cutoff) })
	switch {
	case len(runs) == 0:
		return Outcome{}, fmt.Errorf("%w yet: `retain score` makes one", ErrNoRun)
	case at < 0:
		return Outcome{}, fmt.Errorf("%w at %s: the latest stands at %s; `retain score --cutoff T` makes another",
			ErrNoRun, o.Cutoff.UTC().Format(time.RFC3339), runs[0].Cutoff.UTC().Format(time.RFC3339))
	}
	m := &monitor{o: o, store: &features.Store{DB: o.DB, Sources: o.Sources}, run: runs[at], runs: runs, reach: map[string]reached{}, labels: map[string]map[string]float64{}, treated: map[string]int{}, existed: map[string]map[string]bool{},
		report: &MonitorReport{RunID: runs[at].RunID, Cutoff: runs[at].Cutoff, Checks: []MonitorCheck{}, Sources: []SourceFreshness{}, Missing: []MissingShare{}, Features: []FeatureDrift{}, Vanished: []string{},
			Realised: []Realised{}}}
	for i := range runs[at:] {
		if r := &runs[at+i]; r.Cutoff.Before(m.run.Cutoff) {
			m.previous = r
			m.report.PreviousRunID = &r.RunID
			break
		}
	}
	if m.artifact, err = m.artifactOf(ctx, m.run.Artifact); err != nil {
		return Outcome{}, err
	}
	for _, step := range []func(context.Context) error{m.freshness, m.population, m.columns, m.drift, m.realised, m.shadow} {
		if err := step(ctx); err != nil {
			return Outcome{}, err
		}
	}
	return Outcome{Rows: int64(m.run.Customers), Message: m.message(), Report: m.report}, nil
}

// monitor is one monitoring under way.
type monitor struct {
	o        MonitorOptions
	store    *features.Store
	run      warehouse.RunRow
	previous *warehouse.RunRow // nil without one
	runs     []warehouse.RunRow
	artifact *models.Artifact              // of run
	reach    map[string]reached            // by artifact
	labels   map[string]map[string]float64 // known ones, by run and customer
	guard    *training.Guard               // nil before the first labels
	treated  map[string]int                // customers with a known label left out, by run
	existed  map[string]map[string]bool    // customers at the newest training cutoff, by artifact
	report   *MonitorReport
}

func (m *monitor) artifactOf(ctx context.Context, address string) (*models.Artifact, error) {
	row, err := m.o.DB.ModelByArtifact(ctx, address)
	if err != nil {
		return nil, err
	}
	return models.DecodeArtifact(row.Blob)
}

// check notes a finding: a warning if it is one, else that all is well.
func (m *monitor) check(name string, warn bool, format string, a ...any) {
	status := checkOK
	if warn {
		status = checkWarning
	}
	m.report.Checks = append(m.report.Checks, MonitorCheck{Name: name, Status: status, Message: fmt.Sprintf(format, a...)})
}

// message is the verdict in one line.
func (m *monitor) message() string {
	var warnings []string
	for _, c := range m.report.Checks {
		if c.Status == checkWarning {
			warnings = append(warnings, c.Name+": "+c.Message)
		}
	}
	if len(warnings) == 0 {
		return fmt.Sprintf("%d checks, all well", len(m.report.Checks))
	}
	return fmt.Sprintf("%d of %d checks warn: %s", len(warnings), len(m.report.Checks), strings.Join(warnings, "; "))
}

// population compares how many exist and where they stand with the previous run.
func (m *monitor) population(context.Context) error {
	if m.previous == nil {
		m.check("population", m.run.Scored == 0, "%d customers, %d of them scored; there is no run before to compare with", m.run.Customers, m.run.Scored)
		return nil
	}
	customers, scored := change(m.previous.Customers, m.run.Customers), change(m.previous.Scored, m.run.Scored)
	m.check("population", math.Abs(customers) > populationShift || math.Abs(scored) > populationShift || m.run.Scored == 0,
		"%d customers (%+.1f %%), %d scored (%+.1f %%) against the run of %s", m.run.Customers, 100*customers, m.run.Scored, 100*scored, m.previous.Cutoff.Format(time.DateOnly))
	var shifts []string
	names := map[string]bool{}
	for name := range m.run.ByStatus {
		names[name] = true
	}
	for name := range m.previous.ByStatus {
		names[name] = true
	}
	n, before := float64(m.run.Customers), float64(m.previous.Customers)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p, q := float64(m.run.ByStatus[name])/max(n, 1), float64(m.previous.ByStatus[name])/max(before, 1)
		pooled := (p*n + q*before) / max(n+before, 1)
		if d := math.Abs(p - q); d > statusShift && d > chance*math.Sqrt(pooled*(1-pooled)*(1/max(n, 1)+1/max(before, 1))) {
			shifts = append(shifts, fmt.Sprintf("%s %.1f %% (was %.1f %%)", name, 100*p, 100*q))
		}
	}
	m.check("statuses", len(shifts) > 0, "%s", cmp.Or(strings.Join(shifts, ", "), "shares as in the run before"))
	return nil
}

// change is the relative change from a to b; 0 where both are none, +∞ from none.
func change(a, b uint64) float64 {
	if a == b {
		return 0
	}
	return float64(b)/float64(a) - 1
}

// missing looks for features of the model that nobody has a value of, or markedly fewer than before.
func (m *monitor) missing(ctx context.Context, counts [][]uint64, rows uint64) error {
	schema := m.artifact.Encoding.Schema()
	var before warehouse.ColumnCounts
	var err error
	if m.previous != nil && m.previous.Artifact == m.run.Artifact {
		if before, err = m.o.DB.CountColumns(ctx, m.previous.RunID, make([][]float64, len(schema)), nil); err != nil {
			return err
		}
	}
	for j, c := range schema {
		if rows == 0 {
			break
		}
		none := counts[j][len(counts[j])-1]
		s := MissingShare{Feature: c.Name, Share: float64(none) / float64(rows)}
		worse := false
		if before.Rows > 0 {
			was := float64(before.Columns[j][1]) / float64(before.Rows)
			s.Previous, worse = &was, s.Share-was > missingShift
		}
		if worse || none == rows {
			m.report.Missing = append(m.report.Missing, s)
		}
	}
	names := make([]string, len(m.report.Missing))
	for i, s := range m.report.Missing {
		names[i] = fmt.Sprintf("%s %.0f %%", s.Feature, 100*s.Share)
	}
	m.check("missing", len(names) > 0, "%s", cmp.Or(strings.Join(names, ", "), fmt.Sprintf("each of %d features has values", len(schema))))
	return nil
}
