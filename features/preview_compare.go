package features

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// DefinitionComparison holds the configured label against another one on the customers that are eligible, and labelled, under both.
type DefinitionComparison struct {
	Setting   Setting  `json:"setting"`            // of the other definition
	Activity  []string `json:"activity,omitempty"` // of the other definition
	Cutoffs   int      `json:"cutoffs"`
	Customers int      `json:"customers"` // rows of customers and cutoffs compared
	Both      int      `json:"both_churned"`
	Only      int      `json:"only_configured_churned"`
	OnlyOther int      `json:"only_other_churned"`
	Neither   int      `json:"neither_churned"`
	Agreement *float64 `json:"agreement"`   // share on which both say the same
	Kappa     *float64 `json:"cohen_kappa"` // 1 = they agree, 0 = no more than by chance; null where one of them never varies and chance explains all
	BaseRate  *float64 `json:"base_rate"`   // of the configured definition on them
	OtherRate *float64 `json:"other_base_rate"`
	Meaning   string   `json:"meaning"` // in words
}

const (
	comparedCutoffs = 4  // the newest that are known under both
	poorKappa       = .6 // below, two definitions describe different things: Landis & Koch (1977) call .61–.80 substantial
)

// otherDefinitions are what the rows would allow beside the configured definition.
func (s *Store) otherDefinitions(ctx context.Context, c ChurnSpec) ([]ChurnSpec, error) {
	has := map[string]bool{}
	for _, source := range []string{Subscriptions, Usage, Purchases} {
		rows, err := s.Versions(ctx, source, []string{"at"}, endOfTime)
		if err != nil {
			return nil, err
		}
		var n uint64
		if err := s.DB.Conn().QueryRow(ctx, "SELECT count() FROM (SELECT 1 FROM "+rows+" LIMIT 1)").Scan(&n); err != nil {
			return nil, err
		}
		has[source] = n > 0
	}
	var out []ChurnSpec
	if c.Setting != Contractual && has[Subscriptions] && !slices.Contains(c.LabelSources(), Subscriptions) {
		o := c
		o.Setting, o.Event, o.Activity = Contractual, nil, nil
		out = append(out, o)
	}
	if c.Setting != NonContractual {
		for _, source := range []string{Usage, Purchases} {
			if has[source] {
				o := c
				o.Setting, o.Activity, o.Event = NonContractual, []string{source}, nil
				if o.ActiveDays == 0 {
					o.ActiveDays = max(c.HorizonDays, 30)
				}
				out = append(out, o)
				break
			}
		}
	}
	return out, nil
}

// compare labels the cutoffs under the definition of mine and under the other.
func (s *Store) compare(ctx context.Context, mine *Labeller, other ChurnSpec, cutoffs []time.Time) (*DefinitionComparison, error) {
	r, err := s.reach(ctx, other)
	if err != nil {
		if empty := new(EmptySourceError); errors.As(err, &empty) {
			return nil, nil
		}
		return nil, err
	}
	cutoffs = other.knownOf(cutoffs, r.watermark)
	cutoffs = cutoffs[max(0, len(cutoffs)-comparedCutoffs):]
	out := &DefinitionComparison{Setting: other.Setting, Activity: other.Activity, Cutoffs: len(cutoffs)}
	theirs := s.Labeller(other)
	for _, t := range cutoffs {
		a, err := labelsByCustomer(ctx, mine, t)
		if err != nil {
			return nil, err
		}
		b, err := labelsByCustomer(ctx, theirs, t)
		if err != nil {
			return nil, err
		}
		for id, y := range a {
			switch o, ok := b[id]; {
			case !ok:
			case y == 1 && o == 1:
				out.Both++
			case y == 1:
				out.Only++
			case o == 1:
				out.OnlyOther++
			default:
				out.Neither++
			}
		}
	}
	out.Customers = out.Both + out.Only + out.OnlyOther + out.Neither
	if out.Customers == 0 {
		return out, nil
	}
	n := float64(out.Customers)
	p, q := float64(out.Both+out.Only)/n, float64(out.Both+out.OnlyOther)/n
	agreed := float64(out.Both+out.Neither) / n
	out.Agreement, out.BaseRate, out.OtherRate = &agreed, &p, &q
	// Cohen (1960), Educational and Psychological Measurement 20.
	if chance := p*q + (1-p)*(1-q); chance < 1 {
		kappa := (agreed - chance) / (1 - chance)
		out.Kappa = &kappa
	}
	out.Meaning = out.meaning(mine.spec)
	return out, nil
}

// labelsByCustomer are the labels that are not missing.
func labelsByCustomer(ctx context.Context, l *Labeller, cutoff time.Time) (y map[string]float64, err error) {
	p, err := l.store.Population(ctx, l.spec, cutoff)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	labels, err := l.Labels(ctx, p, time.Time{})
	if err != nil {
		return nil, err
	}
	y = make(map[string]float64, len(labels.Y))
	for i, v := range labels.Y {
		if !math.IsNaN(v) {
			y[p.eligible[i]] = v
		}
	}
	return y, nil
}

// poor reports that the definitions describe different things.
func (d *DefinitionComparison) poor() bool {
	return d.Customers > 0 && (d.Kappa == nil || *d.Kappa < poorKappa)
}

// meaning tells the disagreement in words.
func (d *DefinitionComparison) meaning(c ChurnSpec) string {
	if d.Only+d.OnlyOther == 0 {
		return "both definitions name the same customers"
	}
	said := func(s Setting, activity []string) string {
		switch s {
		case Contractual:
			return "whose paid time ended"
		case NonContractual:
			return "without any " + strings.Join(activity, " or ")
		default:
			return "with the leaving event"
		}
	}
	mine, theirs := said(c.Setting, c.Activity), said(d.Setting, d.Activity)
	return fmt.Sprintf("in the %d days of the label, of %d customers %s, %d are not among those %s; of %d customers %s, %d are not among those %s",
		c.HorizonDays, d.Both+d.Only, mine, d.Only, theirs, d.Both+d.OnlyOther, theirs, d.OnlyOther, mine)
}
