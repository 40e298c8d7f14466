package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"retain/features"
	"retain/internal/spoken"
	"retain/models"
	"retain/pipelines"
)

func (a *app) scoreCommand() *cobra.Command {
	var cutoffText string
	cmd := &cobra.Command{
		Use:   "score",
		Short: "Score every customer with the champion, as one run",
		Args:  exactly(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			cutoff, err := instantIf("cutoff", cutoffText)
			if err != nil {
				return err
			}
			s, err := a.open(cmd.Context(), "score", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			v, err := s.vantage(cmd.Context(), cutoff, time.Now())
			if err != nil {
				return err
			}
			run, err := a.score(cmd.Context(), s, v)
			if err != nil {
				return err
			}
			made, err := s.decided(cmd.Context(), run)
			if err != nil {
				return err
			}
			return a.print(made, func(w io.Writer) {
				printRun(w, run)
				printAccount(w, made.Decisions)
			})
		},
	}
	cmd.Flags().StringVar(&cutoffText, "cutoff", "", "the instant at which to stand, exclusive (default: the latest midnight with complete data)")
	return cmd
}

// vantage is where a scoring run stands.
type vantage struct {
	champion  registered
	loyalty   *registeredLoyalty // nil: none serves
	cutoff    time.Time
	asked     bool      // the cutoff was asked for
	watermark time.Time // how far the data are complete for the champion's labels
	now       time.Time
}

// vantage finds the champion and its cutoff: the one asked for or, where that is zero, the latest UTC midnight not after now nor after the watermark.
func (s *session) vantage(ctx context.Context, cutoff, now time.Time) (v vantage, err error) {
	v = vantage{cutoff: cutoff, asked: !cutoff.IsZero(), now: now.UTC()}
	if v.champion, err = s.champion(ctx); err != nil {
		return v, err
	}
	if v.loyalty, err = s.loyaltyChampion(ctx); err != nil {
		return v, err
	}
	spec := v.champion.artifact.Churn
	spec.DataUntil = s.config.Churn.DataUntil // how far the data reach today is not the model's to say
	if v.watermark, err = s.store.Watermark(ctx, spec); err != nil {
		return v, err
	}
	if !v.asked {
		v.cutoff = latestCutoff(v.watermark, v.now)
	}
	return v, nil
}

// latestCutoff is the latest UTC midnight not after now nor after the watermark.
func latestCutoff(watermark, now time.Time) time.Time {
	if now.Before(watermark) {
		watermark = now
	}
	return watermark.UTC().Truncate(24 * time.Hour)
}

// score runs the champion from where it stands, and tells what is odd about the place.
func (a *app) score(ctx context.Context, s *session, v vantage) (models.Run, error) {
	model, err := v.champion.serving()
	if err != nil {
		return models.Run{}, err
	}
	if !sameChurn(s.config.Churn, model.Artifact.Churn) {
		a.say("warning: churn: in the configuration differs from the champion's; scoring uses the champion's until `retain train churn` runs")
	}
	switch {
	case !v.asked && v.now.Sub(v.cutoff) > staleAfter:
		a.say(fmt.Sprintf("the data end %s, %s: customers are scored as of then", day(v.watermark), ago(v.watermark, v.now)))
	case v.asked && v.cutoff.After(v.watermark):
		a.say(fmt.Sprintf("warning: the data are complete until %s only; what happened between then and the cutoff %s is not all known", v.watermark.Format(time.RFC3339), v.cutoff.Format(time.RFC3339)))
		if v.cutoff.After(v.now) {
			a.say("warning: the cutoff lies in the future: this run stays in force until one of a later cutoff is made")
		}
	}
	decide, err := a.decideOptions(&s.config)
	if err != nil {
		return models.Run{}, err
	}
	if decide.Effects, err = s.upliftChampion(ctx); err != nil {
		return models.Run{}, err
	}
	stages, err := s.config.lifecycleRules()
	if err != nil {
		return models.Run{}, err
	}
	o := pipelines.ScoreOptions{DB: s.db, Sources: s.config.sources(), Model: model, Cutoff: v.cutoff, Value: s.config.valueTerms(), Decide: decide, Stages: stages,
		Warn: func(line string) { a.say("warning: " + line) }}
	if v.loyalty != nil {
		if o.Loyalty, err = v.loyalty.serving(); err != nil {
			return models.Run{}, err
		}
		if !sameChurn(model.Artifact.Churn.Loyalty(), o.Loyalty.Artifact.Repeat.Churn) {
			a.say("warning: the loyalty champion was trained on customers who are alive by another churn: than the champion's; `retain train loyalty` mends it")
		}
	}
	if b := s.config.Bands; b != nil {
		o.Bands = &models.Bands{High: b.High, Medium: b.Medium}
	} else if line := bandWords(model.Artifact.Bands, model.Artifact.Churn); line != "" {
		a.say("warning: " + line)
	}
	if err := a.joinContacts(ctx, s); err != nil { // what came of earlier decisions is told before new ones are made
		return models.Run{}, err
	}
	run, err := pipelines.Score(ctx, o)
	if err == nil {
		a.scoreShadow(ctx, s, run, model.Artifact)
	}
	return run, err
}

// bandWords warn where the bands, which are shares of the training scores, call customers low who are more likely to leave than to stay; "" where they do not.
func bandWords(b models.Bands, c features.ChurnSpec) string {
	if b.Medium <= .5 {
		return ""
	}
	words := fmt.Sprintf("most who are likely to leave are called low: the medium band begins at %s, since bands are the top 10 %% and the next 20 %% of the training scores; set bands: {high: 0.6, medium: 0.3}", percent(&b.Medium))
	if c.Setting == features.NonContractual && c.ActiveDays > c.HorizonDays {
		words += fmt.Sprintf(", or churn.active_days (%d) nearer to the horizon of %d days, so that those long silent do not count as alive", c.ActiveDays, c.HorizonDays)
	}
	return words
}

// sameChurn compares two label specifications as the documents they are stored as, but for how far the data reached.
func sameChurn(a, b features.ChurnSpec) bool {
	a.DataUntil, b.DataUntil = nil, nil
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// staleAfter is the age of the data from which on it is worth a line.
const staleAfter = 48 * time.Hour

func printRun(w io.Writer, r models.Run) {
	fmt.Fprintf(w, "run %s: %s customers exist at %s, %s scored by %s v%d\n", r.ID, spoken.Count(r.Customers), r.Cutoff.Format(time.RFC3339), spoken.Count(r.Scored), r.Model.Name, r.Model.Version)
	if r.Loyalty != nil {
		fmt.Fprintf(w, "loyalty by %s v%d\n", r.Loyalty.Name, r.Loyalty.Version)
	}
	for _, status := range slices.Sorted(maps.Keys(r.ByStatus)) {
		fmt.Fprintf(w, "  %-22s%10s\n", status, spoken.Count(r.ByStatus[status]))
	}
	if r.Hindsight {
		fmt.Fprintln(w, "hindsight: the model was trained on later data than this cutoff; these scores are no test of it")
	}
	var total float64
	for _, part := range slices.Sorted(maps.Keys(r.Seconds)) {
		total += r.Seconds[part]
	}
	fmt.Fprintf(w, "took %.1f s\n", total)
}
