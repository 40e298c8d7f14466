package kpi

import (
	"fmt"
	"strings"
	"time"

	"retain/features"
)

// Unit is what a figure is in.
type Unit string

// The units.
const (
	Count  Unit = "count"  // customers
	Share  Unit = "share"  // in [0, 1]; revenue retention may exceed 1
	Points Unit = "points" // from -100 to 100
	Hours  Unit = "hours"
	Number Unit = "number"
)

// kind says how the rows of a month become its figure. A row is (customer_id, month, y, x), in whole numbers.
type kind uint8

const (
	count  kind = iota // Σy
	share              // Σy/Σx with Wilson's interval
	ratio              // Σy/Σx with the interval of a ratio over customers
	part               // the same of a part and its whole: at most 1
	mean               // the same with x = 1
	points             // 100 (Σy - Σz)/Σx
	median             // of y, in ms
)

// figure is one entry of the catalogue.
type figure struct {
	name, title string
	unit        Unit
	kind        kind
	formula     string   // in words; {…} are filled by compiler.words
	needs       []string // records without which it is left out
	within      []string // of them those that must reach the month
	// since is the instant from which on the first of within must have been on record; nil: the end of the month.
	since func(o Options, m Month) time.Time
	// able tells why the figure cannot be told of these options; "" if it can. nil always can.
	able func(c *compiler) string
	rows func(c *compiler) string
}

// Definition tells what a figure is.
type Definition struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Unit  Unit   `json:"unit"`
}

// Names are those of all figures, in the order of the catalogue: how customers are won, begin, stay, pay, and what they say and cost.
func Names() []string {
	names := make([]string, len(catalogue))
	for i, f := range catalogue {
		names[i] = f.name
	}
	return names
}

// before is an instant some days before the end of the month.
func before(days func(o Options) int) func(Options, Month) time.Time {
	return func(o Options, m Month) time.Time { return m.End.AddDate(0, 0, -days(o)) }
}

// presence is how long activity must have been on record so that one could be seen to leave.
func presence(o Options, m Month) time.Time {
	if o.Churn.Setting == features.NonContractual {
		return m.Start.AddDate(0, 0, -o.Churn.ActiveDays)
	}
	return m.End
}

// catalogue is every figure of the lifecycle.
var catalogue = []figure{
	{name: "lead_volume", title: "New leads", unit: Count, kind: count, rows: leadVolume,
		formula: "those whose first touchpoint of interest ({interest}) lies in the month and who had not bought, or begun a paid period, before it",
		needs:   []string{"touchpoints.leads"}, within: []string{"touchpoints.leads"}},
	{name: "inquiry_rate", title: "Inquiry rate", unit: Share, kind: share, rows: inquiryRate,
		formula: "of the leads with a touchpoint of interest in the month, before their first purchase, those with an inquiry in it",
		needs:   []string{"touchpoints.leads", "touchpoints.inquiry"}, within: []string{"touchpoints.leads"}},
	{name: "visit_to_buy_ratio", title: "Visit to buy", unit: Share, kind: share, rows: visitToBuy,
		formula: "of those who visited in the month and had not bought before, those who first bought, or began a paid period, after it in the same month",
		needs:   []string{"touchpoints.visit"}, within: []string{"touchpoints.leads", buyers}, able: hasBuyers},
	{name: "stage_conversion", title: "Stage conversion", unit: Share, kind: share, rows: stageConversion,
		formula: "of the customers in a stage but the last at the begin of the month, those in a later one of {stages} at its end",
		able:    hasStages},

	{name: "activation_rate", title: "Activation", unit: Share, kind: share, rows: activation,
		formula: "of the customers whose first 30 days ended in the month, those who used at least {activation} distinct features in them; a life begins with created_at, else with the first row of usage, purchases or subscriptions",
		needs:   []string{"usage.feature"}, within: []string{"usage.feature"}, since: before(func(Options) int { return onboardingDays })},
	{name: "onboarding_depth", title: "Onboarding depth", unit: Number, kind: mean, rows: onboardingDepth,
		formula: "mean number of distinct features that customers used in their first 30 days, over those whose first 30 days ended in the month",
		needs:   []string{"usage.feature"}, within: []string{"usage.feature"}, since: before(func(Options) int { return onboardingDays })},
	{name: "active_rate", title: "Active customers", unit: Share, kind: share, rows: activeRate,
		formula: "of the customers there at the begin of the month ({present}), those with {use} in it",
		within:  []string{use}, able: hasUse},

	{name: "churn_rate", title: "Churn", unit: Share, kind: share, rows: churnRate,
		formula: "of the customers there at the begin of the month ({present}), those who left in it ({left})",
		within:  []string{activity}, since: presence, able: hasActivity},
	{name: "retention_rate", title: "Retention", unit: Share, kind: share, rows: retentionRate,
		formula: "of the customers there at the begin of the month ({present}), those who did not leave in it ({left})",
		within:  []string{activity}, since: presence, able: hasActivity},
	{name: "gross_revenue_retention", title: "Gross revenue retention", unit: Share, kind: part, rows: grossRetention,
		formula: "(MRR at the begin of the month - what the same customers pay less at its end) / MRR at the begin; new customers and those who pay more add nothing; gaps of up to {grace} days are bridged",
		needs:   []string{"subscriptions.mrr"}},
	{name: "net_revenue_retention", title: "Net revenue retention", unit: Share, kind: ratio, rows: netRetention,
		formula: "MRR at the end of the month of those who paid at its begin / MRR at the begin; new customers add nothing; gaps of up to {grace} days are bridged",
		needs:   []string{"subscriptions.mrr"}},
	{name: "repeat_purchase_rate", title: "Repeat purchase rate", unit: Share, kind: share, rows: repeatRate,
		formula: "of the customers who bought in the 365 days before the end of the month, those who bought on more than one day",
		needs:   []string{"purchases.rows"}, within: []string{"purchases.rows"}, since: before(func(Options) int { return repeatDays })},
	{name: "early_churn_first", title: "Gone after the first purchase", unit: Share, kind: share, rows: earlyChurnFirst,
		formula: "of the customers whose first purchase lay {early} days back on a day of the month, those who did not buy on another day within them{unpaid}",
		needs:   []string{"purchases.rows"}, within: []string{"purchases.rows"}, since: before(func(o Options) int { return o.Thresholds.EarlyDays })},
	{name: "early_churn_second", title: "Gone after the second purchase", unit: Share, kind: share, rows: earlyChurnSecond,
		formula: "of the customers whose second day of purchase lay {early} days back on a day of the month, those who did not buy on another day within them{unpaid}",
		needs:   []string{"purchases.rows"}, within: []string{"purchases.rows"}, since: before(func(o Options) int { return o.Thresholds.EarlyDays })},

	{name: "nps", title: "Net promoter score", unit: Points, kind: points, rows: promoters,
		formula: "100 × (answers of 9 or 10 - answers of 0 to 6) / answers to surveys of kind nps in the month",
		needs:   []string{"surveys.nps"}},
	{name: "nps_response_rate", title: "NPS response rate", unit: Share, kind: share, rows: responses,
		formula: "answers / invitations (all rows of kind nps, those without a score were not answered)",
		needs:   []string{"surveys.nps", "surveys.silent"}},
	{name: "csat", title: "Customer satisfaction", unit: Share, kind: share, rows: satisfaction,
		formula: "of the answers to {csat} in the month, those of at least 80 % of the scale: the smallest of 5, 7, 10 and 100 that holds every answer", able: hasSatisfaction},
	{name: "first_reply_median", title: "First reply, median", unit: Hours, kind: median, rows: firstReply,
		formula: "median hours from opening to first reply, over the tickets first replied to in the month",
		needs:   []string{"tickets.first_reply"}},
	{name: "late_answer_rate", title: "Late answers", unit: Share, kind: share, rows: lateAnswers,
		formula: "of the tickets whose {late} hours ended in the month, those not replied to, and not resolved without a reply, within them; what customers solved themselves counts in neither",
		needs:   []string{"tickets.first_reply"}},
	{name: "single_channel_share", title: "On one channel only", unit: Share, kind: share, rows: singleChannel,
		formula: "of the customers there at the begin of the month ({present}) whose channel is told by {channels} in it, those on one channel only", able: hasChannels},
	{name: "same_channel_resolution_rate", title: "Resolved on the same channel", unit: Share, kind: share, rows: sameChannel,
		formula: "of the tickets resolved in the month whose channel and reply channel are known, those where both are the same",
		needs:   []string{"tickets.resolved", "tickets.channel", "tickets.reply_channel"}},
	{name: "referral_rate", title: "Referral rate", unit: Share, kind: share, rows: referralRate,
		formula: "of the customers there at the begin of the month ({present}), those who sent a referral in it",
		needs:   []string{"touchpoints.referral"}, within: []string{"touchpoints.rows"}, able: hasActivity},
	{name: "discount_share", title: "Discount share", unit: Share, kind: part, rows: discountShare,
		formula: "discounts / (amounts + discounts) of the purchases in the month; returned ones and refunds left out",
		needs:   []string{"purchases.discount"}},
	{name: "existing_budget_share", title: "Budget spent on customers", unit: Share, kind: part, rows: existingBudget,
		formula: "contact costs and discounts for those who had bought, or begun a paid period, on an earlier day / all contact costs and discounts of the month; what a contact costs stands in the action catalogue",
		able:    hasBudget},
	{name: "neglected_customers", title: "Neglected customers", unit: Count, kind: count, rows: neglected,
		formula: "customers there at the end of the month ({present}) without a contact, a reply to a ticket or a discounted purchase in the {neglect} days before it",
		needs:   []string{"contacts.rows"}, within: []string{"contacts.rows"}, since: before(func(o Options) int { return o.Thresholds.NeglectDays }), able: hasActivity},
	{name: "neglected_share", title: "Share neglected", unit: Share, kind: share, rows: neglected,
		formula: "of the customers there at the end of the month ({present}), those without a contact, a reply to a ticket or a discounted purchase in the {neglect} days before it",
		needs:   []string{"contacts.rows"}, within: []string{"contacts.rows"}, since: before(func(o Options) int { return o.Thresholds.NeglectDays }), able: hasActivity},
}

// words fills a formula with what these options make of it.
func (c *compiler) words(formula string) string {
	o := c.o
	present, left := fmt.Sprintf("active in the %d days before", o.Churn.ActiveDays), "not there at its end any more"
	switch o.Churn.Setting {
	case features.Contractual:
		present = fmt.Sprintf("holding a paid period, gaps of up to %d days bridged", o.Churn.GraceDays)
		left = "whose paid time ended in it, by their choice or not"
	case features.EventSetting:
		present, left = "joined and not left since", "with the event of leaving in it"
	}
	unpaid := ""
	if c.has("subscriptions.rows") {
		unpaid = " and hold no paid period after them"
	}
	using := "a row of usage"
	if c.useSource() != features.Usage {
		using = "a purchase"
	}
	csat := "surveys of kind csat"
	if !c.has("surveys.csat") {
		csat = "the question for satisfaction with resolved tickets"
	}
	return strings.NewReplacer("{present}", present, "{left}", left, "{unpaid}", unpaid, "{use}", using, "{csat}", csat,
		"{channels}", strings.Join(c.channelSources(), ", "), "{stages}", strings.Join(o.Stages, " → "), "{interest}", strings.Join(interest, ", "),
		"{activation}", fmt.Sprint(o.Thresholds.ActivationFeatures), "{late}", fmt.Sprint(o.Thresholds.LateHours), "{neglect}", fmt.Sprint(o.Thresholds.NeglectDays),
		"{early}", fmt.Sprint(o.Thresholds.EarlyDays), "{grace}", fmt.Sprint(o.Churn.GraceDays)).Replace(formula)
}
