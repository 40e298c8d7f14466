package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
)

// KindLoyalty is the kind of the loyalty models, and their name in the registry.
const KindLoyalty = models.KindLoyalty

// LoyaltyReport is the JSON of `retain train loyalty`.
type LoyaltyReport struct {
	Model    ModelName          `json:"model"` // of both parts together
	Promoted bool               `json:"promoted"`
	Gate     GateVerdict        `json:"gate"`
	Verdict  []string           `json:"verdict"` // why promoted or not, in words; why each family is in the parts
	Parts    LoyaltyPartReports `json:"parts"`
	Product  *LoyaltyProduct    `json:"product"` // null where no test cutoff measures both parts
	Artifact string             `json:"artifact"`
	Seconds  float64            `json:"seconds"`
}

// LoyaltyPartReports are the trainings of the parts: each as `retain train churn` tells of its own, the positives being those who repeat
// and those who promote. Their artifacts are those inside the loyalty model's.
type LoyaltyPartReports struct {
	Repeat   *TrainReport `json:"repeat"`
	Promotes *TrainReport `json:"promotes"`
}

// TrainLoyalty learns the two-part loyalty model of metrics.md §4 from all cutoffs with known labels: P(repeat or renew in 180 d) and
// P(promotes | repeat), each by the tournament, the calibration and the gate of Train, over the same snapshots. Both are registered as
// one artifact, which is promoted if neither part speaks against it and one is due.
// Errors: as Train; *DataError names the source that tells who promotes, where there is none.
func TrainLoyalty(ctx context.Context, o Options) (report *LoyaltyReport, err error) {
	o = o.filled()
	if err := errors.Join(o.Churn.Validate(), o.Grid.Validate()); err != nil {
		return nil, &UsageError{Message: err.Error()}
	}
	p := newStoreLoyalty(o)
	defer func() { err = errors.Join(err, p.Close(ctx)) }()
	return trainLoyalty(ctx, p, o)
}

func trainLoyalty(ctx context.Context, panels loyaltyPanel, o Options) (*LoyaltyReport, error) {
	begin := time.Now()
	o.Churn = o.Churn.Loyalty()
	champion, err := readLoyaltyChampion(ctx, o.Registry)
	if err != nil {
		return nil, err
	}
	for _, part := range features.LoyaltyParts { // what is lacking is told before the work
		if err := checkLoyalty(ctx, panels, part, o); err != nil {
			return nil, fmt.Errorf("loyalty, part %s: %w", part, err)
		}
	}
	product := &productMeasure{panels: panels, until: o.Until}
	lessons := make(map[features.LoyaltyPart]*lesson)
	for _, part := range features.LoyaltyParts {
		own := o
		own.Progress = func(line string) { o.Progress(string(part) + ": " + line) }
		a := newArena(panels.Part(part), own)
		a.champion = champion.part(part).recipe()
		if part == features.PartPromotes {
			a.witness = product.witness
		}
		l, err := a.learn(ctx, own)
		if err != nil {
			return nil, fmt.Errorf("loyalty, part %s: %w", part, err)
		}
		l.artifact.Kind, l.artifact.Name, l.report.Model.Name = KindLoyalty, string(part), string(part)
		lessons[part] = l
	}
	model := &models.Loyalty{Repeat: lessons[features.PartRepeat].artifact, Promotes: lessons[features.PartPromotes].artifact}
	report := &LoyaltyReport{
		Model: ModelName{Name: KindLoyalty, Family: model.Family()},
		Parts: LoyaltyPartReports{Repeat: lessons[features.PartRepeat].report, Promotes: lessons[features.PartPromotes].report},
	}
	if report.Product = product.figures(lessons[features.PartRepeat], lessons[features.PartPromotes], o.Seed); report.Product != nil {
		if model.Product, err = json.Marshal(report.Product); err != nil {
			return nil, fmt.Errorf("write the product's figures: %w", err)
		}
	}
	if err := settleLoyalty(ctx, o, model, report, lessons, champion); err != nil {
		return nil, err
	}
	report.Seconds = time.Since(begin).Seconds()
	return report, nil
}

// loyaltyStanding is the loyalty champion as the registry holds it; nil = there is none.
type loyaltyStanding struct {
	row   warehouse.ModelRow
	model *models.Loyalty
}

// readLoyaltyChampion reads the loyalty champion; nil if there is none.
func readLoyaltyChampion(ctx context.Context, r Registry) (*loyaltyStanding, error) {
	row, err := r.ChampionModel(ctx, KindLoyalty)
	if errors.Is(err, warehouse.ErrNoModel) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	model, err := models.DecodeLoyalty(row.Blob)
	if err != nil {
		return nil, fmt.Errorf("read champion %s version %d: %w", row.Name, row.Version, err)
	}
	return &loyaltyStanding{row: row, model: model}, nil
}

// part is one part of the champion, as if it stood alone; nil where there is none.
func (s *loyaltyStanding) part(part features.LoyaltyPart) *standing {
	if s == nil {
		return nil
	}
	return &standing{row: warehouse.ModelRow{Name: string(part), CreatedAt: s.row.CreatedAt}, artifact: s.model.Part(part)}
}

// settleLoyalty registers the model and promotes it if the gate says so of its parts.
func settleLoyalty(ctx context.Context, o Options, model *models.Loyalty, report *LoyaltyReport, lessons map[features.LoyaltyPart]*lesson, champion *loyaltyStanding) error {
	j, err := judgeLoyalty(o, lessons, champion)
	if err != nil {
		return err
	}
	blob, err := model.Encode()
	if err != nil {
		return err
	}
	report.Artifact = models.Address(blob)
	over := ""
	if champion != nil {
		over = champion.row.Artifact
	}
	j.Over = &over
	report.Gate, report.Verdict = j.gate(), slices.Concat(report.Product.verdict(), j.Verdict)
	told, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	o.Registry = unshadowed{o.Registry}
	e, err := enrol(ctx, o, j, warehouse.ModelRow{
		Artifact: report.Artifact, Kind: KindLoyalty, Name: KindLoyalty, Family: report.Model.Family,
		Rows: uint64(model.Repeat.Rows), Positives: uint64(model.Repeat.Positives), Report: string(told), Blob: blob,
	})
	report.Model.Version, report.Promoted = e.Version, e.Promoted
	report.Verdict = append(report.Verdict, e.Told...)
	for _, part := range features.LoyaltyParts {
		lessons[part].report.Model.Version, lessons[part].report.Promoted = e.Version, e.Promoted
	}
	return err
}

// judgeLoyalty is the gate's word on both parts: none may speak against the new one, and one must be due by the rules of a model of its own.
func judgeLoyalty(o Options, lessons map[features.LoyaltyPart]*lesson, champion *loyaltyStanding) (judgement, error) {
	whole := judgement{Sound: true}
	due, same := false, true
	for _, part := range features.LoyaltyParts {
		l := lessons[part]
		j, unchanged, err := judgePart(o, l, champion.part(part))
		if err != nil {
			return whole, fmt.Errorf("loyalty, part %s: %w", part, err)
		}
		l.report.Gate = j.gate()
		l.report.Verdict = slices.Concat(l.report.Verdict, j.Verdict)
		for _, line := range l.report.Verdict {
			whole.say("%s: %s", part, line)
		}
		same = same && unchanged
		due = due || j.Promote
		whole.Sound = whole.Sound && j.Sound
	}
	switch {
	case champion == nil:
		whole.Promote = true
		whole.say("there is no loyalty champion yet: this one is promoted")
	case same:
		whole.say("the same model is the champion already")
	case whole.Sound && due:
		whole.Promote = true
		whole.say("loyalty is promoted")
	default:
		whole.say("loyalty is registered, and the champion stays")
	}
	return whole, nil
}

// judgePart is the gate's word on one part, without the line that says what becomes of it: that is said of both. unchanged: the champion's part
// is this very one.
func judgePart(o Options, l *lesson, champion *standing) (j judgement, unchanged bool, err error) {
	blob, err := l.artifact.Encode()
	if err != nil {
		return j, false, err
	}
	l.report.Artifact = models.Address(blob)
	if champion != nil {
		before, err := champion.artifact.Encode()
		if err != nil {
			return j, false, err
		}
		if champion.row.Artifact = models.Address(before); champion.row.Artifact == l.report.Artifact {
			return judgement{Sound: true, Verdict: []string{"the same as the champion's"}}, true, nil
		}
	}
	j = verdict(l, o, champion)
	if last := len(j.Verdict) - 1; champion == nil || last > 0 {
		j.Verdict = j.Verdict[:last]
	}
	return j, false, nil
}

// unshadowed is a registry whose challengers are not scored in the champion's shadow: that is done for churn.
type unshadowed struct{ Registry }

// Challenge notes nothing.
func (unshadowed) Challenge(context.Context, warehouse.AliasRow) (bool, error) { return false, nil }
