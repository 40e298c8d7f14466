package pipelines

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"retain/features"
	"retain/models"
	"retain/models/survival"
)

// landmarks reads customers at cutoffs, and when they left after them. Populations, and features where they are asked for, are kept until Close, because
// what came of them is asked from several instants.
type landmarks struct {
	store    *features.Store
	artifact *models.Artifact // its label, catalogue and encoding
	featured bool             // with features
	kept     map[int64]*landing
}

// landing is everyone eligible at a cutoff.
type landing struct {
	population *features.Population
	x          *features.Matrix // encoded; nil unless featured
}

func newLandmarks(store *features.Store, a *models.Artifact, featured bool) *landmarks {
	return &landmarks{store: store, artifact: a, featured: featured, kept: map[int64]*landing{}}
}

// at is who is eligible at a cutoff.
func (l *landmarks) at(ctx context.Context, cutoff time.Time) (*landing, error) {
	if have, ok := l.kept[cutoff.UnixMilli()]; ok {
		return have, nil
	}
	population, err := l.store.Population(ctx, l.artifact.Churn, cutoff)
	if err != nil {
		return nil, fmt.Errorf("find who exists at %s: %w", cutoff.Format(time.RFC3339), err)
	}
	out := &landing{population: population}
	l.kept[cutoff.UnixMilli()] = out
	if !l.featured {
		return out, nil
	}
	snapshot, err := l.store.Snapshot(ctx, l.artifact.Catalogue, population)
	if err != nil {
		return nil, fmt.Errorf("compute features at %s: %w", cutoff.Format(time.RFC3339), err)
	}
	if out.x, err = l.artifact.Encoding.Apply(snapshot.X); err != nil {
		return nil, fmt.Errorf("encode features at %s: %w", cutoff.Format(time.RFC3339), err)
	}
	return out, nil
}

// read stacks the customers of the cutoffs with what was known of them at an instant, the data being complete before it. Rows of customers who had left
// before the label window, and cutoffs of which nothing is known yet, are left out.
func (l *landmarks) read(ctx context.Context, cutoffs []time.Time, known knowledge) (*survival.Landmarks, error) {
	out := &survival.Landmarks{}
	var parts []*features.Matrix
	for _, t := range cutoffs {
		landing, err := l.at(ctx, t)
		if err != nil {
			return nil, err
		}
		exits, err := l.store.Exits(ctx, l.artifact.Churn, landing.population, known.until, known.before)
		if err != nil {
			return nil, err
		}
		if exits.Seen < 0 {
			continue
		}
		var rows []int
		for i, days := range exits.Days {
			if math.IsNaN(days) {
				continue
			}
			rows = append(rows, i)
			out.Customer, out.Cutoff = append(out.Customer, landing.population.Eligible()[i]), append(out.Cutoff, t)
			out.Exit, out.Seen = append(out.Exit, days), append(out.Seen, exits.Seen)
		}
		if l.featured {
			parts = append(parts, landing.x.Take(rows))
		}
	}
	if !l.featured {
		return out, nil
	}
	var err error
	out.X, err = features.Stack(parts...)
	return out, err
}

// Close drops the scratch tables of the populations.
func (l *landmarks) Close(ctx context.Context) error {
	var errs []error
	for _, landing := range l.kept {
		errs = append(errs, landing.population.Close(context.WithoutCancel(ctx)))
	}
	l.kept = nil
	return errors.Join(errs...)
}

// knowledge is where somebody stands who looks at what became of customers.
type knowledge struct {
	until  time.Time // the data are complete before it
	before time.Time // rows with ingested_at before it; zero = all that is held
}

// standing is the knowledge of one who stands at an instant at which the data were complete.
func standing(at time.Time) knowledge { return knowledge{until: at, before: at} }

// silentDays are the days of silence that mean leaving; 0 where leaving is an event.
func silentDays(c features.ChurnSpec) int {
	if c.Setting == features.NonContractual {
		return c.HorizonDays
	}
	return 0
}
