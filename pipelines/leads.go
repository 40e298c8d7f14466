package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sort"
	"time"

	"retain/features"
	"retain/features/lifecycle/lead"
)

// LeadMonths is how many months a lead has to buy before its conversion is counted; LeadWindows is how many such windows before a cutoff are
// measured. They follow each other without overlap.
const (
	LeadMonths  = 3
	LeadWindows = 4
)

// Leads scores those who have never been customers.
type Leads struct {
	Store  *features.Store // required
	Churn  features.ChurnSpec
	Points *lead.Points     // required
	Now    func() time.Time // nil means time.Now
}

// LeadReport is the leads of a cutoff, and what became of earlier ones.
type LeadReport struct {
	Cutoff   time.Time    `json:"cutoff"`
	Months   int          `json:"months"` // in which a conversion counts
	Leads    int          `json:"leads"`
	Grades   []lead.Class `json:"grades"`
	Top      []Lead       `json:"top"` // highest score first, then by id
	Warnings []string     `json:"warnings"`
}

// Lead is one of them.
type Lead struct {
	CustomerID string `json:"customer_id"`
	Score      int    `json:"score"` // 0 to 100
	Grade      string `json:"grade"`
}

// Compute scores the leads of a cutoff and counts, for each grade, how many of the leads of earlier windows became customers within
// LeadMonths. The zero cutoff is that of the run in force, as of KPIs. top bounds the list. A lead is who exists and was never alive by
// the churn specification; who opted out is none.
func (l Leads) Compute(ctx context.Context, cutoff time.Time, top int) (*LeadReport, error) {
	if cutoff.IsZero() {
		var err error
		if cutoff, err = standingCutoff(ctx, l.Store, l.Now); err != nil {
			return nil, err
		}
	}
	r := &LeadReport{Cutoff: cutoff, Months: LeadMonths, Top: []Lead{}, Warnings: []string{}}
	later, err := l.at(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	now := make([]int, len(l.Points.Grades))
	for i, score := range later.score {
		g := l.Points.Grade(score)
		now[g]++
		r.Top = append(r.Top, Lead{later.lead[i], score, l.Points.Grades[g].Name})
	}
	r.Leads = len(later.lead)
	slices.SortFunc(r.Top, func(a, b Lead) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.CustomerID, b.CustomerID))
	})
	r.Top = r.Top[:min(top, len(r.Top))]

	tally := lead.NewTally(l.Points)
	for k := 1; k <= LeadWindows; k++ {
		earlier, err := l.at(ctx, cutoff.AddDate(0, -LeadMonths*k, 0))
		if err != nil {
			return nil, err
		}
		for i, id := range earlier.lead {
			tally.Add(earlier.score[i], later.customer(id))
		}
		later = earlier
	}
	r.Grades = tally.Classes(now)
	r.warn()
	return r, nil
}

func (r *LeadReport) warn() {
	measured := 0
	for _, c := range r.Grades {
		measured += c.Measured
	}
	switch {
	case r.Leads == 0 && measured == 0:
		r.Warnings = append(r.Warnings, "there are no leads: everyone known has been a customer. Leads come with touchpoints of people who have not bought")
	case measured == 0:
		r.Warnings = append(r.Warnings, fmt.Sprintf("conversion is not known: there were no leads %d months ago or earlier", LeadMonths))
	}
	for _, pair := range lead.Misweighted(r.Grades) {
		r.Warnings = append(r.Warnings, fmt.Sprintf("grade %s converts more than grade %s, beyond chance: the points are weighted wrongly (`lifecycle.lead_points`)", pair[1], pair[0]))
	}
}

// scoredLeads are the leads of an instant and who was known then.
type scoredLeads struct {
	lead   []string // sorted
	score  []int
	known  []string // everyone, sorted
	bought []bool
}

// customer tells whether somebody has been a customer.
func (s *scoredLeads) customer(id string) bool {
	i := sort.SearchStrings(s.known, id)
	return i < len(s.known) && s.known[i] == id && s.bought[i]
}

func (l Leads) at(ctx context.Context, cutoff time.Time) (s *scoredLeads, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("leads at %s: %w", cutoff.Format(time.DateOnly), err)
		}
	}()
	everyone, err := l.Store.Population(ctx, l.Churn, cutoff)
	if err != nil {
		return nil, err
	}
	if err := everyone.Close(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	s = &scoredLeads{known: everyone.Customer, bought: make([]bool, len(everyone.Customer))}
	for i, status := range everyone.Status {
		switch status {
		case features.StatusInsufficientHistory:
			s.lead = append(s.lead, everyone.Customer[i])
		case features.StatusOptedOut:
		default:
			s.bought[i] = true
		}
	}
	if len(s.lead) == 0 {
		return s, nil
	}
	leads, err := l.Store.RestoreEligible(ctx, cutoff, s.lead)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, leads.Close(context.WithoutCancel(ctx))) }()
	x, err := l.Store.Snapshot(ctx, l.Points.Features(), leads)
	if err != nil {
		return nil, err
	}
	s.score = l.Points.Score(x.X)
	return s, nil
}
