package actions

import (
	"fmt"
	"time"

	"retain/features"
)

// Domains of the keyed hashes of decisions: each tells nothing about the others.
const (
	domainHoldout = "holdout"
	domainOrder   = "decision order"
	domainDraw    = "decision draw"
)

// HoldoutShare is the share of customers who are held out: the configured one, else 5 %, 20 % below 10,000 customers.
func HoldoutShare(configured *float64, customers int) float64 {
	switch {
	case configured != nil:
		return *configured
	case customers < 10_000:
		return .20
	}
	return .05
}

// HeldOut tells whether the customer is in the control group of the quarter in which the cutoff lies. It is the same in every run of the
// quarter with the same share, and a larger share holds everyone of a smaller one.
func HeldOut(customer string, cutoff time.Time, share float64) bool {
	q := Quarter(cutoff)
	salt := fmt.Sprintf("%s %dQ%d", domainHoldout, q.Year(), int(q.Month())/3+1)
	return unit(features.KeyedHash(0, salt, customer)) < share
}

// Quarter is the begin of the quarter, in UTC, in which an instant lies: the control group is drawn once for each.
func Quarter(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), (t.Month()-1)/3*3+1, 1, 0, 0, 0, 0, time.UTC)
}

// OrderKey is the customer's place in the order in which a run hands out capacity.
func OrderKey(run, customer string) uint64 {
	return features.KeyedHash(0, domainOrder+" "+run, customer)
}

// Draw is the customer's uniform number in [0, 1) of a run.
func Draw(run, customer string) float64 {
	return unit(features.KeyedHash(0, domainDraw+" "+run, customer))
}

// unit maps 64 random bits to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }
