package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"retain/internal/spoken"
	"retain/internal/warehouse"
	"retain/pipelines"
	"retain/simulation"
	"retain/testdata/cdnow"
)

// demoSet is a data set that the demo can show.
type demoSet struct {
	name   string
	config string // of its retain.yaml, after the head
	label  string // whom the label calls churned
	others string // why the customers who are not scored are not: "the others …"

	// load brings the data into the warehouse and says whether there is news; loaded is for the JSON.
	load func(ctx context.Context, d *demo, s *session) (loaded any, news bool, err error)
}

// demoSets are all of them, the default first.
var demoSets = []demoSet{
	{
		name: "world",
		config: `# A made-up software company whose true risks are known (retain simulate): 3,000 customers, 18 months, all eight sources.
warehouse:
  url: embedded:./world
currency: USD
churn:
  setting: contractual          # customers have subscriptions: one has left whose paid time ended
  grace_days: 30                # a period that starts so soon after the last one continues it
  horizon_days: 91              # in the next 13 weeks
serve:
  addr: 127.0.0.1:8080
`,
		label:  "whose paid time ended in the 91 days after each month's first",
		others: "never bought, have left, or have cancelled already",
		load:   loadWorld,
	},
	{
		name: "cdnow",
		config: `# CDNOW, an online music shop: 23,570 customers who first bought early in 1997, 69,659 purchases until 1998-06-30.
warehouse:
  url: embedded:./cdnow
currency: USD
churn:
  setting: non_contractual      # nobody cancels: a customer has left who buys nothing
  activity: [purchases]
  active_days: 365
  horizon_days: 90              # in the next 90 days
serve:
  addr: 127.0.0.1:8080
`,
		label:  "who bought nothing in the 90 days after each month's first",
		others: "have bought nothing for a year",
		load:   loadCDNOW,
	},
}

// head begins the configuration: the demo's mark and the set's name, by which the demo knows its own files.
func (s demoSet) head() string { return demoMark + "\n# Data set: " + s.name + "\n" }

func demoSetNamed(name string) (demoSet, error) {
	i := slices.IndexFunc(demoSets, func(s demoSet) bool { return s.name == name })
	if i < 0 {
		return demoSet{}, usagef("--dataset: there is no %q; there are %s", name, demoSetNames())
	}
	return demoSets[i], nil
}

func demoSetNames() string {
	names := make([]string, len(demoSets))
	for i, s := range demoSets {
		names[i] = s.name
	}
	return strings.Join(names, ", ")
}

// The demo's world: the same for everyone.
const (
	demoCustomers = 3000
	demoDays      = 548 // 18 months
	demoSeed      = 1
)

func loadWorld(ctx context.Context, d *demo, s *session) (loaded any, news bool, err error) {
	world, err := simulation.New(simulation.Options{Customers: demoCustomers, Days: demoDays, Seed: demoSeed})
	if err != nil {
		return nil, false, err
	}
	err = d.do("Simulate a software company (made up; `retain demo --dataset cdnow` shows real data)", func() (string, error) {
		report, err := pipelines.Simulate(ctx, pipelines.SimulateOptions{Warehouse: s.db, World: world, Churn: s.config.Churn})
		if errors.Is(err, warehouse.ErrSourcesHoldRows) {
			return "it is there already", nil
		}
		if err != nil {
			return "", err
		}
		loaded, news = report, true
		var rows uint64
		for _, n := range report.Rows {
			rows += n
		}
		return fmt.Sprintf("%s customers, %s rows in %d sources, %s to %s", spoken.Count(report.Customers), spoken.Count(rows), len(report.Rows), day(report.FirstAt), day(report.EndAt)), nil
	})
	return loaded, news, err
}

func loadCDNOW(ctx context.Context, d *demo, s *session) (loaded any, news bool, err error) {
	err = d.do("Import CDNOW's purchases into the embedded ClickHouse", func() (string, error) {
		report, err := pipelines.Import(ctx, pipelines.ImportOptions{
			Warehouse: s.db, Source: "purchases", Path: "-", Stdin: bytes.NewReader(cdnow.PurchasesCSVGzip),
			Set: map[string]string{"currency": "USD"}, Currency: "USD", Timezone: "UTC",
		})
		if err != nil {
			return "", err
		}
		loaded, news = []*pipelines.ImportReport{report}, report.New > 0
		if !news {
			return fmt.Sprintf("all %s purchases are there already", spoken.Count(report.Rows)), nil
		}
		return fmt.Sprintf("%s purchases, %s to %s", spoken.Count(report.New), day(*report.FirstAt), day(*report.LastAt)), nil
	})
	return loaded, news, err
}
