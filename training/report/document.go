package report

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
	"retain/training"
	"retain/training/metrics"
)

// Document is everything that a report tells, and its JSON. All of it stands in the registry, so a report can be written at any later time.
type Document struct {
	Model      Model                `json:"model"`
	Champion   bool                 `json:"champion"`   // it scores today
	Promotions []Promotion          `json:"promotions"` // of this model, latest first
	Churn      features.ChurnSpec   `json:"churn"`
	Bands      models.Bands         `json:"bands"`
	Seed       uint64               `json:"seed"`
	Features   []Feature            `json:"features"` // of the model, in its order
	Training   training.TrainReport `json:"training"`
	Currency   string               `json:"currency,omitempty"` // of the profit curve; "" = none is configured
}

// Model names the model of a report.
type Model struct {
	Kind     string    `json:"kind"`
	Name     string    `json:"name"`
	Version  int       `json:"version"`
	Family   string    `json:"family"`
	Trained  time.Time `json:"trained_at"`
	Artifact string    `json:"artifact"`
}

// Promotion is one time at which the model became champion.
type Promotion struct {
	At     time.Time `json:"at"`
	Action string    `json:"action"` // trained, promoted, forced or rolled_back; see warehouse.AliasRow
	Who    string    `json:"who"`
	Why    string    `json:"why"`
}

// Feature is one feature of the model with its words from the catalogue; those of a flat table have none.
type Feature struct {
	Name       string `json:"name"`
	Doc        string `json:"doc,omitempty"`
	Unit       string `json:"unit,omitempty"`
	Missing    string `json:"missing,omitempty"` // what no value means
	Actionable bool   `json:"actionable"`
}

// Registered is a model as the registry holds it.
type Registered struct {
	Row      warehouse.ModelRow
	Champion bool                 // it scores today
	History  []warehouse.AliasRow // of the champions of its kind, latest first
	Currency string
}

// New reads the document of a registered model. Errors: models.ErrArtifact, a report of the training that cannot be read.
func New(r Registered) (*Document, error) {
	if r.Row.Report == "" {
		return nil, errors.New("the registry holds no report of this training; train again")
	}
	artifact, err := models.DecodeArtifact(r.Row.Blob)
	if err != nil {
		return nil, err
	}
	d := &Document{
		Model: Model{
			Kind: r.Row.Kind, Name: r.Row.Name, Version: int(r.Row.Version), Family: r.Row.Family, Trained: r.Row.CreatedAt.UTC(), Artifact: r.Row.Artifact,
		},
		Champion: r.Champion, Promotions: []Promotion{}, Churn: artifact.Churn, Bands: artifact.Bands, Seed: artifact.Seed, Features: []Feature{}, Currency: r.Currency,
	}
	if err := json.Unmarshal([]byte(r.Row.Report), &d.Training); err != nil {
		return nil, fmt.Errorf("read the report of %s v%d: %w", r.Row.Name, r.Row.Version, err)
	}
	// The registry's copy was written before the version was known and the promotion made.
	d.Training.Model.Version = d.Model.Version
	for _, p := range r.History {
		if p.Name == r.Row.Name && p.Artifact == r.Row.Artifact {
			d.Promotions = append(d.Promotions, Promotion{At: p.At.UTC(), Action: p.Action, Who: p.Who, Why: p.Why})
		}
	}
	d.Training.Promoted = len(d.Promotions) > 0
	for _, c := range artifact.Schema {
		f := Feature{Name: c.Name}
		if artifact.Catalogue != nil {
			if e, ok := artifact.Catalogue.Entry(c.Name); ok {
				f.Doc, f.Unit, f.Missing, f.Actionable = e.Doc, string(e.Unit), e.Missing, e.Actionable
			}
		}
		d.Features = append(d.Features, f)
	}
	return d, nil
}

func (d *Document) feature(name string) Feature {
	for _, f := range d.Features {
		if f.Name == name {
			return f
		}
	}
	return Feature{Name: name}
}

// family is a row of the tournament; nil if the family was not measured.
func (d *Document) family(name string) *metrics.ModelFigures {
	for k := range d.Training.Models {
		if d.Training.Models[k].Name == name {
			return &d.Training.Models[k]
		}
	}
	return nil
}

// curves are those of a family; nil if they were not recorded.
func (d *Document) curves(family string) *training.Curves {
	if d.Training.Anatomy == nil {
		return nil
	}
	for k := range d.Training.Anatomy.Curves {
		if d.Training.Anatomy.Curves[k].Family == family {
			return &d.Training.Anatomy.Curves[k]
		}
	}
	return nil
}
