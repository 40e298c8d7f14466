package models

import "time"

// Score is the score object of contract.md §3: all that is known of one customer in one run.
// Pointers are null in JSON where a figure is undefined.
type Score struct {
	CustomerID       string    `json:"customer_id"`
	Status           string    `json:"status"`
	StatusCode       *string   `json:"status_code"`
	ChurnProbability *float64  `json:"churn_probability"`
	Percentile       *int      `json:"percentile"`
	Band             *string   `json:"band"`
	Margin           *float64  `json:"margin"`
	HorizonDays      int       `json:"horizon_days"`
	Cutoff           time.Time `json:"cutoff"`
	ScoredAt         time.Time `json:"scored_at"`
	Model            ModelRef  `json:"model"`
	Stage            *string   `json:"stage"`         // of the lifecycle; null in runs of programs that had none
	LoyaltyScore     *int      `json:"loyalty_score"` // round(100 · p_repeat · p_promotes); null where no loyalty model scored
	PRepeat          *float64  `json:"p_repeat"`      // P(repeats or renews in 180 d)
	PPromotes        *float64  `json:"p_promotes"`    // P(promotes | repeats)
	ExpectedValue    *float64  `json:"expected_value"`
	ExpectedLoss     *float64  `json:"expected_loss"`
	Reasons          []Reason  `json:"reasons"`
	Changes          []Change  `json:"changes"`
	DataAgeS         int64     `json:"data_age_s"` // seconds from the cutoff to now
	Hindsight        bool      `json:"hindsight,omitempty"`
}

// ModelRef names the model of a score.
type ModelRef struct {
	Name    string `json:"name"`
	Version int    `json:"version"`
}

// Reason is one feature's exact additive contribution to the margin, in words.
// The last reason of a score has the feature "other": the sum of all that are not listed.
type Reason struct {
	Feature      string   `json:"feature"`
	Text         string   `json:"text"`
	Value        *float64 `json:"value"`     // the customer's; null = missing, or categorical (then Text tells it)
	Reference    *float64 `json:"reference"` // the training median
	Contribution float64  `json:"contribution"`
	Direction    string   `json:"direction"`  // raises or lowers the risk: "up" or "down"
	Actionable   bool     `json:"actionable"` // there is something a retention team can do about it
}

// Change is what moved since the run before.
type Change struct {
	Feature string   `json:"feature"`
	Text    string   `json:"text"`
	Before  *float64 `json:"before"`
	Now     *float64 `json:"now"`
}

// Statuses of a customer in a run.
const (
	StatusScored              = "scored"
	StatusAlreadyChurned      = "already_churned"
	StatusNotEligible         = "not_eligible"
	StatusInsufficientHistory = "insufficient_history"
	StatusErased              = "erased"
	StatusOptedOut            = "opted_out"
)

// Run is one scoring run: the JSON of `retain score`, and what every list says of itself.
type Run struct {
	ID          string             `json:"run_id"`
	Cutoff      time.Time          `json:"cutoff"`
	Model       ModelRef           `json:"model"`
	Loyalty     *ModelRef          `json:"loyalty_model"` // null: customers have no loyalty score
	Artifact    string             `json:"artifact"`      // sha256:… of the model that scored
	HorizonDays int                `json:"horizon_days"`
	Customers   int                `json:"customers"` // everyone who exists at the cutoff
	Scored      int                `json:"scored"`
	ByStatus    map[string]int     `json:"by_status"`
	Hindsight   bool               `json:"hindsight"` // the cutoff lies before the end of the model's training
	FinishedAt  time.Time          `json:"finished_at"`
	Seconds     map[string]float64 `json:"seconds"`
}
