package features

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"math"
	"strconv"
	"testing"
	"time"

	"retain/testdata/cdnow"
)

// The figures of the real CDNOW purchases. 23,570 customers, of whom 9,526 bought in the 365 days before 1998-04-01, are those of the public
// benchmark; 6,683 of them without a purchase in the 90 days from then on (awk) and R(90) (a loop in Python) were counted from the file.
func TestCDNOW(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(cdnow.PurchasesCSVGzip))
	if err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(z).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var w world
	for i, line := range lines[1:] {
		amount, err := strconv.ParseFloat(line[3], 64)
		if err != nil {
			t.Fatal(err)
		}
		w.events = append(w.events, eventRow{source: Purchases, customer: line[0], id: i, at: utc(t, line[1]), amount: &amount})
	}
	s := w.store(t)
	c, cutoff := DefaultChurn(), utc(t, "1998-04-01")
	end, err := s.Watermark(t.Context(), c)
	if err != nil || !end.Equal(utc(t, "1998-07-01")) || !c.Known(cutoff, end) {
		t.Errorf("watermark %v, %v; want the end of 1998-06-30", end, err)
	}
	p := populationOf(t, s, c, cutoff)
	if len(p.Customer) != 23570 || len(p.Eligible()) != 9526 {
		t.Errorf("%d exist, %d are eligible; want 23570 and 9526", len(p.Customer), len(p.Eligible()))
	}
	if churned, stayed, missing := labelsOf(t, s, c, p, time.Time{}).Counts(); churned != 6683 || stayed != 2843 || missing != 0 {
		t.Errorf("%d churned, %d stayed, %d missing; want 6683, 2843 and 0", churned, stayed, missing)
	}
	curve, _, err := s.returnCurve(t.Context(), c, end)
	if err != nil {
		t.Fatal(err)
	}
	if h := recommendHorizon(curve); h == nil || *h != 180 || math.Abs(*curve[4].ReturnProbability-.1725575806) > 1e-9 {
		t.Errorf("recommended %v, R(90) = %v; want 180 and .17256", h, *curve[4].ReturnProbability)
	}
}
