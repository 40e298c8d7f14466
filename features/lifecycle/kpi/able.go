package kpi

import (
	"fmt"
	"strings"
)

// hasActivity: somebody can be told to be there.
func hasActivity(c *compiler) string {
	if !c.has(activity) {
		return "nobody can be told to be there without " + strings.Join(c.o.Churn.LabelSources(), ", ")
	}
	return ""
}

func hasBuyers(c *compiler) string {
	if !c.has(buyers) {
		return "there are neither purchases nor subscriptions"
	}
	return ""
}

func hasUse(c *compiler) string {
	if !c.has(use) {
		return "there is neither usage nor purchases"
	}
	return hasActivity(c)
}

func hasStages(c *compiler) string {
	if len(c.o.Stages) == 0 || len(c.o.Sets) == 0 {
		return noStages
	}
	return ""
}

// noStages is said where stages are asked for.
const noStages = "no lifecycle stages are on record for the begins of these months; `retain lifecycle` works them out"

func hasSatisfaction(c *compiler) string {
	if c.has("surveys.csat") || c.has("tickets.satisfaction") && c.has("tickets.resolved") {
		return ""
	}
	return "there are no answers to surveys of kind csat, and no satisfaction with resolved tickets"
}

func hasChannels(c *compiler) string {
	if len(c.channelSources()) == 0 {
		return "no row of usage, tickets or touchpoints names a channel"
	}
	return hasActivity(c)
}

func hasBudget(c *compiler) string {
	switch {
	case c.has("purchases.discount"), c.has("contacts.rows") && len(c.o.Costs) > 0:
		return hasBuyers(c)
	}
	return "there are no discounts, and no contacts that cost anything"
}

// listed writes names as people do.
func listed[T ~string](names []T) string {
	texts := make([]string, len(names))
	for i, n := range names {
		texts[i] = fmt.Sprint(n)
	}
	return strings.Join(texts, ", ")
}
