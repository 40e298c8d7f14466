package lead

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"retain/features"
)

// Points is how leads are scored. A touchpoint is worth the points of its kind when it happens and half as many each HalfLifeDays later;
// kinds that are not named are worth nothing.
type Points struct {
	HalfLifeDays float64            `json:"half_life_days" yaml:"half_life_days"` // in (0, 3650]
	Kinds        map[string]float64 `json:"kinds" yaml:"kinds"`                   // in [-1000, 1000]; below 0 is a sign of decline
	Silence      Silence            `json:"silence" yaml:"silence"`
	Full         float64            `json:"full" yaml:"full"`     // points of a score of 100, above 0
	Grades       []Grade            `json:"grades" yaml:"grades"` // best first; the last one from 0
}

// Silence takes points from who has not been heard of for so many days. AfterDays 0 = no rule.
type Silence struct {
	AfterDays float64 `json:"after_days" yaml:"after_days"`
	Points    float64 `json:"points" yaml:"points"` // at most 0
}

// Grade is a class of scores.
type Grade struct {
	Name string `json:"name" yaml:"name"`
	From int    `json:"from" yaml:"from"` // least score
}

// Bounds of what a file may say.
const (
	maxKinds    = 40
	maxGrades   = 10
	maxHalfLife = 3650
	maxPoints   = 1000
)

//go:embed points.yaml
var shipped []byte

// Shipped is the text of Default.
func Shipped() []byte { return slices.Clone(shipped) }

// Default are the points that come with the program.
func Default() *Points {
	p, err := Parse(shipped)
	if err != nil {
		panic("lead: " + err.Error()) // a test holds the embedded file
	}
	return p
}

// Parse reads points in YAML strictly. Errors: every problem at once, with what mends it.
func Parse(text []byte) (*Points, error) {
	p := new(Points)
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(p); err != nil {
		return nil, fmt.Errorf("lead score: %s", strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("lead score: more than one document; points are one")
	}
	return p, p.check()
}

func (p *Points) check() error {
	var faults []error
	wrong := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("lead score: "+format, args...))
	}
	if !(p.HalfLifeDays > 0 && p.HalfLifeDays <= maxHalfLife) {
		wrong("half_life_days: %v is not above 0 and at most %d", p.HalfLifeDays, maxHalfLife)
	}
	if !(p.Full > 0) || math.IsInf(p.Full, 0) {
		wrong("full: %v; want the points of a score of 100, above 0", p.Full)
	}
	if len(p.Kinds) == 0 || len(p.Kinds) > maxKinds {
		wrong("kinds: there are %d; want 1 to %d, each the kind of a touchpoint with its points", len(p.Kinds), maxKinds)
	}
	for _, kind := range p.kinds() {
		if v := p.Kinds[kind]; kind == "" || !(math.Abs(v) <= maxPoints) {
			wrong("kinds, %q: %v points; want a kind and a number within ±%d", kind, v, maxPoints)
		}
	}
	if s := p.Silence; !(s.AfterDays >= 0 && s.AfterDays <= maxHalfLife) || !(s.Points <= 0 && s.Points >= -maxPoints) {
		wrong("silence: want after_days of 0 to %d, and points of -%d to 0", maxHalfLife, maxPoints)
	}
	if len(p.Grades) == 0 || len(p.Grades) > maxGrades {
		wrong("grades: there are %d; want 1 to %d", len(p.Grades), maxGrades)
	}
	seen := map[string]bool{}
	for i, g := range p.Grades {
		switch {
		case g.Name == "" || seen[g.Name]:
			wrong("grades: %q is empty or there twice", g.Name)
		case i > 0 && g.From >= p.Grades[i-1].From || g.From > 100:
			wrong("grades, %s: from %d is not below the one before, or above 100: the best grade stands first", g.Name, g.From)
		case i == len(p.Grades)-1 && g.From != 0:
			wrong("grades, %s: the last one takes all the rest: from 0", g.Name)
		}
		seen[g.Name] = true
	}
	return errors.Join(faults...)
}

// kinds are those that have points, sorted.
func (p *Points) kinds() []string { return slices.Sorted(maps.Keys(p.Kinds)) }

// Features are what a score is made of, in the order of the columns that Score reads: of each kind the faded count, and the days since
// the last touchpoint.
func (p *Points) Features() *features.Catalogue {
	c := &features.Catalogue{Version: features.DefaultCatalogue().Version}
	for i, kind := range p.kinds() {
		c.Entries = append(c.Entries, features.Entry{
			Name: fmt.Sprintf("lead_kind_%d", i), Unit: features.UnitNumber, Doc: "touchpoints of a kind, halved each half-life", Words: "{value}", Missing: "none",
			Measure: features.Measure{Source: features.Touchpoints, Form: features.DecayedSum, Tau: p.HalfLifeDays / math.Ln2, Where: map[string][]string{"kind": {kind}}},
		})
	}
	c.Entries = append(c.Entries, features.Entry{
		Name: "lead_recency_days", Unit: features.UnitDays, Doc: "days since the last touchpoint", Words: "{value}", Missing: "none",
		Measure: features.Measure{Source: features.Touchpoints, Form: features.DaysSinceLast},
	})
	return c
}

// Score is the score of each row of a matrix of Features, 0 to 100: 100 · (Σ points · faded count + points of silence) / Full, rounded, within its bounds.
func (p *Points) Score(x *features.Matrix) []int {
	kinds := p.kinds()
	out := make([]int, x.Rows())
	for i := range out {
		sum := 0.
		for j, kind := range kinds {
			if v := float64(x.X[j][i]); v == v {
				sum += p.Kinds[kind] * v
			}
		}
		if last := float64(x.X[len(kinds)][i]); p.Silence.AfterDays > 0 && !(last <= p.Silence.AfterDays) {
			sum += p.Silence.Points
		}
		out[i] = int(math.Round(100 * max(0, min(1, sum/p.Full))))
	}
	return out
}

// Grade is the place in Grades of a score.
func (p *Points) Grade(score int) int {
	return slices.IndexFunc(p.Grades, func(g Grade) bool { return score >= g.From })
}
