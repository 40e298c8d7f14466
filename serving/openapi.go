package serving

import (
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"retain/features"
)

// fieldDocs says what the fields of the score object are. The type lives in models, which knows nothing of OpenAPI.
var fieldDocs = map[string]map[string]string{
	"Score": scoreDocs,
	"Customer": {
		"run_id": "The run that all of this is from.",
	},
	"ModelRef": {
		"name":    "Name in the registry.",
		"version": "Counts per name from 1.",
	},
	"Reason": {
		"feature":      "Name in the catalogue of features; other is the sum of all features that are not listed.",
		"text":         "The reason in words.",
		"value":        "The customer's value; null when missing or not a number.",
		"reference":    "Median of the feature over the training rows.",
		"contribution": "Exact additive share of the margin, in log-odds; positive raises the risk.",
		"direction":    "up raises the risk, down lowers it.",
		"actionable":   "A retention team can influence it.",
	},
	"Change": {
		"feature": "Name in the catalogue of features.",
		"text":    "The change in words.",
		"before":  "Value in the run before.",
		"now":     "Value in this run.",
	},
}

var scoreDocs = map[string]string{
	"customer_id":       "The customer's id, byte for byte as imported.",
	"status":            "scored, already_churned, not_eligible, insufficient_history, erased or opted_out. Figures are null unless scored.",
	"status_code":       "Why not eligible: tenure, cancel_pending or in_grace; else null.",
	"churn_probability": "Calibrated probability of leaving within the horizon, in [0, 1].",
	"percentile":        "Rank by margin in the run, 1 to 100; 100 is most at risk.",
	"band":              "high, medium or low, by probability.",
	"margin":            "The model's log-odds before calibration. Rank by it: probabilities can tie.",
	"horizon_days":      "Length of the time the probability speaks of, in days from the cutoff (and gap).",
	"cutoff":            "The instant the score stands at, exclusive: nothing after it was used.",
	"scored_at":         "When the run was made.",
	"stage":             "Stage of the customer's lifecycle (GET /v1/lifecycle/stages); null in runs of programs that had none.",
	"loyalty_score":     "0 to 100, higher is more loyal: round(100 · p_repeat · p_promotes). Null where no loyalty model scored.",
	"p_repeat":          "Calibrated probability that the customer repeats or renews within " + strconv.Itoa(features.LoyaltyDays) + " days of the cutoff; null where no loyalty model scored.",
	"p_promotes":        "Calibrated probability that the customer promotes in that time if he repeats: an NPS answer of 9 or 10, a referral, or no less spent than before; null where no loyalty model scored.",
	"expected_value":    "What the customer is expected to bring, in the currency of the sources; null when unknown.",
	"expected_loss":     "churn_probability × expected_value.",
	"reasons":           "The strongest contributions to the margin, then other; they and the base add up to it.",
	"changes":           "What moved since the run before; null where that is not built.",
	"data_age_s":        "Seconds from the cutoff to this answer.",
	"hindsight":         "Present and true when the model was trained on data after the cutoff.",
}

// document adds the words of fieldDocs, and the operations that huma does not serve.
func document(o *huma.OpenAPI) {
	for name, schema := range o.Components.Schemas.Map() {
		for field, words := range fieldDocs[name] {
			describe(schema, field, words)
		}
		for field, words := range planDocs[name] {
			describe(schema, field, words)
		}
		for field, words := range actionDocs[name] {
			describe(schema, field, words)
		}
		if name == "Customer" {
			for field, words := range scoreDocs {
				describe(schema, field, words)
			}
		}
	}
	metrics := operation(huma.Operation{
		OperationID: "metrics", Method: http.MethodGet, Path: "/metrics", Tags: []string{"operations"},
		Summary: "Metrics in the Prometheus text format",
		Responses: map[string]*huma.Response{
			"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {Schema: &huma.Schema{Type: huma.TypeString}}}},
		},
	})
	problem := &huma.MediaType{Schema: &huma.Schema{Ref: "#/components/schemas/ErrorModel"}}
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests} {
		metrics.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status), Content: map[string]*huma.MediaType{"application/problem+json": problem},
		}
	}
	o.AddOperation(&metrics)
}

func describe(schema *huma.Schema, field, words string) {
	if p := schema.Properties[field]; p != nil {
		p.Description = words
	}
}
