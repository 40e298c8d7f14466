package pipelines

import (
	"context"
	"errors"
	"fmt"
	"time"

	"retain/features/lifecycle"
	"retain/internal/warehouse"
)

// Fill stores the stages of the StageMonths month starts before a cutoff that are not stored yet, or whose rows have changed since: those, and the months
// after them, as a stage may depend on the one before. It tells how many it made. Done again it makes none.
func (s *Stages) Fill(ctx context.Context, cutoff time.Time) (made int, err error) {
	months := lifecycle.MonthsBefore(cutoff, StageMonths)
	digests, err := s.store().InputDigests(ctx, append([]time.Time{time.Unix(0, 0)}, months...))
	if err != nil {
		return 0, fmt.Errorf("lifecycle history: %w", err)
	}
	nothing := digests[0]
	for digests = digests[1:]; len(months) > 0 && digests[0] == nothing; digests = digests[1:] {
		months = months[1:] // before the first row
	}
	sets, err := s.months(ctx, cutoff)
	if err != nil {
		return 0, err
	}
	held := 0 // months whose stages stand
	for k, month := range months {
		document, err := s.document(digests[k])
		if err != nil {
			return 0, err
		}
		if set, ok := sets[month]; !ok || set.Document != document {
			break
		}
		held++
	}
	if held == len(months) {
		return 0, nil
	}
	if s.Say != nil {
		s.Say(fmt.Sprintf("computing the lifecycle stages of %d past month starts, once", len(months)-held))
	}
	var former *staged
	if held > 0 {
		if former, err = s.load(ctx, sets[months[held-1]]); err != nil {
			return 0, err
		}
	}
	for k, month := range months[held:] {
		if former, err = s.month(ctx, month, former); err != nil {
			return made, err
		}
		document, err := s.document(digests[held+k])
		if err != nil {
			return made, err
		}
		if err := s.put(ctx, s.id(former, document), former, digests[held+k]); err != nil {
			return made, err
		}
		made++
	}
	return made, nil
}

// month finds the stages at a past month start.
func (s *Stages) month(ctx context.Context, month time.Time, former *staged) (x *staged, err error) {
	p, err := s.store().Population(ctx, s.Churn, month)
	if err != nil {
		return nil, fmt.Errorf("lifecycle stages at %s: %w", month.Format(time.DateOnly), err)
	}
	defer func() { err = errors.Join(err, p.Close(context.WithoutCancel(ctx))) }()
	if x, err = s.at(ctx, p, former); err != nil {
		return nil, fmt.Errorf("lifecycle stages at %s: %w", month.Format(time.DateOnly), err)
	}
	return x, nil
}

// months are the stored stages of month starts before a cutoff, by month. Stages of scoring runs do not count: months follow each other, so that
// what stands does not depend on when somebody scored.
func (s *Stages) months(ctx context.Context, cutoff time.Time) (map[time.Time]warehouse.StageSet, error) {
	sets, err := s.DB.MonthStages(ctx, s.Rules.Version, cutoff)
	if err != nil {
		return nil, err
	}
	of := make(map[time.Time]warehouse.StageSet, len(sets))
	for _, set := range sets {
		of[set.Cutoff] = set
	}
	return of, nil
}

// before are the newest stored stages before a cutoff, of a run or a month start; nil where there are none.
func (s *Stages) before(ctx context.Context, cutoff time.Time) (*staged, error) {
	sets, err := s.DB.StageSets(ctx, s.Rules.Version, cutoff.Add(-time.Millisecond))
	if err != nil || len(sets) == 0 {
		return nil, err
	}
	return s.load(ctx, sets[len(sets)-1])
}
