package pipelines

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"retain/features"
	"retain/features/lifecycle"
	"retain/internal/warehouse"
	"retain/models"
)

// journeySources are what a journey map counts, with the column that says of which kind an event is.
var journeySources = []struct{ source, kind string }{
	{features.Touchpoints, "kind"}, {features.Contacts, "class"}, {features.Tickets, "topic"}, {features.Surveys, "kind"}, {features.Purchases, ""},
}

// journeyKinds of a source and stage are told, the most frequent ones.
const journeyKinds = 12

// JourneyMap counts what happened in which stage, by the stages stored with a run and the months before it: touchpoints, contacts, tickets,
// surveys and orders, as known at the cutoff of the run. ErrNoStages where the run has none.
func JourneyMap(ctx context.Context, store *features.Store, run models.Run, span BoardSpan) (*lifecycle.Journey, error) {
	h, err := stageHistory(ctx, store.DB, run, span)
	if err != nil {
		return nil, err
	}
	var months []warehouse.StageSet
	for _, set := range h.sets {
		if set.Cutoff.Equal(lifecycle.MonthOf(set.Cutoff)) && set.Cutoff.Before(run.Cutoff) {
			months = append(months, set)
		}
	}
	j := &lifecycle.Journey{Preset: h.rules.Name, Version: h.version, RunID: run.ID, Cutoff: run.Cutoff, From: run.Cutoff, To: run.Cutoff, Stages: []lifecycle.JourneyStage{}}
	for _, stage := range h.rules.All() {
		j.Stages = append(j.Stages, lifecycle.JourneyStage{Name: stage.Name, Title: stage.Title, Events: []lifecycle.JourneyEvent{}})
	}
	if len(months) == 0 {
		return j, nil
	}
	j.From = months[0].Cutoff
	if end := months[len(months)-1].Cutoff.AddDate(0, 1, 0); end.Before(j.To) {
		j.To = end
	}
	names := h.rules.Names()
	err = store.DB.StagePaths(ctx, months, names, func(path []uint8, customers int) {
		for _, at := range path {
			if at > 0 {
				j.Stages[at-1].Months += customers
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, from := range journeySources {
		if err := countJourney(ctx, store, j, months, from.source, from.kind); err != nil {
			return nil, fmt.Errorf("journey map of %s: %w", from.source, err)
		}
	}
	return j, nil
}

// countJourney adds the events of a source.
func countJourney(ctx context.Context, store *features.Store, j *lifecycle.Journey, months []warehouse.StageSet, source, kind string) error {
	columns, named := []string{"at", "channel"}, "''"
	if kind != "" {
		columns, named = append(columns, kind), "toString("+kind+")"
	}
	count := "count()"
	if source == features.Purchases { // orders, not their lines
		columns, count = append(columns, "order_id"), "uniqExactIf((e.customer_id, e.order_id), e.order_id != '') + countIf(e.order_id = '')"
	}
	events, err := store.Versions(ctx, source, columns, j.Cutoff)
	if err != nil {
		return err
	}
	order := ""
	if source == features.Purchases {
		order = ", toString(order_id) AS order_id"
	}
	runs, cutoffs := make([]string, len(months)), make([]string, len(months))
	for k, set := range months {
		runs[k], cutoffs[k] = "'"+set.RunID+"'", instantSQL(set.Cutoff)
	}
	query := `SELECT toString(s.stage) AS stage, e.kind AS kind, e.channel AS channel, toUInt64(` + count + `) AS events, uniqExact(e.customer_id) AS customers
FROM (
SELECT customer_id, toStartOfMonth(at) AS month, ` + named + ` AS kind, lower(toString(channel)) AS channel` + order + `
FROM ` + events + `
WHERE at >= ` + instantSQL(j.From) + ` AND at < ` + instantSQL(j.To) + `
) AS e
LEFT ANY JOIN (
SELECT customer_id, toStartOfMonth(cutoff) AS month, stage
FROM lifecycle_stages
WHERE cutoff IN (` + strings.Join(cutoffs, ", ") + `) AND run_id IN (` + strings.Join(runs, ", ") + `)
) AS s ON s.customer_id = e.customer_id AND s.month = e.month
GROUP BY stage, kind, channel
ORDER BY stage, events DESC, kind, channel
LIMIT ` + fmt.Sprint(journeyKinds) + ` BY stage
SETTINGS join_use_nulls = 0`
	for b, err := range store.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return err
		}
		stages, kinds, channels, counts, customers := b.Strings("stage"), b.Strings("kind"), b.Strings("channel"), b.UInt64s("events"), b.UInt64s("customers")
		for i, name := range stages {
			at := 0 // who became known only in the month begins at the first stage
			if name != "" {
				at = slices.IndexFunc(j.Stages, func(s lifecycle.JourneyStage) bool { return s.Name == name })
			}
			if at < 0 {
				return fmt.Errorf("unknown stage %q", name)
			}
			add(&j.Stages[at], lifecycle.JourneyEvent{Source: source, Kind: kinds[i], Channel: channels[i], Events: int(counts[i]), Customers: int(customers[i])})
		}
	}
	for k := range j.Stages {
		s := &j.Stages[k]
		for i := range s.Events {
			if e := &s.Events[i]; s.Months > 0 {
				e.Rate = new(100 * float64(e.Events) / float64(s.Months))
			}
		}
	}
	return nil
}

// add adds an event to those of its kind: newcomers and those who stand in the first stage are counted apart.
func add(s *lifecycle.JourneyStage, e lifecycle.JourneyEvent) {
	for i := range s.Events {
		if of := &s.Events[i]; of.Source == e.Source && of.Kind == e.Kind && of.Channel == e.Channel {
			of.Events, of.Customers = of.Events+e.Events, of.Customers+e.Customers
			return
		}
	}
	s.Events = append(s.Events, e)
}
