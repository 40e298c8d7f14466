package doctor

import (
	"strings"
	"testing"

	"retain/features"
)

// Customers 0 to 199 leave in June, the others stay: an attribute that was filled in afterwards knows it, one that nobody filled in for them too.
func TestLeaks(t *testing.T) {
	db := openWorld(t)
	const customer = "concat('c', leftPad(toString(number % 400), 3, '0'))"
	fill(t, db, "customers", 400, fields{
		"customer_id": customer, "created_at": "$",
		"attributes": "map('last_seen', toString(if(number < 200, 150, 300)), 'size', toString(cityHash64(number) % 5), 'note', if(number < 200, '', 'kept'))",
	})
	fill(t, db, "usage", 400*300, fields{"customer_id": customer, "at": "$ + toIntervalDay(intDiv(number, 400))", "where": "intDiv(number, 400) < if(number % 400 < 200, 150, 300)"})
	o := optionsOf(db)
	for _, c := range []struct {
		name   string
		static []string
		want   Status
		told   []string
	}{
		{"not declared", nil, OK, []string{"note 1.000", "last_seen 1.000", "knows the outcome, and stays out of training as long as it is not declared static"}},
		{"declared", []string{"last_seen", "size"}, Error, []string{"last_seen 1.000: it knows the outcome; "}},
		{"its absence", []string{"note"}, Error, []string{"note 1.000: it knows the outcome"}},
		{"harmless", []string{"size"}, OK, []string{"size 0.5"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.Store.Sources = features.Sources{features.Customers: {Static: c.static}}
			got := checkOf(t, o, "label.leaks")
			if got.Status != c.want {
				t.Errorf("%s, want %s: %s", got.Status, c.want, got.Message)
			}
			for _, part := range c.told {
				if !strings.Contains(got.Message, part) {
					t.Errorf("%q lacks %q", got.Message, part)
				}
			}
			if got.Figures["last_seen"] != 1 || got.Figures["size"] > .6 {
				t.Errorf("figures %v", got.Figures)
			}
		})
	}
}
