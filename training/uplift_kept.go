package training

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"retain/features"
	"retain/models/uplift"
)

// knownUplift is what the champion knows of actions when only some are learned anew: the rest of the model stays as it is, and the rows that are
// learned from get its features, since all parts of a model read the same ones.
type knownUplift struct {
	champion *standing
	bundle   *uplift.Bundle
	told     []UpliftAction // of the champion's report
}

// readKnownUplift reads the champion where only some actions are learned anew; nil where all are, or nothing is known of others.
// Errors: *UsageError where it was learned for another definition of churn, or of the registry.
func readKnownUplift(ctx context.Context, o Options, only []string) (*knownUplift, error) {
	if len(only) == 0 {
		return nil, nil
	}
	champion, err := readChampion(ctx, o.Registry, KindUplift)
	if champion == nil || err != nil {
		return nil, err
	}
	k := &knownUplift{champion: champion}
	if k.bundle, err = uplift.DecodeBundle(champion.artifact.Model, champion.artifact.Schema); err != nil {
		return nil, fmt.Errorf("read champion %s version %d: %w", champion.row.Name, champion.row.Version, err)
	}
	if !slices.ContainsFunc(k.bundle.Parts, func(p uplift.Part) bool { return !slices.Contains(only, p.Action) }) {
		return nil, nil
	}
	if relabelled(o.Churn, champion.artifact.Churn) {
		return nil, &UsageError{Message: fmt.Sprintf("uplift v%d, which knows of other actions, was learned for another definition of churn, so that they cannot stand in one model: learn all actions, without --action",
			champion.row.Version)}
	}
	if err := json.Unmarshal(champion.artifact.Metrics, &k.told); err != nil {
		return nil, fmt.Errorf("read the report of champion %s version %d: %w", champion.row.Name, champion.row.Version, err)
	}
	return k, nil
}

// catalogue is that of the features to learn from.
func (k *knownUplift) catalogue(configured *features.Catalogue) *features.Catalogue {
	if k == nil {
		return configured
	}
	return k.champion.artifact.Catalogue
}

// encode brings the rows to the shape of the parts that stay.
func (k *knownUplift) encode(d *features.Dataset) (*encoded, error) {
	if k == nil {
		return encode(d)
	}
	x, err := k.champion.artifact.Encoding.Apply(d.X)
	if err != nil {
		return nil, fmt.Errorf("encode as uplift v%d, whose other actions stay: %w; learn all actions, without --action", k.champion.row.Version, err)
	}
	out := *d
	out.X = x
	return &encoded{d: &out, encoding: k.champion.artifact.Encoding}, nil
}

// keep adds what the champion knows of actions of which nothing new was learned.
func (k *knownUplift) keep(bundle *uplift.Bundle, report *UpliftTrainReport) {
	if k == nil {
		return
	}
	for _, p := range k.bundle.Parts {
		if _, anew := bundle.Of(p.Action); anew {
			continue
		}
		bundle.Parts = append(bundle.Parts, p)
		told := nothingTold(p.Action)
		if at := slices.IndexFunc(k.told, func(a UpliftAction) bool { return a.Action == p.Action }); at >= 0 {
			told = k.told[at]
			told.Subgroups = append([]UpliftSubgroup{}, told.Subgroups...)
		}
		if told.KeptFrom == nil {
			version := int(k.champion.row.Version)
			told.KeptFrom = &version
		}
		if at := slices.IndexFunc(report.Actions, func(a UpliftAction) bool { return a.Action == p.Action }); at >= 0 {
			told.Why = report.Actions[at].Why + "; what was known stays"
			report.Actions[at] = told
		} else {
			report.Actions = append(report.Actions, told)
		}
	}
	slices.SortFunc(bundle.Parts, func(a, b uplift.Part) int { return strings.Compare(a.Action, b.Action) })
	slices.SortFunc(report.Actions, func(a, b UpliftAction) int { return strings.Compare(a.Action, b.Action) })
}

// over is the champion that the new model takes the place of: the one whose parts are kept, even where another became champion meanwhile, so that it
// is not overwritten unseen.
func (k *knownUplift) over(ctx context.Context, r Registry) (*standing, error) {
	if k == nil {
		return readChampion(ctx, r, KindUplift)
	}
	return k.champion, nil
}

// cutoffs are those of all rows that the model was learned from, oldest first.
func (k *knownUplift) cutoffs(anew []time.Time) []time.Time {
	if k == nil {
		return anew
	}
	all := append(slices.Clone(anew), k.champion.artifact.Cutoffs...)
	slices.SortFunc(all, time.Time.Compare)
	return slices.CompactFunc(all, time.Time.Equal)
}
