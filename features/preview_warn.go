package features

import (
	"fmt"
	"time"
)

const (
	rareBase   = .02 // below, so few churn that little can be learned from a cutoff
	commonBase = .9  // above, the label calls nearly everyone gone
	fewChurned = 30  // below, only the recency rule may serve: metrics.md §5, sufficiency
)

// warn says what speaks against the definition, each with the mend.
func (p *Preview) warn(c ChurnSpec, first time.Time) {
	say := func(format string, a ...any) { p.Warnings = append(p.Warnings, fmt.Sprintf(format, a...)) }
	date := func(t time.Time) string { return t.Format(time.DateOnly) }
	unknown, outage := 0, 0
	for _, row := range p.Cutoffs {
		if !row.Known {
			unknown++
		} else if row.Outage {
			outage++
		}
	}
	total, m := p.Total, c.MaturityDays()
	switch {
	case len(p.Cutoffs) == 0:
		say("there is no cutoff: the first row is of %s, a cutoff needs %d days of history before it, and the data end %s; import more history, or set snapshots.from (and snapshots.every: week)", date(first), firstCutoffDays, date(p.DataEnd))
	case unknown == len(p.Cutoffs):
		say("no label is known yet: it takes %d days after a cutoff, the first cutoff is %s, and the data end %s; import more history, shorten churn.horizon_days, or set snapshots.from earlier",
			m, date(p.Cutoffs[0].Cutoff), date(p.DataEnd))
	case total.Labels == 0 && outage > 0:
		say("every label window holds an outage of the data, so no label is used; import the missing days, or set churn.data_until before them")
	case total.Labels == 0:
		say("nobody is eligible at any cutoff: no customer is alive by this definition; check churn.setting, churn.active_days, churn.min_tenure_days and, for event, churn.event.start")
	case total.Cutoffs == 1:
		say("only one cutoff has known labels: a model can be fitted but not tested out of time; import more history, shorten churn.horizon_days, or use snapshots.every: week")
	}
	if outage > 0 && total.Labels > 0 {
		say("at %d cutoffs the label window holds an outage of the data: their labels are not used", outage)
	}
	if total.Labels > 0 {
		switch rate := *total.BaseRate; {
		case total.Churned == 0:
			say("none of the %d labels is churn: nothing can be learned; check churn.setting and what counts as leaving, or lengthen churn.horizon_days", total.Labels)
		case total.Churned == total.Labels:
			say("all %d labels are churn: nothing can be learned; check churn.setting and what counts as activity, or lengthen churn.horizon_days", total.Labels)
		case total.Churned < fewChurned || total.Labels-total.Churned < fewChurned:
			say("of %d labels %d are churn: below %d of either kind only a rule by recency can be champion; import more history or use snapshots.every: week", total.Labels, total.Churned, fewChurned)
		case rate > commonBase:
			say("%.0f %% are called churned: the definition calls nearly everyone gone; lengthen churn.horizon_days or shorten churn.active_days", 100*rate)
		case rate < rareBase:
			say("only %.1f %% are called churned: a longer churn.horizon_days would leave more to learn from", 100*rate)
		}
	}
	p.warnReturns(c, say)
	for _, d := range p.Comparisons {
		if d.poor() && c.Setting != Contractual && d.Setting == Contractual {
			say("churn.setting is %s, but there are subscriptions, and the two definitions disagree (kappa %s): %s. Where customers pay for a period, churn.setting: contractual says when they left",
				c.Setting, figureText(d.Kappa), d.Meaning)
		}
	}
}

// warnReturns holds horizon and active_days against how customers come back.
func (p *Preview) warnReturns(c ChurnSpec, say func(string, ...any)) {
	if c.Setting != NonContractual {
		return
	}
	if h := p.RecommendedHorizonDays; h != nil && *h > c.HorizonDays {
		say("churn.horizon_days is %d, but fewer than 15 %% come back only after a silence of %d days: many who are called churned will return; churn.horizon_days: %d would be surer", c.HorizonDays, *h, *h)
	} else if h == nil && len(p.ReturnCurve) > 0 && p.ReturnCurve[len(p.ReturnCurve)-1].ReturnProbability != nil {
		say("even after 365 days of silence 15 %% or more come back: silence says little here; check churn.activity")
	}
	if r := p.Returns; r != nil && c.ActiveDays < r.P90 {
		say("churn.active_days is %d, but one in ten who come back do so after %d days or more: customers who are only slow are taken for gone and left out; set churn.active_days to at least %d", c.ActiveDays, r.P90, r.P90)
	}
}

func figureText(v *float64) string {
	if v == nil {
		return "undefined"
	}
	return fmt.Sprintf("%.2f", *v)
}
