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
			var cutoff time.Time
			if cutoffText != "" {
				if cutoff, err = instant("cutoff", cutoffText); err != nil {
					return err
				}
			}
			s, err := a.open(cmd.Context(), "score", reading)
			if err != nil {
				return err
			}
			defer s.close(&err)
			run, err := a.score(cmd.Context(), s, cutoff)
			if err != nil {
				return err
			}
			return a.print(run, func(w io.Writer) { printRun(w, run) })
		},
	}
	cmd.Flags().StringVar(&cutoffText, "cutoff", "", "the instant at which to stand, exclusive (default: the latest midnight with complete data)")
	return cmd
}

// score runs the champion at the cutoff; the zero cutoff is the latest UTC midnight not after now nor after the watermark.
func (a *app) score(ctx context.Context, s *session, cutoff time.Time) (models.Run, error) {
	champion, err := s.champion(ctx)
	if err != nil {
		return models.Run{}, err
	}
	model, err := champion.serving()
	if err != nil {
		return models.Run{}, err
	}
	spec := model.Artifact.Churn
	spec.DataUntil = s.config.Churn.DataUntil // how far the data reach today is not the model's to say
	if !sameChurn(s.config.Churn, spec) {
		a.say("warning: churn: in the configuration differs from the champion's; scoring uses the champion's until `retain train churn` runs")
	}
	now := time.Now().UTC()
	watermark, err := s.store.Watermark(ctx, spec)
	if err != nil {
		return models.Run{}, err
	}
	switch {
	case cutoff.IsZero():
		cutoff = latestCutoff(watermark, now)
		if now.Sub(cutoff) > staleAfter {
			a.say(fmt.Sprintf("the data end %s, %s: customers are scored as of then", day(watermark), ago(watermark, now)))
		}
	case cutoff.After(watermark):
		a.say(fmt.Sprintf("warning: the data are complete until %s only; what happened between then and the cutoff %s is not all known", watermark.Format(time.RFC3339), cutoff.Format(time.RFC3339)))
		if cutoff.After(now) {
			a.say("warning: the cutoff lies in the future: this run stays in force until one of a later cutoff is made")
		}
	}
	decide, err := s.config.decideOptions()
	if err != nil {
		return models.Run{}, err
	}
	o := pipelines.ScoreOptions{DB: s.db, Sources: s.config.sources(), Model: model, Cutoff: cutoff, Value: s.config.valueTerms(), Decide: decide,
		Warn: func(line string) { a.say("warning: " + line) }}
	if b := s.config.Bands; b != nil {
		o.Bands = &models.Bands{High: b.High, Medium: b.Medium}
	}
	return pipelines.Score(ctx, o)
}

// latestCutoff is the latest UTC midnight not after now nor after the watermark.
func latestCutoff(watermark, now time.Time) time.Time {
	if now.Before(watermark) {
		watermark = now
	}
	return watermark.UTC().Truncate(24 * time.Hour)
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
