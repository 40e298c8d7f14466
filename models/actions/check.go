package actions

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var actionID = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// checkAction tells what is wrong with the values of an action.
func (p *parser) checkAction(node *yaml.Node, a *Action) {
	wrong := func(key, format string, args ...any) {
		p.wrong(lineOf(node, key), a.ID, key+": "+format, args...)
	}
	if !actionID.MatchString(a.ID) {
		wrong("id", "%q does not read %s", a.ID, actionID)
	}
	if strings.TrimSpace(a.Title) == "" {
		wrong("title", "say in a few words what is done")
	}
	if !slices.Contains(Channels, a.Channel) {
		wrong("channel", "%q is none of %s", a.Channel, strings.Join(Channels, ", "))
	}
	if !slices.Contains(Classes, a.Class) {
		wrong("class", "%q is none of marketing, service, transactional", a.Class)
	}
	for k, channel := range a.Also {
		switch {
		case !slices.Contains(Channels, channel) || channel == ChannelTicket || channel == ChannelNone:
			wrong("also", "%q is none of %s", channel, strings.Join(Channels[:len(Channels)-2], ", "))
		case channel == a.Channel || slices.Contains(a.Also[:k], channel):
			wrong("also", "%q is there twice", channel)
		}
	}
	if len(a.Also) > 0 && a.Channel == ChannelTicket {
		wrong("also", "a complaint is answered on its own channel")
	}
	if a.Class == Marketing && a.Channel == ChannelTicket {
		wrong("channel", "marketing is no answer to a ticket")
	}
	for _, f := range []struct {
		key       string
		value     float64
		low, high float64
	}{
		{"contact_cost", a.ContactCost, 0, math.MaxFloat64}, {"incentive", a.Incentive, 0, math.MaxFloat64}, {"p_accept", a.PAccept, 0, 1},
		{"lever", a.Lever, .5, 2}, {"cooldown_days", float64(a.CooldownDays), 0, maxDays},
	} {
		if !(f.value >= f.low && f.value <= f.high) { // NaN is not either
			if f.high == math.MaxFloat64 {
				wrong(f.key, "%v is no amount of 0 or more", f.value)
				continue
			}
			wrong(f.key, "%v is not in [%v, %v]", f.value, f.low, f.high)
		}
	}
	if !(a.Prior.Mean >= -1 && a.Prior.Mean <= 1) || !(a.Prior.SD >= 0 && a.Prior.SD <= 1) {
		wrong("prior", "mean %v and sd %v: the effect on P(stay) has a mean in [-1, 1] and an sd in [0, 1]", a.Prior.Mean, a.Prior.SD)
	}
	if a.Incentive > 0 && a.PAccept == 0 {
		wrong("p_accept", "an incentive needs the share of customers who accept it")
	}
	if a.Capacity != nil && *a.Capacity < 0 {
		wrong("capacity", "%d is below 0; leave it out for no limit", *a.Capacity)
	}
	for _, stage := range a.Stages {
		p.checkStage(lineOf(node, "stages"), a.ID, "stages", stage)
	}
	for _, stage := range sortedKeys(a.Message) {
		if stage != defaultMessage && !slices.Contains(p.stages, stage) {
			wrong("message", "%q is neither default nor a stage of the lifecycle: %s", stage, strings.Join(p.stages, ", "))
		}
		if fault := checkMessage(a.Message[stage]); fault != "" {
			wrong("message", "%s", fault)
		}
	}
	if a.ID == DoNothing {
		p.checkNothing(node, a)
		return
	}
	if a.Channel == ChannelNone {
		wrong("channel", "only %s has none", DoNothing)
	}
	if strings.TrimSpace(a.Message[defaultMessage]) == "" {
		wrong("message", "write the words, or words under default:")
	}
}

// checkStage tells that a stage is none of the lifecycle's.
func (p *parser) checkStage(line int, action, key, stage string) {
	if !slices.Contains(p.stages, stage) {
		p.wrong(line, action, "%s: %q is no stage of the lifecycle, so nobody reaches it; its stages are %s", key, stage, strings.Join(p.stages, ", "))
	}
}

// checkNothing tells what do_nothing must not have: it is always possible and costs nothing.
func (p *parser) checkNothing(node *yaml.Node, a *Action) {
	if a.Channel != ChannelNone {
		p.wrong(lineOf(node, "channel"), a.ID, "channel: %s has the channel %s", DoNothing, ChannelNone)
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		switch key := node.Content[i]; key.Value {
		case "id", "title", "channel", "class":
		default:
			p.wrong(key.Line, a.ID, "%s: %s is always possible, at priority 0; it has an id, a title, a channel and a class only", key.Value, DoNothing)
		}
	}
}

// checkPolicy tells what is wrong with the contact policy.
func (p *parser) checkPolicy(line int) {
	policy := &p.engine.Catalogue.Policy
	wrong := func(format string, args ...any) { p.wrong(line, "", "policy: "+format, args...) }
	for _, c := range policy.Caps {
		if !slices.Contains(Classes, c.Class) {
			wrong("caps: class %q is none of marketing, service, transactional", c.Class)
		}
		if c.Channel != "" && !slices.Contains(Channels, c.Channel) {
			wrong("caps: channel %q is none of %s", c.Channel, strings.Join(Channels, ", "))
		}
		if c.Days < 1 || c.Days > maxDays || c.Max < 0 {
			wrong("caps: at most %d in %d days: want 1 to %d days and a maximum of 0 or more", c.Max, c.Days, maxDays)
		}
	}
	for _, d := range []struct {
		key  string
		days int
	}{{"ignored.days", policy.Ignored.Days}, {"repeat_days", policy.RepeatDays}, {"open_ticket_days", policy.OpenTicketDays}} {
		if d.days < 0 || d.days > maxDays {
			wrong("%s: %d is not in [0, %d]", d.key, d.days, maxDays)
		}
	}
	if policy.Ignored.Times < 0 {
		wrong("ignored.times: %d is below 0", policy.Ignored.Times)
	}
	for _, class := range sortedKeys(policy.Weights) {
		if w := policy.Weights[class]; !slices.Contains(Classes, class) || !(w >= 0 && w <= 1) {
			wrong("weights: %s: %v: want marketing, service or transactional, each in [0, 1]", class, w)
		}
	}
	for _, h := range []int{policy.Quiet.From, policy.Quiet.Until, policy.Hour} {
		if h < 0 || h > 23 {
			wrong("%d is no hour of the day, 0 to 23", h)
			return
		}
	}
	if policy.Quiet.Quiet(policy.Hour) {
		wrong("hour: %d lies in the quiet hours from %d until %d", policy.Hour, policy.Quiet.From, policy.Quiet.Until)
	}
}
