package features

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Setting says what leaving means.
type Setting string

// The settings of metrics.md §4.
const (
	Contractual    Setting = "contractual"     // the paid period ends and none follows within the grace
	NonContractual Setting = "non_contractual" // no qualifying event in the horizon
	EventSetting   Setting = "event"           // a configured event in the horizon
)

const day = 24 * time.Hour

// maxDays bounds every length of a ChurnSpec: ten years. A longer one is a slip of the pen.
const maxDays = 3650

// activitySources are the sources whose rows may count as activity or as an event, with the text columns an event may match on.
// Mutable columns (returned, reply_channel, outcome) are left out: their value at the time of the event is not known.
var activitySources = map[string][]string{
	Usage:         {"event_id", "user_id", "feature", "channel"},
	Purchases:     {"order_id", "product", "category", "currency", "channel"},
	Subscriptions: {"subscription_id", "plan"},
	Surveys:       {"kind", "channel"},
	Tickets:       {"ticket_id", "channel", "topic", "priority"},
	Contacts:      {"contact_id", "channel", "class", "action", "campaign", "decision_id"},
	Touchpoints:   {"kind", "channel", "lead_source", "campaign"},
}

// eventSources are the names of activitySources in the order of sources.
func eventSources() []string {
	return slices.DeleteFunc(sourceNames(), func(name string) bool { return name == Customers })
}

// ChurnSpec is the label specification, `churn:` of the configuration. All lengths are whole days of 24 hours.
type ChurnSpec struct {
	Setting       Setting    `yaml:"setting" json:"setting"`
	Activity      []string   `yaml:"activity" json:"activity,omitempty"`                           // non_contractual: the sources whose rows count as activity; any but customers
	ActiveDays    int        `yaml:"active_days" json:"active_days,omitempty"`                     // non_contractual: A, alive = activity in [T-A, T)
	Event         *EventSpec `yaml:"event" json:"event,omitempty"`                                 // event: what leaving and joining are
	GraceDays     int        `yaml:"grace_days" json:"grace_days"`                                 // contractual: G, paid periods are joined over gaps of at most G
	GapDays       int        `yaml:"gap_days" json:"gap_days"`                                     // L, the label window starts at T+L
	HorizonDays   int        `yaml:"horizon_days" json:"horizon_days"`                             // H, the label window is [T+L, T+L+H)
	MinTenureDays int        `yaml:"min_tenure_days" json:"min_tenure_days"`                       // customers younger than this at T are not eligible; 0 = no limit
	DataUntil     *time.Time `yaml:"data_until" json:"data_until,omitempty" jsonschema:"nullable"` // replaces the watermark; nil = metrics.md §4
}

// EventSpec is the leaving event and, when the customer can come back or must join first, the start event.
// Alive at T: the last start before T is later than the last leaving before T; without Start, no leaving before T.
type EventSpec struct {
	Source string            `yaml:"source" json:"source"`         // any but customers
	Match  map[string]string `yaml:"match" json:"match"`           // text column → value; all must be equal, byte for byte
	Start  *EventMatch       `yaml:"start" json:"start,omitempty"` // nil: everyone who exists has joined
}

// EventMatch says which rows of a source are the event.
type EventMatch struct {
	Source string            `yaml:"source" json:"source"` // any but customers
	Match  map[string]string `yaml:"match" json:"match"`   // text column → value; all must be equal, byte for byte
}

// DefaultChurn is no purchase within 90 days by customers who bought in the last 365.
func DefaultChurn() ChurnSpec {
	return ChurnSpec{
		Setting:     NonContractual,
		Activity:    []string{"purchases"},
		ActiveDays:  365,
		GraceDays:   30,
		HorizonDays: 90,
	}
}

// MaturityDays is M = L + H + G: the labels of cutoff T are complete at T+M. G counts in the contractual setting only.
func (c ChurnSpec) MaturityDays() int {
	m := c.GapDays + c.HorizonDays
	if c.Setting == Contractual {
		m += c.GraceDays
	}
	return m
}

// Matures is T+M, the first instant at which the labels of a cutoff can be known.
func (c ChurnSpec) Matures(cutoff time.Time) time.Time {
	return cutoff.UTC().Add(time.Duration(c.MaturityDays()) * day)
}

// Known reports whether the labels of a cutoff are known when the data are complete until the watermark: T + M ≤ D.
func (c ChurnSpec) Known(cutoff, watermark time.Time) bool {
	return !c.Matures(cutoff).After(watermark)
}

// knownOf are the cutoffs whose labels are known when the data are complete until the watermark.
func (c ChurnSpec) knownOf(cutoffs []time.Time, watermark time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(cutoffs), func(t time.Time) bool { return !c.Known(t, watermark) })
}

// labelWindow is [T+L, T+L+H).
func (c ChurnSpec) labelWindow(cutoff time.Time) (from, until time.Time) {
	from = cutoff.UTC().Add(time.Duration(c.GapDays) * day)
	return from, from.Add(time.Duration(c.HorizonDays) * day)
}

// FromDecision is the specification that judges what was done at T: who left in the gap [T, T+L) left, and is not passed over as in training, because
// what was done may have been why he did or did not. So the label looks at [T, T+L+H). Without contract or event nobody is passed over: it stays as it is.
func (c ChurnSpec) FromDecision() ChurnSpec {
	if c.Setting == Contractual || c.Setting == EventSetting {
		c.GapDays, c.HorizonDays = 0, c.GapDays+c.HorizonDays
	}
	return c
}

// LabelSources are the sources that the labels are read from, each once, in a fixed order; nil for a setting event without its event.
func (c ChurnSpec) LabelSources() []string {
	switch c.Setting {
	case Contractual:
		return []string{"subscriptions"}
	case EventSetting:
		if c.Event == nil {
			return nil
		}
		s := []string{c.Event.Source}
		if c.Event.Start != nil && c.Event.Start.Source != c.Event.Source {
			s = append(s, c.Event.Start.Source)
		}
		return s
	default:
		s := slices.Clone(c.Activity)
		slices.Sort(s)
		return slices.Compact(s)
	}
}

// Validate names every problem at once, each with its key; nil if there is none. Keys of other settings are checked for their
// range only, so that one file can be switched between settings.
func (c ChurnSpec) Validate() error {
	var errs []error
	bad := func(format string, a ...any) { errs = append(errs, fmt.Errorf("churn."+format, a...)) }
	inRange := func(key string, v, lo int) {
		if v < lo || v > maxDays {
			bad("%s: %d is not between %d and %d days", key, v, lo, maxDays)
		}
	}
	inRange("horizon_days", c.HorizonDays, 1)
	inRange("gap_days", c.GapDays, 0)
	inRange("grace_days", c.GraceDays, 0)
	inRange("min_tenure_days", c.MinTenureDays, 0)
	if c.Setting == NonContractual {
		inRange("active_days", c.ActiveDays, 1)
	}
	switch c.Setting {
	case Contractual:
	case NonContractual:
		if len(c.Activity) == 0 {
			bad("activity: name at least one source whose rows count as activity (%s)", strings.Join(eventSources(), ", "))
		}
		for i, s := range c.Activity {
			if err := checkActivitySource(s); err != nil {
				bad("activity: %w", err)
			} else if slices.Contains(c.Activity[:i], s) {
				bad("activity: %s is named twice", s)
			}
		}
	case EventSetting:
		if c.Event == nil {
			bad("event: the setting event needs the event that is leaving, {source: …, match: {column: value}}")
			break
		}
		for _, err := range checkMatch(c.Event.Source, c.Event.Match) {
			bad("event.%w", err)
		}
		if c.Event.Start != nil {
			for _, err := range checkMatch(c.Event.Start.Source, c.Event.Start.Match) {
				bad("event.start.%w", err)
			}
		}
	default:
		bad("setting: %q is none of contractual, non_contractual, event", string(c.Setting))
	}
	return errors.Join(errs...)
}

func checkActivitySource(s string) error {
	if activitySources[s] == nil {
		return fmt.Errorf("%q is no source of events; there are %s", s, strings.Join(eventSources(), ", "))
	}
	return nil
}

func checkMatch(source string, match map[string]string) []error {
	if err := checkActivitySource(source); err != nil {
		return []error{fmt.Errorf("source: %w", err)}
	}
	var errs []error
	if len(match) == 0 {
		errs = append(errs, errors.New("match: name at least one column and its value"))
	}
	columns := activitySources[source]
	for _, k := range sortedKeys(match) {
		switch {
		case !slices.Contains(columns, k):
			errs = append(errs, fmt.Errorf("match: %s has no text column %q; there are %s", source, k, strings.Join(columns, ", ")))
		case match[k] == "":
			errs = append(errs, fmt.Errorf("match: %s is empty, and an empty text is a missing one", k))
		}
	}
	return errs
}
