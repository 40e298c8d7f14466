package doctor

import (
	"strings"
	"testing"

	"retain/features"
)

func TestAHealthyWorldHasNoAlarm(t *testing.T) {
	db := openWorld(t)
	healthy(t, db)
	o := optionsOf(db)
	o.Churn.Setting, o.Churn.GraceDays = features.Contractual, 10
	o.Store.Sources = features.Sources{features.Customers: {Static: []string{"industry"}}}
	report, err := Examine(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range report.Checks {
		if c.Status != OK {
			t.Errorf("%s is %s: %s", c.Name, c.Status, c.Message)
		}
		if c.Mend != "" {
			t.Errorf("%s is fine and has a mend: %s", c.Name, c.Mend)
		}
		if strings.Contains(c.Message, "%!") {
			t.Errorf("%s: %s", c.Name, c.Message)
		}
	}
}
