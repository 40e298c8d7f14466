package features

import "encoding/json"

// Entry is one feature of the catalogue: a measure of a customer at a cutoff, and how to speak of it.
type Entry struct {
	Name       string  `json:"name" yaml:"name"` // subject_aggregate_window: ^[a-z][a-z0-9_]*$; a family holds {each} in it
	Measure    Measure `json:"measure" yaml:"measure"`
	Unit       Unit    `json:"unit" yaml:"unit"`                       // of the value; UnitLevel makes the column categorical
	Doc        string  `json:"doc" yaml:"doc"`                         // what the value is, in one line
	Words      string  `json:"words" yaml:"words"`                     // the words of a reason, see Say
	Missing    string  `json:"missing" yaml:"missing"`                 // the words when the value is missing, and so what that means
	Actionable bool    `json:"actionable,omitempty" yaml:"actionable"` // a retention team can influence it
	Monotone   int     `json:"monotone,omitempty" yaml:"monotone"`     // +1: more of it is never less risk, -1: never more, 0: not sure
	Treatment  bool    `json:"treatment,omitempty" yaml:"treatment"`   // what we did to the customer: only in a catalogue with the treatment flag, see Catalogue.Treatment
	Each       string  `json:"each,omitempty" yaml:"each"`             // a family: one entry per value of this text column; "attributes": per attribute of customers
	Top        int     `json:"top,omitempty" yaml:"top"`               // a family: how many values, the most frequent ones; 0 means 30
	Several    bool    `json:"several,omitempty" yaml:"several"`       // a family of running periods: only where customers have several of the values at once
	Level      string  `json:"level,omitempty" yaml:"level"`           // an entry out of a family: the value it stands for
}

// Measure is what a form computes over the rows of one customer: those of Source with at and ingested_at before the cutoff T,
// in the window, where the conditions hold. A day is 24 hours counted back from T: a UTC day when T is midnight.
type Measure struct {
	Source  string              `json:"source,omitempty" yaml:"source"`   // inherited by Of and Over; not for tenure
	Form    Form                `json:"form" yaml:"form"`                 // see the constants
	Column  string              `json:"column,omitempty" yaml:"column"`   // canonical or derived column, as the form needs
	Key     string              `json:"key,omitempty" yaml:"key"`         // with column attributes: which one
	Window  int                 `json:"window,omitempty" yaml:"window"`   // days w: rows in [T-Offset-w, T-Offset); 0 = all of history
	Offset  int                 `json:"offset,omitempty" yaml:"offset"`   // days
	Life    int                 `json:"life,omitempty" yaml:"life"`       // instead of a window: the first so many days of the customer's life
	Where   map[string][]string `json:"where,omitempty" yaml:"where"`     // column → values, one of which it has (booleans: "true", "false")
	Current bool                `json:"current,omitempty" yaml:"current"` // subscriptions: only periods in force at T-Offset; then Window only says how far back a change looks
	Scale   float64             `json:"scale,omitempty" yaml:"scale"`     // multiplies the value; 0 means 1
	Buckets int                 `json:"buckets,omitempty" yaml:"buckets"` // slope: how many equal parts of the window, at least 2
	Tau     float64             `json:"tau,omitempty" yaml:"tau"`         // decayed_sum, renewal_decayed: days in which a weight falls to 1/e
	Of      *Measure            `json:"of,omitempty" yaml:"of"`           // of a composite form
	Over    *Measure            `json:"over,omitempty" yaml:"over"`       // of ratio and difference
}

// Form is the way in which rows become a number (metrics.md §2).
type Form string

// The forms. "Missing" is NaN. Where a window reaches back before the source's first row at a customer who existed then, every
// form is missing.
const (
	Count         Form = "count"           // rows; with a column: rows of one value count once, rows without it each. 0 when there are none
	Sum           Form = "sum"             // of a numeric column; 0 when there are none
	Mean          Form = "mean"            // of a numeric column's values; missing without any
	Max           Form = "max"             // as mean
	Min           Form = "min"             // as mean
	Distinct      Form = "distinct"        // different values of a text column
	ActiveDays    Form = "active_days"     // days with a row
	DaysSinceLast Form = "days_since_last" // from the last row to T, fractional; missing without rows
	DaysSinceNew  Form = "days_since_new"  // from the first day of the value of a text column that came last, whole days
	DaysSince1st  Form = "days_since_first"
	LongestGap    Form = "longest_gap"   // days between neighbouring rows, T counting as one; missing without rows
	IntervalMean  Form = "interval_mean" // mean days between distinct days with a row; missing below two days
	IntervalSD    Form = "interval_sd"   // their standard deviation (n-1); missing below three days
	Overdue       Form = "overdue"       // days since last ÷ interval_mean; missing below three days
	Last          Form = "last"          // the newest value of a column, ties by row hash
	LastChange    Form = "last_change"   // the newest value of a numeric column minus the one before it, ties as last; missing below two values
	Median        Form = "median"        // of a numeric column's values, the mean of the two middle ones; missing without any
	NewValues     Form = "new_values"    // values of a text column whose first day of all history lies in the window
	Entropy       Form = "entropy"       // of the shares of a text column's values, in nats; missing without any
	Slope         Form = "slope"         // least-squares slope of the totals of equal parts of the window, per part
	DecayedSum    Form = "decayed_sum"   // Σ exp(-Δt/Tau) over rows
	ScaledRate    Form = "scaled_rate"   // rows · 28 / clip(tenure in days, 7, Window)
	Share         Form = "share"         // rows (with a column: its sum) where the conditions hold ÷ rows where their columns are known
	Change        Form = "change"        // (Of - Of one window before) ÷ the latter, in [-1, 10]; missing if that is 0 or life began within both
	Ratio         Form = "ratio"         // Of ÷ Over; missing when Over is 0
	Difference    Form = "difference"    // Of - Over
	Tenure        Form = "tenure"        // days from created_at, else from the first row of any source
	Attribute     Form = "attribute"     // a column of customers as it stands

	// Forms of subscription periods. A renewal is a period that follows, by start, one of the same subscription_id (empty: one
	// subscription); a window is that of its start, while the period before is looked for in all of history.
	RenewalChange Form = "renewal_change"     // of a numeric column at the last renewal, as change; missing without one or without both values
	RenewalDiff   Form = "renewal_difference" // as renewal_change, but the value minus the one before
	RenewalDecay  Form = "renewal_decayed"    // Σ relative change of a numeric column · exp(-Δt/Tau) over renewals with both values; 0 without any
	RenewalsUp    Form = "renewals_up"        // renewals with a greater value of a numeric column than the period before
	RenewalsDown  Form = "renewals_down"      // renewals with a smaller one
	Returns       Form = "returns"            // periods that begin after the end of every earlier one of the customer: ended_at, else ends_at, else open
	// PaidFor is 1 if a running period that ends is paid for Window more days or longer, 0 if none is; missing without such a period. Without a window
	// it is to the end of the label window, which Catalogue.For knows.
	PaidFor Form = "paid_for"
)

// Unit says how a value is to be spoken of.
type Unit string

// The units.
const (
	UnitCount   Unit = "count"
	UnitDays    Unit = "days"
	UnitHours   Unit = "hours"
	UnitMinutes Unit = "minutes"
	UnitMoney   Unit = "money"  // in the one currency of the warehouse
	UnitShare   Unit = "share"  // 0..1, spoken in %
	UnitChange  Unit = "change" // relative, spoken as "down 62 %"
	UnitNumber  Unit = "number"
	UnitFlag    Unit = "flag"  // 0 or 1
	UnitLevel   Unit = "level" // a category
)

// Kind is Categorical for entries whose unit is level.
func (e Entry) Kind() Kind {
	if e.Unit == UnitLevel {
		return Categorical
	}
	return Numeric
}

// Definition is the canonical text of what the entry computes, its words left out: it changes iff values can.
func (e Entry) Definition() string {
	b, err := json.Marshal(struct {
		Measure Measure `json:"measure"`
		Kind    Kind    `json:"kind"`
	}{e.Measure, e.Kind()})
	if err != nil {
		panic("features: " + err.Error()) // a Measure holds plain values; NaN is refused by validation
	}
	return string(b)
}
