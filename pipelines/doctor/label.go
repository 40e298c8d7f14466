package doctor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"retain/features"
	"retain/internal/spoken"
)

// unlabelled says why nothing can be said of labels; false if something can.
func (x *examination) unlabelled() (finding, bool) {
	if x.Churn.Validate() != nil {
		return skip("churn: is not valid, see configuration.setting"), true
	}
	for _, source := range x.Churn.LabelSources() {
		if x.failed[source] != nil || x.profile(source).rows == 0 {
			return skip("the labels are read from %s, which has no rows", source), true
		}
	}
	return finding{}, false
}

// lateWatermark is how far the labels' data may end before all data do.
const lateWatermark = 30 * day

func checkWatermark(ctx context.Context, x *examination) (finding, error) {
	if f, none := x.unlabelled(); none {
		return f, nil
	}
	d, err := x.Store.Watermark(ctx, x.Churn)
	if err != nil {
		return finding{}, err
	}
	end := x.dataEnd()
	figures := Figures{"behind_days": figureOf(end.Sub(d).Hours() / 24)}
	if x.Churn.DataUntil != nil {
		if d.After(end.Add(day)) {
			return warn("set churn.data_until to "+dayOf(end.Add(day))+" or earlier", "churn.data_until is %s, but the newest row is of %s: silence after it counts as churn", dayOf(d), dayOf(end)).with(figures), nil
		}
		return fine("data count as complete until %s, by churn.data_until", dayOf(d)).with(figures), nil
	}
	sources := x.Churn.LabelSources()
	least := sources[0]
	if x.Churn.Setting == features.NonContractual {
		for _, source := range sources {
			one := x.Churn
			one.Activity = []string{source}
			if w, err := x.Store.Watermark(ctx, one); err != nil {
				return finding{}, err
			} else if w.Equal(d) {
				least = source
			}
		}
	}
	why := fmt.Sprintf("the newest row of %s is of %s", least, x.profile(least).newest.Format("2006-01-02 15:04"))
	if x.profile(least).dates() {
		why = fmt.Sprintf("the newest row of %s is of %s, a date, so that day counts as whole", least, dayOf(x.profile(least).newest))
	}
	if lag := x.profile(least).newest.Sub(d); lag > day {
		why += fmt.Sprintf(", and 1 %% of the rows come in more than %s late", days(lag))
	}
	told := fmt.Sprintf("labels are complete until %s: %s", d.Format("2006-01-02 15:04"), why)
	if end.Sub(d) > lateWatermark {
		return warn("if nothing happened in "+least+" since then, say so: churn.data_until: "+dayOf(end)+"; else import what is missing",
			"%s, %s before the newest row of all sources", told, days(end.Sub(d))).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

func checkCutoffs(ctx context.Context, x *examination) (finding, error) {
	if f, none := x.unlabelled(); none {
		return f, nil
	}
	d, err := x.Store.Watermark(ctx, x.Churn)
	if err != nil {
		return finding{}, err
	}
	cutoffs, err := x.Store.Cutoffs(ctx, x.Churn, x.Grid)
	if err != nil {
		return finding{}, err
	}
	figures := Figures{"cutoffs": figure(int64(len(cutoffs))), "maturity_days": figure(int64(x.Churn.MaturityDays()))}
	if len(cutoffs) == 0 {
		var span time.Duration
		for _, source := range x.Churn.LabelSources() {
			span = max(span, d.Sub(x.profile(source).first))
		}
		return wrong(x.earlier(d, span),
			"no cutoff has labels that are known: they need 84 days of history before and %d days after, and there are %s", x.Churn.MaturityDays(), days(span)).with(figures), nil
	}
	told := fmt.Sprintf("%s with known labels, %s to %s; a label is known after %d days", spoken.Counted(int64(len(cutoffs)), "cutoff"), dayOf(cutoffs[0]), dayOf(cutoffs[len(cutoffs)-1]), x.Churn.MaturityDays())
	if len(cutoffs) < fewCutoffs {
		return warn(x.more("import older rows"), "%s: figures out of time need at least %d", told, fewCutoffs).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

// earlier is the key that gives a history of that span cutoffs with known labels.
func (x *examination) earlier(d time.Time, span time.Duration) string {
	left := span - time.Duration(x.Churn.MaturityDays())*day
	if left < 2*day {
		return fmt.Sprintf("import older rows, or shorten churn.horizon_days (now %d) to a third of the span", x.Churn.HorizonDays)
	}
	return fmt.Sprintf("import older rows, or set snapshots: {every: week, from: %s}, and accept cutoffs with less history before them", dayOf(d.Add(-span+left/2)))
}

const (
	fewCutoffs   = 5  // four test cutoffs and one to learn from (metrics.md §5)
	rulesOnly    = 30 // rows of the rarer class below which only the recency rule may be champion
	linearOnly   = 200
	mostLooked   = 12 // cutoffs that are labelled at most, where the label's sources have many rows
	mostOfSmall  = 60 // and where they have fewer than manyRows
	manyRows     = 1_000_000
	manyMissing  = .20 // share of labels that are missing
	nearlyAll    = .95
	nearlyNobody = .002
)

// more is the step to more rows to learn from.
func (x *examination) more(first string) string {
	if x.Grid.Every == "week" {
		return first
	}
	return first + ", or set snapshots.every: week"
}

// labelled is a cutoff with the labels of its eligible customers.
type labelled struct {
	cutoff     time.Time
	population *features.Population
	labels     *features.Labels
}

// label labels the newest cutoffs, newest first, until there are enough churners and stayers to judge by.
func (x *examination) label(ctx context.Context) error {
	cutoffs, err := x.Store.Cutoffs(ctx, x.Churn, x.Grid)
	if err != nil {
		return err
	}
	most := mostOfSmall
	for _, source := range x.Churn.LabelSources() {
		if x.profile(source).rows >= manyRows {
			most = mostLooked
		}
	}
	for k := len(cutoffs) - 1; k >= 0 && len(x.labelled) < most; k-- {
		p, err := x.Store.Population(ctx, x.Churn, cutoffs[k])
		if err != nil {
			return err
		}
		l, err := x.Store.Labels(ctx, x.Churn, p, time.Time{})
		if err != nil {
			return errors.Join(err, p.Close(ctx))
		}
		x.labelled = append(x.labelled, labelled{cutoffs[k], p, l})
		if t := x.total(); min(t.churned, t.stayed) >= linearOnly {
			break
		}
	}
	return nil
}

// totals are what became of the customers at the cutoffs that were labelled.
type totals struct{ eligible, churned, stayed, missing, inGap, before, outage int }

func (x *examination) total() (t totals) {
	for _, l := range x.labelled {
		c, s, m := l.labels.Counts()
		t.eligible += len(l.population.Eligible())
		t.churned += c
		t.stayed += s
		t.missing += m
		t.inGap += l.labels.LeftInGap
		t.before += l.labels.LeftBefore
		t.outage += l.labels.Outage
	}
	return t
}

func checkCoverage(ctx context.Context, x *examination) (finding, error) {
	if f, none := x.unlabelled(); none {
		return f, nil
	}
	if err := x.label(ctx); err != nil {
		return finding{}, err
	}
	if len(x.labelled) == 0 {
		return skip("no cutoff has labels that are known, see label.cutoffs"), nil
	}
	t := x.total()
	rate := math.NaN()
	if n := t.churned + t.stayed; n > 0 {
		rate = float64(t.churned) / float64(n)
	}
	missing := share(int64(t.missing), int64(t.eligible))
	figures := Figures{
		"cutoffs": figure(int64(len(x.labelled))), "eligible": figure(int64(t.eligible)), "churned": figure(int64(t.churned)), "stayed": figure(int64(t.stayed)),
		"missing": figure(int64(t.missing)), "base_rate": figureOf(rate),
	}
	at := "at the newest cutoff, " + dayOf(x.labelled[0].cutoff)
	if n := len(x.labelled); n > 1 {
		at = fmt.Sprintf("at the %d newest cutoffs, %s to %s", n, dayOf(x.labelled[n-1].cutoff), dayOf(x.labelled[0].cutoff))
	}
	if t.eligible == 0 {
		return wrong(x.widen(), "nobody is eligible %s", at).with(figures), nil
	}
	told := fmt.Sprintf("%s: %s eligible, %s churned, %s stayed, %s missing", at, spoken.Count(t.eligible), spoken.Count(t.churned), spoken.Count(t.stayed), spoken.Count(t.missing))
	if !math.IsNaN(rate) {
		told += fmt.Sprintf("; base rate %s", percent(rate))
	}
	rarer := min(t.churned, t.stayed)
	more := x.more("import more history or more customers")
	switch {
	case rarer == 0 && t.missing < t.eligible:
		return wrong(x.widen(), "%s: with one outcome only nothing can be learned", told).with(figures), nil
	case missing > manyMissing:
		var why []string
		for _, w := range []struct {
			n    int
			what string
		}{{t.outage, "whose label window holds outages"}, {t.inGap, "who left within churn.gap_days"}, {t.before, "who had left before, as a correction tells"}} {
			if w.n > 0 {
				why = append(why, fmt.Sprintf("%s %s", spoken.Count(w.n), w.what))
			}
		}
		return warn("fill the outages (see the outages of each source) and import corrections; then train", "%s: %s", told, strings.Join(why, ", ")).with(figures), nil
	case rarer < rulesOnly:
		return warn(more, "%s: with fewer than %d of the rarer outcome only the recency rule may be champion", told, rulesOnly).with(figures), nil
	case rarer < linearOnly:
		return warn(more, "%s: with fewer than %d of the rarer outcome only the recency rule and the linear model may be champion", told, linearOnly).with(figures), nil
	case rate > nearlyAll || rate < nearlyNobody:
		return warn(x.widen(), "%s: next to everybody has the same outcome", told).with(figures), nil
	}
	return fine("%s", told).with(figures), nil
}

// widen is the key that changes who is eligible and what is churn.
func (x *examination) widen() string {
	switch x.Churn.Setting {
	case features.Contractual:
		return "check the ends of the periods (retain label preview), churn.grace_days and churn.horizon_days"
	case features.EventSetting:
		return "check churn.event and churn.horizon_days (retain label preview)"
	}
	return "check churn.active_days and churn.horizon_days against how often customers come (retain label preview recommends a horizon)"
}
