package actions

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed catalogue.yaml
var shippedCatalogue []byte

// Catalogue is what can be done for a customer, and how often anything may be done. Parse makes one.
type Catalogue struct {
	Version int           `json:"version" yaml:"version"` // of the format: 1
	Policy  ContactPolicy `json:"policy" yaml:"policy"`
	Actions []Action      `json:"actions" yaml:"actions"` // at most MaxActions, do_nothing among them
}

// catalogueVersion is the format this package reads.
const catalogueVersion = 1

// MaxActions is how many actions a catalogue may have: the set of eligible ones is a 64-bit mask.
const MaxActions = 64

// Action is something we can do for a customer.
type Action struct {
	ID           string   `json:"id" yaml:"id"` // ^[a-z][a-z0-9_]*$
	Title        string   `json:"title" yaml:"title"`
	Message      Messages `json:"message,omitempty" yaml:"message"`
	Channel      string   `json:"channel" yaml:"channel"`                     // of Channels
	Also         []string `json:"also,omitempty" yaml:"also"`                 // other channels: of all that are allowed, the one the customer answers on is taken
	Class        Class    `json:"class" yaml:"class"`                         // what the message is
	Proactive    bool     `json:"proactive,omitempty" yaml:"proactive"`       // service that the customer did not ask for: it can be withheld
	ContactCost  float64  `json:"contact_cost,omitempty" yaml:"contact_cost"` // of doing it, in the currency of the sources
	Incentive    float64  `json:"incentive,omitempty" yaml:"incentive"`       // paid to everyone who accepts, stayed anyway or not
	PAccept      float64  `json:"p_accept,omitempty" yaml:"p_accept"`         // P(accept), in [0, 1]
	Lever        float64  `json:"lever" yaml:"lever"`                         // on the value of a saved customer, in [.5, 2]; 1 when absent
	Eligibility  string   `json:"eligibility,omitempty" yaml:"eligibility"`   // a CEL expression; "" = always
	Stages       []string `json:"stages,omitempty" yaml:"stages"`             // it may be used in; empty = in all. A stage that is not known forbids nothing
	CooldownDays int      `json:"cooldown_days,omitempty" yaml:"cooldown_days"`
	ExpiresAfter Days     `json:"expires_after,omitempty" yaml:"expires_after"` // from its moment; 7 days when absent
	Capacity     *int     `json:"capacity,omitempty" yaml:"capacity"`           // a day; null = no limit
	Prior        Effect   `json:"prior" yaml:"prior"`

	Subgroups []Subgroup `json:"subgroups,omitempty" yaml:"subgroups"` // for whom it is thought to work otherwise; at most MaxSubgroups
}

// Effect is what is believed of Δ = P(stay | action) - P(stay | nothing) before anything is learned.
type Effect struct {
	Mean float64 `json:"mean" yaml:"mean"` // in [-1, 1]
	SD   float64 `json:"sd" yaml:"sd"`     // of the draw: how widely is explored; 0 means max(.02, |mean|)
}

// leastSpread bounds s₀ from below: a prior near 0 is no certainty.
const leastSpread = .02

// Spread is s₀, by which what is learned is weighed against the prior (decisions.md §3.6): max(.02, |mean|), whatever narrower sd
// the catalogue explores with. A wider sd than that counts: who is less sure of the prior lets the data speak sooner.
func (e Effect) Spread() float64 { return max(leastSpread, math.Abs(e.Mean), e.SD) }

// deviation is the standard deviation of the draw as long as nothing is learned.
func (e Effect) deviation() float64 {
	if e.SD > 0 {
		return e.SD
	}
	return e.Spread()
}

// Class says what a message is, and so who may get it.
type Class string

// The classes. Only marketing counts against marketing caps.
const (
	Marketing     Class = "marketing"
	Service       Class = "service"
	Transactional Class = "transactional"
)

// Classes are all classes.
var Classes = []Class{Marketing, Service, Transactional}

// ChannelTicket is the channel on which the customer opened the ticket: a complaint is answered there.
const ChannelTicket = "ticket"

// ChannelNone is that of do_nothing.
const ChannelNone = "none"

// Channels are the ways to a customer.
var Channels = []string{"email", "sms", "phone", "chat", "in_app", "push", "post", ChannelTicket, ChannelNone}

// withheld tells whether the control group does not get the action, and consent and the complaint rule may forbid it.
func (a *Action) withheld() bool {
	return a.ID != DoNothing && (a.Class == Marketing || a.Proactive)
}

// duty tells whether the action answers the customer: it is never withheld, drawn or weighed against marketing.
func (a *Action) duty() bool { return a.ID != DoNothing && !a.withheld() }

// Days is a length of time written as 7d, 36h or 90m. JSON has it likewise.
type Days time.Duration

// UnmarshalText reads 7d, 1.5d or what time.ParseDuration reads. Errors: not above 0, or more than ten years.
func (d *Days) UnmarshalText(text []byte) error {
	var length time.Duration
	var err error
	if days, ok := bytes.CutSuffix(text, []byte("d")); ok {
		var n float64
		n, err = strconv.ParseFloat(string(days), 64)
		length = time.Duration(n * float64(24*time.Hour))
		if !(n <= maxDays) {
			err = fmt.Errorf("more than %d days", maxDays)
		}
	} else {
		length, err = time.ParseDuration(string(text))
	}
	if err != nil || length <= 0 || length > maxDays*24*time.Hour {
		return fmt.Errorf("%q is no length of time such as 7d or 36h", text)
	}
	*d = Days(length)
	return nil
}

// UnmarshalYAML reads what UnmarshalText does, and leaves the rest of the document to be read when it cannot.
func (d *Days) UnmarshalYAML(node *yaml.Node) error {
	if err := d.UnmarshalText([]byte(node.Value)); err != nil {
		return &yaml.TypeError{Errors: []string{fmt.Sprintf("line %d: %v", node.Line, err)}}
	}
	return nil
}

// MarshalText writes whole days as 7d, anything else as time.Duration does.
func (d Days) MarshalText() ([]byte, error) {
	length := time.Duration(d)
	if length%(24*time.Hour) == 0 {
		return []byte(strconv.Itoa(int(length/(24*time.Hour))) + "d"), nil
	}
	return []byte(length.String()), nil
}

// maxDays bounds every number of days of a catalogue.
const maxDays = 3650

// Messages are the words of an action: those of a stage, else the default. In YAML a text is the default alone.
type Messages map[string]string

// defaultMessage is the key of the words for every stage without its own.
const defaultMessage = "default"

// UnmarshalYAML reads a text or a mapping from stage to text.
func (m *Messages) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		*m = Messages{defaultMessage: node.Value}
		return nil
	}
	var of map[string]string
	if err := node.Decode(&of); err != nil {
		return err
	}
	*m = of
	return nil
}

// Index is the place of an action in the catalogue; -1 when it has none of the id.
func (c *Catalogue) Index(id string) int {
	return slices.IndexFunc(c.Actions, func(a Action) bool { return a.ID == id })
}

// Document is the catalogue as JSON, which Decode reads. The same catalogue gives the same bytes.
func (c *Catalogue) Document() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic("actions: " + err.Error()) // plain values; Parse refuses what JSON cannot hold
	}
	return b
}

// Hash is the version of the catalogue's content: 16 hex digits of the SHA-256 of its Document.
func (c *Catalogue) Hash() string { return shortHash(c.Document()) }

// Decode reads a Document back: enough to tell decisions that were made by it, but not to decide.
func Decode(document []byte) (*Catalogue, error) {
	c := new(Catalogue)
	d := json.NewDecoder(bytes.NewReader(document))
	d.DisallowUnknownFields()
	if err := d.Decode(c); err != nil {
		return nil, fmt.Errorf("action catalogue: %w", err)
	}
	if c.Version != catalogueVersion || len(c.Actions) > MaxActions || c.Index(DoNothing) < 0 {
		return nil, fmt.Errorf("action catalogue: version %d with %d actions is not one that this program wrote", c.Version, len(c.Actions))
	}
	return c, nil
}

// shortHash is the first 16 hex digits of the SHA-256.
func shortHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}
