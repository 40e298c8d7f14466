package actions

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestJudge(t *testing.T) {
	cutoff := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	expires := cutoff.AddDate(0, 0, 7)
	now := cutoff.AddDate(0, 0, 20)
	l := &Logged{DecisionID: "d", CustomerID: "c", Chosen: "call", Cutoff: cutoff, Actions: []string{DoNothing, "call", "perk"}, Expires: []time.Time{{}, expires, expires.AddDate(0, 0, 7)}}
	nothing := *l
	nothing.Chosen = DoNothing
	held := Logged{DecisionID: "d", CustomerID: "c", Chosen: DoNothing, Cutoff: cutoff, Holdout: true, Actions: []string{DoNothing}, Expires: []time.Time{{}}}
	for name, x := range map[string]struct {
		of     *Logged
		told   Report
		action string // "" = a contradiction
		late   bool
		says   string
	}{
		"the chosen action":                {l, Report{Outcome: OutcomeAccepted, At: cutoff.Add(time.Hour)}, "call", false, ""},
		"at the cutoff itself":             {l, Report{Outcome: OutcomeShown, At: cutoff}, "call", false, ""},
		"before the decision":              {l, Report{Outcome: OutcomeShown, At: cutoff.Add(-time.Millisecond)}, "", false, "before the decision"},
		"the last instant that it holds":   {l, Report{Outcome: OutcomeAccepted, At: expires.Add(-time.Millisecond)}, "call", false, ""},
		"at its expiry":                    {l, Report{Outcome: OutcomeAccepted, At: expires}, "call", true, ""}, // expires_at: from then on it is void
		"another one that was proposed":    {l, Report{Outcome: OutcomeAccepted, Action: "perk", At: expires}, "perk", false, ""},
		"one that was not proposed":        {l, Report{Outcome: OutcomeAccepted, Action: "voucher", At: expires}, "", false, "voucher was not proposed; the decision has do_nothing, call, perk"},
		"without a time":                   {l, Report{Outcome: OutcomeRejected}, "call", true, ""},
		"a clock that is ahead":            {l, Report{Outcome: OutcomeShown, At: now.Add(clockSkew)}, "call", true, ""},
		"the future":                       {l, Report{Outcome: OutcomeShown, At: now.Add(clockSkew + 1e6)}, "", false, "has not come yet"},
		"another customer":                 {l, Report{Outcome: OutcomeShown, Customer: "x", At: cutoff}, "", false, "another customer"},
		"the same customer":                {l, Report{Outcome: OutcomeShown, Customer: "c", At: cutoff}, "call", false, ""},
		"no such outcome":                  {l, Report{Outcome: "sold", At: cutoff}, "", false, "is no outcome"},
		"nothing accepted":                 {&nothing, Report{Outcome: OutcomeAccepted}, "", false, "nothing was to be done"},
		"nothing, and the customer bought": {&nothing, Report{Outcome: OutcomeConverted}, DoNothing, false, ""},
		"nothing chosen, another taken":    {&nothing, Report{Outcome: OutcomeAccepted, Action: "call", At: cutoff}, "call", false, ""},
		"held out":                         {&held, Report{Outcome: OutcomeShown, Action: "call", At: cutoff}, "", false, "control group"},
	} {
		t.Run(name, func(t *testing.T) {
			o, err := x.of.Judge(x.told, now)
			var contradiction *ContradictionError
			switch {
			case x.action == "":
				if !errors.As(err, &contradiction) || !strings.Contains(err.Error(), x.says) {
					t.Errorf("error %v, want a contradiction that says %q", err, x.says)
				}
			case err != nil || o.Action != x.action || o.Late != x.late || o.Outcome != x.told.Outcome:
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
}

func TestTheLatestResponseHolds(t *testing.T) {
	at := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	told := []Outcome{{Outcome: OutcomeIgnored, At: at}, {Outcome: OutcomeAccepted, At: at.Add(2)}, {Outcome: OutcomeRejected, At: at.Add(1)}, {Outcome: OutcomeSaved, At: at.Add(9)}}
	if o, ok := Response(told); !ok || o.Outcome != OutcomeAccepted {
		t.Errorf("response %+v", o)
	}
	if _, ok := Response(told[3:]); ok {
		t.Error("saved is no response")
	}
}
