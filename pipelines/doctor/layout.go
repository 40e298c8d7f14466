package doctor

import (
	"slices"

	"retain/features"
	"retain/internal/warehouse"
)

// layout is how a source is laid out, and what is expected of it.
type layout struct {
	name    string
	time    string                   // the column of its time
	columns []warehouse.ImportColumn // beside customer_id
	id      string                   // the first column of its identity; "" = none
	matters []string                 // columns that features are made of: partly missing is worth a look
	pause   int                      // days that it may well be silent for while other sources go on
}

// expected is what is known of each source beside its columns.
var expected = map[string]struct {
	matters []string
	pause   int
}{
	features.Customers:     {[]string{"created_at"}, 0}, // that new ones are missing shows in the facts that have no customer
	features.Usage:         {[]string{"duration_s", "feature"}, 14},
	features.Purchases:     {[]string{"amount"}, 14},
	features.Subscriptions: {[]string{"mrr", "plan"}, 60},
	features.Surveys:       {[]string{"kind"}, 120}, // a score is missing where nobody answered
	features.Tickets:       {[]string{"channel"}, 30},
	features.Contacts:      {[]string{"channel", "class"}, 60},
	features.Touchpoints:   {[]string{"kind"}, 30},
}

// layouts are the sources in the order of the contract.
var layouts = func() []layout {
	out := make([]layout, 0, len(warehouse.ImportSources))
	for _, s := range warehouse.ImportSources {
		l := layout{name: s.Name, time: s.Time, matters: expected[s.Name].matters, pause: expected[s.Name].pause}
		if len(s.ID) > 0 {
			l.id = s.ID[0]
		}
		for _, c := range s.Columns {
			if c.Name != "customer_id" {
				l.columns = append(l.columns, c)
			}
		}
		out = append(out, l)
	}
	return out
}()

// facts are the sources of events, which belong to customers.
var facts = []string{
	features.Usage, features.Purchases, features.Subscriptions, features.Surveys, features.Tickets, features.Contacts, features.Touchpoints,
}

// began are the facts that cannot precede the customer: one visits and asks before one is.
var began = []string{features.Usage, features.Purchases, features.Subscriptions, features.Surveys, features.Tickets, features.Contacts}

// identified are the sources of events that have an id.
var identified = []string{features.Usage, features.Purchases, features.Subscriptions, features.Tickets, features.Contacts}

func layoutOf(name string) layout {
	return layouts[slices.IndexFunc(layouts, func(l layout) bool { return l.name == name })]
}

func (l layout) columnNames() []string {
	names := make([]string, len(l.columns))
	for i, c := range l.columns {
		names[i] = c.Name
	}
	return names
}

// missingSQL is the condition that a column has no value.
func missingSQL(c warehouse.ImportColumn) string {
	switch c.Kind {
	case warehouse.ImportText, warehouse.ImportID, warehouse.ImportTexts, warehouse.ImportFlags:
		return "empty(" + c.Name + ")"
	}
	return "isNull(" + c.Name + ")"
}
