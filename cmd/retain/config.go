package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"retain/features"
	"retain/features/lifecycle"
	"retain/models/actions"
)

// Config is retain.yaml (contract.md §4). The zero value is not useful: start from defaultConfig.
type Config struct {
	Warehouse WarehouseConfig             `yaml:"warehouse"`
	Sources   map[string]features.Binding `yaml:"sources"`
	Currency  *string                     `yaml:"currency"`
	Rates     map[string]float64          `yaml:"rates"` // units of Currency for one unit of another
	Value     ValueConfig                 `yaml:"value"`
	Churn     features.ChurnSpec          `yaml:"churn"`
	Snapshots features.Grid               `yaml:"snapshots"`
	Features  FeaturesConfig              `yaml:"features"`
	Train     TrainConfig                 `yaml:"train"`
	Bands     *BandsConfig                `yaml:"bands"`
	Lifecycle LifecycleConfig             `yaml:"lifecycle"`
	Actions   ActionsConfig               `yaml:"actions"`
	Serve     ServeConfig                 `yaml:"serve"`
	Schedule  ScheduleConfig              `yaml:"schedule"`

	path string // the file it came from; empty for the defaults
}

// WarehouseConfig says where the tables are.
type WarehouseConfig struct {
	URL string `yaml:"url"`
}

// ValueConfig is what a customer is worth.
type ValueConfig struct {
	PerCustomer  *float64 `yaml:"per_customer"`
	GrossMargin  float64  `yaml:"gross_margin"`
	DiscountRate float64  `yaml:"discount_rate"`
}

// FeaturesConfig names the feature catalogue; null is the one that is shipped, none has no entry: sources.features alone.
type FeaturesConfig struct {
	Catalogue *string `yaml:"catalogue"`
	Treatment bool    `yaml:"treatment"` // the churn model reads contact pressure too
}

// TrainConfig bounds training.
type TrainConfig struct {
	MaxAgeDays int               `yaml:"max_age_days"`
	TimeBudget time.Duration     `yaml:"time_budget"`
	AllowLeaks map[string]string `yaml:"allow_leaks"` // feature → the written reason why the leak linter is wrong about it
}

// BandsConfig overrides the artifact's bands: probabilities from which a customer is in band high or medium.
type BandsConfig struct {
	High   float64 `yaml:"high"`
	Medium float64 `yaml:"medium"`
}

// ActionsConfig says how next best actions are decided.
type ActionsConfig struct {
	Catalogue *string  `yaml:"catalogue"` // of actions; null is the one that is shipped
	Holdout   *float64 `yaml:"holdout"`   // share of customers in the control group; null is 5 %, 20 % below 10,000 customers
	Budget    *float64 `yaml:"budget"`    // a run may spend on what is marketing or proactive, in the currency; null is no limit
	Explore   bool     `yaml:"explore"`   // draw actions, so that what works can be learned; false: the greatest priority
}

// ServeConfig is the service's address.
type ServeConfig struct {
	Addr string `yaml:"addr"`
}

func defaultConfig() Config {
	return Config{
		Warehouse: WarehouseConfig{URL: "embedded:./retain-data"},
		Sources:   map[string]features.Binding{},
		Rates:     map[string]float64{},
		Value:     ValueConfig{GrossMargin: 1, DiscountRate: .10},
		Churn:     features.DefaultChurn(),
		Snapshots: features.Grid{Every: "month"},
		Train:     TrainConfig{MaxAgeDays: 35, TimeBudget: 10 * time.Minute, AllowLeaks: map[string]string{}},
		Lifecycle: LifecycleConfig{Preset: lifecycle.Presets[0]},
		Actions:   ActionsConfig{Explore: true},
		Serve:     ServeConfig{Addr: "127.0.0.1:8080"},
		Schedule:  defaultSchedule(),
	}
}

// loadConfig reads the configuration: the named file, else RETAIN_CONFIG, else ./retain.yaml, else the defaults; then the
// environment's overrides. A named file that is missing is a usage error. All problems are reported at once.
func loadConfig(named string, environ []string) (Config, error) {
	env := environment(environ)
	path, mustExist := named, named != ""
	if path == "" {
		path, mustExist = env["RETAIN_CONFIG"], env["RETAIN_CONFIG"] != ""
	}
	if path == "" {
		path = "retain.yaml"
	}
	c := defaultConfig()
	text, err := readRules(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !mustExist:
	case errors.Is(err, fs.ErrNotExist):
		return c, usagef("configuration %s does not exist; `retain init` writes one", path)
	case err != nil:
		return c, usagef("read configuration: %v", err)
	default:
		c.path = path
	}
	doc, err := parseYAML(text, path)
	if err != nil {
		return c, err
	}
	if err := overlay(doc, env); err != nil {
		return c, err
	}
	problems := decodeStrict(doc, &c)
	c.resolvePaths()
	problems = append(problems, c.problems()...)
	if len(problems) == 0 {
		return c, nil
	}
	where := c.path
	if where == "" {
		where = "configuration"
	}
	return c, &usageError{where + ":\n  " + strings.Join(problems, "\n  "), problems}
}

// resolvePaths makes the configuration's relative paths relative to its folder.
func (c *Config) resolvePaths() {
	folder := filepath.Dir(c.path)
	if dir, ok := strings.CutPrefix(c.Warehouse.URL, "embedded:"); ok && dir != "" && !filepath.IsAbs(dir) {
		c.Warehouse.URL = "embedded:" + filepath.Join(folder, dir)
	}
	for _, path := range []**string{&c.Features.Catalogue, &c.Actions.Catalogue, &c.Lifecycle.Rules, &c.Lifecycle.LeadPoints, &c.Schedule.Import.Folder} {
		if path == &c.Features.Catalogue && *path != nil && **path == noCatalogue {
			continue
		}
		if p := *path; p != nil && *p != "" && !filepath.IsAbs(*p) { // an empty one is a slip of the pen, see problems
			resolved := filepath.Join(folder, *p)
			*path = &resolved
		}
	}
}

// problems lists what is wrong with the values.
func (c *Config) problems() []string {
	var problems []string
	wrong := func(key, format string, args ...any) {
		problems = append(problems, key+": "+fmt.Sprintf(format, args...))
	}
	if problem := urlProblem(c.Warehouse.URL); problem != "" {
		wrong("warehouse.url", "%s", problem)
	}
	if !(c.Value.GrossMargin > 0 && c.Value.GrossMargin <= 1) { // NaN is not either
		wrong("value.gross_margin", "%v is not in (0, 1]", c.Value.GrossMargin)
	}
	if !(c.Value.DiscountRate >= 0 && c.Value.DiscountRate <= 10) {
		wrong("value.discount_rate", "%v is not in [0, 10]; it is a share a year, .10 for ten per cent", c.Value.DiscountRate)
	}
	if v := c.Value.PerCustomer; v != nil && (!(*v >= 0) || math.IsInf(*v, 1)) {
		wrong("value.per_customer", "%v is no amount of 0 or more", *v)
	}
	for currency, rate := range c.Rates {
		if !(rate > 0) || math.IsInf(rate, 1) {
			wrong("rates."+currency, "%v is no number above 0", rate)
		}
	}
	if len(c.Rates) > 0 && c.Currency == nil {
		wrong("rates", "set currency: too, the one that rates convert to")
	}
	if err := c.Churn.Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, line)
		}
	}
	if err := features.Sources(c.Sources).Validate(); err != nil {
		for line := range strings.SplitSeq(err.Error(), "\n") {
			problems = append(problems, line)
		}
	}
	for _, x := range []struct {
		key string
		at  *time.Time
	}{{"churn.data_until", c.Churn.DataUntil}, {"snapshots.from", c.Snapshots.From}, {"snapshots.until", c.Snapshots.Until}} {
		if x.at == nil {
			continue
		}
		if problem := beyond(*x.at, x.at.Format(time.RFC3339)); problem != "" {
			wrong(x.key, "%s", problem)
		}
	}
	if from, until := c.Snapshots.From, c.Snapshots.Until; from != nil && until != nil && until.Before(*from) {
		wrong("snapshots.until", "%s is before snapshots.from", until.Format(time.RFC3339))
	}
	for _, x := range []struct {
		key  string
		file *string
	}{{"features.catalogue", c.Features.Catalogue}, {"actions.catalogue", c.Actions.Catalogue}, {"lifecycle.lead_points", c.Lifecycle.LeadPoints}} {
		if x.file != nil && *x.file == "" {
			wrong(x.key, "is empty; null is the one that is shipped")
		}
	}
	if problem := presetProblem(c.Lifecycle.Preset); problem != "" {
		wrong("lifecycle.preset", "%s", problem)
	}
	if c.Lifecycle.Rules != nil && *c.Lifecycle.Rules == "" {
		wrong("lifecycle.rules", "is empty; null is the preset")
	}
	if _, own := c.Sources[features.OwnFeatures]; !own && c.Features.Catalogue != nil && *c.Features.Catalogue == noCatalogue {
		wrong("features.catalogue", "none leaves no feature: name the table of your own in sources.features, or write ./none for a file of that name")
	}
	if !slices.Contains([]string{"week", "month", "renewal"}, c.Snapshots.Every) {
		wrong("snapshots.every", "%q is none of week, month, renewal", c.Snapshots.Every)
	}
	if c.Train.MaxAgeDays < 1 {
		wrong("train.max_age_days", "%d is not above 0", c.Train.MaxAgeDays)
	}
	if c.Train.TimeBudget <= 0 {
		wrong("train.time_budget", "%v is not above 0; write 10m", c.Train.TimeBudget)
	}
	for feature, reason := range c.Train.AllowLeaks {
		if strings.TrimSpace(reason) == "" {
			wrong("train.allow_leaks."+feature, "write the reason why it is no leak")
		}
	}
	if b := c.Bands; b != nil && !(0 < b.Medium && b.Medium < b.High && b.High < 1) {
		wrong("bands", "need 0 < medium < high < 1, have medium %v and high %v", b.Medium, b.High)
	}
	if _, port, err := net.SplitHostPort(c.Serve.Addr); err != nil {
		wrong("serve.addr", "%q is no host:port", c.Serve.Addr)
	} else if _, err := net.LookupPort("tcp", port); err != nil {
		wrong("serve.addr", "%q has no port from 0 to 65535", c.Serve.Addr)
	}
	if h := c.Actions.Holdout; h != nil && !(*h >= 0 && *h < 1) {
		wrong("actions.holdout", "%v is not in [0, 1)", *h)
	}
	if b := c.Actions.Budget; b != nil && (!(*b >= 0) || math.IsInf(*b, 1)) {
		wrong("actions.budget", "%v is no amount of 0 or more; null is no limit", *b)
	}
	c.Schedule.check(wrong)
	slices.Sort(problems)
	return problems
}

// currency is the configured one, "" for none.
func (c *Config) currency() string {
	if c.Currency == nil {
		return ""
	}
	return *c.Currency
}

// valueTerms is the configuration of customer value.
func (c *Config) valueTerms() actions.ValueTerms {
	return actions.ValueTerms{PerCustomer: c.Value.PerCustomer, GrossMargin: c.Value.GrossMargin, DiscountRate: c.Value.DiscountRate}
}

// noCatalogue as features.catalogue leaves the features to sources.features.
const noCatalogue = "none"

// catalogue reads the configured feature catalogue, or the one that is shipped, and adds the columns of sources.features.
func (c *Config) catalogue() (*features.Catalogue, error) {
	catalogue := features.DefaultCatalogue()
	switch file := c.Features.Catalogue; {
	case file == nil:
	case *file == noCatalogue:
		catalogue = features.EmptyCatalogue()
	default:
		text, err := readRules(*file)
		if err != nil {
			return nil, usagef("features.catalogue: %v", err)
		}
		if catalogue, err = features.ParseCatalogue(text); err != nil {
			return nil, usagef("%s: %v", *file, err)
		}
	}
	if own, ok := c.Sources[features.OwnFeatures]; ok {
		catalogue = catalogue.WithOwn(own.MaxAgeDays)
	}
	catalogue.Treatment = catalogue.Treatment || c.Features.Treatment
	return catalogue, nil
}

// parseYAML returns the document's mapping; an empty document is an empty mapping.
func parseYAML(text []byte, path string) (*yaml.Node, error) {
	var doc, second yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	if err := decoder.Decode(&doc); err != nil && !errors.Is(err, io.EOF) {
		return nil, usagef("%s: %s", path, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, usagef("%s: line %d: a second document; the configuration is one", path, second.Line)
	}
	if len(doc.Content) == 0 || doc.Content[0].Tag == "!!null" {
		return &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}, nil
	}
	if doc.Content[0].Kind != yaml.MappingNode {
		return nil, usagef("%s: line %d: want keys such as `warehouse:` at the top", path, doc.Content[0].Line)
	}
	return doc.Content[0], nil
}

// decodeStrict decodes the mapping into c and returns what does not fit: unknown keys and wrong types, each with its line.
func decodeStrict(doc *yaml.Node, c *Config) []string {
	var problems []string
	checkKeys(doc, keysOf(c), "", &problems)
	checkTypes(doc, reflect.TypeFor[Config](), "", &problems)
	err := doc.Decode(c)
	var wrong *yaml.TypeError // what fits is decoded all the same
	switch {
	case errors.As(err, &wrong):
		for _, told := range wrong.Errors {
			if line, _, _ := strings.Cut(told, ": "); !slices.ContainsFunc(problems, func(p string) bool { return strings.HasPrefix(p, line+": ") }) {
				problems = append(problems, told)
			}
		}
	case err != nil && len(problems) == 0:
		problems = append(problems, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	return problems
}
