package main

import (
	"strings"
	"testing"

	"retain/features"
	"retain/models"
)

// Where most leave, the bands by shares call a customer at 99 % low; that is told, with the mend.
func TestBandWords(t *testing.T) {
	shop := features.ChurnSpec{Setting: features.NonContractual, ActiveDays: 365, HorizonDays: 90}
	for _, k := range []struct {
		bands models.Bands
		churn features.ChurnSpec
		want  []string // parts; none: no warning
	}{
		{models.Bands{High: .7, Medium: .5}, shop, nil},
		{models.Bands{High: .9999, Medium: .998}, shop, []string{"begins at 99.8 %", "set bands: {high: 0.6, medium: 0.3}, or churn.active_days (365) nearer to the horizon of 90 days"}},
		{models.Bands{High: .9, Medium: .6}, features.ChurnSpec{Setting: features.Contractual, HorizonDays: 90}, []string{"medium: 0.3}"}},
		{models.Bands{High: .9, Medium: .6}, features.ChurnSpec{Setting: features.NonContractual, ActiveDays: 7, HorizonDays: 7}, []string{"medium: 0.3}"}},
	} {
		got := bandWords(k.bands, k.churn)
		if (got == "") != (k.want == nil) || len(k.want) == 1 && !strings.HasSuffix(got, k.want[0]) {
			t.Errorf("%v: %q", k.bands, got)
		}
		for _, part := range k.want {
			if !strings.Contains(got, part) {
				t.Errorf("%q lacks %q", got, part)
			}
		}
	}
}
