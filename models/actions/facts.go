package actions

import (
	"retain/features"
	"retain/internal/rule"
)

// Facts is what a rule can see of one customer. What is not known makes a rule that needs it not hold, unless the rest of it
// decides (a || b holds if b does).
type Facts struct {
	Status, StatusCode string
	Probability        float64 // of churn; NaN = not scored
	Percentile         int     // 0 = not scored
	Band               string  // "" = not scored
	Value              float64 // NaN = unknown
	Stage              string  // "" = not known
	OpenTickets        int
	OldestTicketDays   float64 // NaN = no ticket is open
	LeadSource         string  // the text columns of customers; "" = unknown
	Segment            string
	Region             string
	Plan               string
	Attributes         map[string]string

	Features *FeatureColumns // nil: none is known
	Row      int             // of Features
}

// FeatureColumns are the columns of the features that rules name, by their place in Engine.Features.
type FeatureColumns = rule.Columns

var factTable = []rule.Fact[Facts]{
	{Name: "status", Kind: rule.Text, Get: func(f *Facts) any { return f.Status }},
	{Name: "status_code", Kind: rule.Text, Get: func(f *Facts) any { return f.StatusCode }},
	{Name: "churn_probability", Kind: rule.Number, Get: func(f *Facts) any { return rule.Known(f.Probability) }},
	{Name: "percentile", Kind: rule.Whole, Get: func(f *Facts) any {
		if f.Percentile == 0 {
			return nil
		}
		return int64(f.Percentile)
	}},
	{Name: "band", Kind: rule.Text, Get: func(f *Facts) any { return textOrNil(f.Band) }},
	{Name: "expected_value", Kind: rule.Number, Get: func(f *Facts) any { return rule.Known(f.Value) }},
	{Name: stageFact, Kind: rule.MaybeText, Get: func(f *Facts) any { return textOrNil(f.Stage) }},
	{Name: "open_tickets", Kind: rule.Whole, Get: func(f *Facts) any { return int64(f.OpenTickets) }},
	{Name: "oldest_open_ticket_days", Kind: rule.Number, Get: func(f *Facts) any { return rule.Known(f.OldestTicketDays) }},
	{Name: "lead_source", Kind: rule.Text, Get: func(f *Facts) any { return f.LeadSource }},
	{Name: "segment", Kind: rule.Text, Get: func(f *Facts) any { return f.Segment }},
	{Name: "region", Kind: rule.Text, Get: func(f *Facts) any { return f.Region }},
	{Name: "plan", Kind: rule.Text, Get: func(f *Facts) any { return f.Plan }},
	{Name: attributesFact, Kind: rule.Texts, Get: func(f *Facts) any { return f.Attributes }},
}

// stageFact is the lifecycle stage: the texts that rules compare it with must be stages.
const stageFact = "stage"

// attributesFact is read only for rules that name it: it costs.
const attributesFact = "attributes"

func textOrNil(text string) any {
	if text == "" {
		return nil
	}
	return text
}

// language is that of rules over the facts and the features of entries.
func language(entries []features.Entry) (*rule.Language[Facts], error) {
	named := make([]rule.Feature, len(entries))
	for i, e := range entries {
		named[i] = rule.Feature{Name: e.Name, Categorical: e.Kind() == features.Categorical}
	}
	return rule.NewLanguage(factTable, named, func(f *Facts) (*rule.Columns, int) { return f.Features, f.Row })
}
