package pipelines

import (
	"fmt"

	"retain/features"
	"retain/models"
	"retain/models/actions"
	"retain/models/uplift"
	"retain/training"
)

// UpliftModel is the registered model of what actions do, decoded. It is an EffectModel.
type UpliftModel struct {
	artifact  *models.Artifact
	bundle    *uplift.Bundle
	subgroups map[string]*actions.Subgroups // by action: those that its part was learned with, whatever the catalogue names by now
	address   string
	version   int
}

// NewUpliftModel decodes the artifact of a model of kind uplift. Errors: damaged bytes, and rules of subgroups that this program cannot read.
func NewUpliftModel(a *models.Artifact, address string, version int) (*UpliftModel, error) {
	bundle, err := uplift.DecodeBundle(a.Model, a.Schema)
	if err != nil {
		return nil, fmt.Errorf("load uplift v%d: %w", version, err)
	}
	m := &UpliftModel{artifact: a, bundle: bundle, subgroups: map[string]*actions.Subgroups{}, address: address, version: version}
	known := features.Nameable(a.Catalogue, features.DefaultCatalogue())
	for _, part := range bundle.Parts {
		if m.subgroups[part.Action], err = training.SubgroupsOf(part.Model, known); err != nil {
			return nil, fmt.Errorf("load uplift v%d, action %s: %w; train uplift again", version, part.Action, err)
		}
	}
	return m, nil
}

// Entries are the features that the model reads.
func (m *UpliftModel) Entries() []features.Entry { return m.artifact.Catalogue.Entries }

// Identity names the model: it is part of the policy.
func (m *UpliftModel) Identity() string {
	return fmt.Sprintf("%s v%d %s", m.artifact.Name, m.version, m.address)
}

// Effects are the estimates for the actions of the catalogue that were learned, on the rows of x, whose columns are those of Entries, raw, and whose churn
// probabilities are risk. Where the model knows what its estimates have to do with the average effect, the catalogue's prior is weighed in here.
func (m *UpliftModel) Effects(c *actions.Catalogue, x *features.Matrix, risk []float64) (*actions.Learned, error) {
	encoded, err := m.artifact.Encoding.Apply(x)
	if err != nil {
		return nil, fmt.Errorf("encode features: %w", err)
	}
	out := &actions.Learned{Actions: make([][]actions.Estimate, len(c.Actions)), Settled: make([]bool, len(c.Actions)), Events: make([]int, len(c.Actions))}
	stays := make([]float64, len(risk))
	for i, p := range risk {
		stays[i] = 1 - p
	}
	for k, action := range c.Actions {
		part, ok := m.bundle.Of(action.ID)
		if !ok {
			continue
		}
		e, err := part.Model.Estimate(uplift.WithGroups(encoded, part.Model.Groups(), m.subgroups[action.ID].Shares(x, risk)), stays)
		if err != nil {
			return nil, fmt.Errorf("effect of %s: %w", action.ID, err)
		}
		out.Settled[k] = e.Settle(action.Prior.Mean, action.Prior.Spread())
		out.Events[k] = part.Events
		out.Actions[k] = make([]actions.Estimate, len(e.Effect))
		for i, v := range e.Effect {
			out.Actions[k][i] = actions.Estimate{Mean: float32(v), SE: float32(e.SE[i])}
		}
	}
	return out, nil
}

var _ EffectModel = (*UpliftModel)(nil)
