package lifecycle

import "time"

// Journey is the map of what happens in which stage.
type Journey struct {
	Preset  string         `json:"preset"`
	Version string         `json:"version"`
	RunID   string         `json:"run_id"`
	Cutoff  time.Time      `json:"cutoff"`
	From    time.Time      `json:"from"` // events in [From, To)
	To      time.Time      `json:"to"`
	Stages  []JourneyStage `json:"stages"`
}

// JourneyStage is one stage of the map.
type JourneyStage struct {
	Name   string         `json:"name"`
	Title  string         `json:"title"`
	Months int            `json:"customer_months"` // customers in it at the month starts, added up
	Events []JourneyEvent `json:"events"`          // most frequent first within a source
}

// JourneyEvent counts the events of a kind of those who were in the stage at the start of the month. Who became known only in that month
// counts in the first stage.
type JourneyEvent struct {
	Source    string   `json:"source"` // touchpoints, contacts, tickets, surveys or purchases
	Kind      string   `json:"kind"`   // of touchpoints and surveys; class of contacts; topic of tickets; "" of purchases and where none is told
	Channel   string   `json:"channel"`
	Events    int      `json:"events"`
	Customers int      `json:"customers"`
	Rate      *float64 `json:"per_100_customer_months"` // events; null where nobody was in the stage at a month start
}
