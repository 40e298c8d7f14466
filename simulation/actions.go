package simulation

// Action is one thing the company can do for a customer.
type Action struct {
	Name    string
	Channel string
	Class   string
	effect  func(*modifiers) float64 // on log h in the mixed world
}

// modifiers are what the effects depend on. All of them can be seen in the records, with some noise.
type modifiers struct {
	annual, autoRenew bool
	discounted        bool
	seats, breadth    int
	weeks             int // tenure
	inactive          bool
}

// proportionalEffect is every action's in the proportional world, the idle one's excepted.
const proportionalEffect = -.6

// idleAction does nothing in any world.
const idleAction = 4

var actions = []Action{
	{"discount", "email", "marketing", func(m *modifiers) float64 {
		switch {
		case m.annual:
			return .5
		case m.discounted:
			return -1.6
		}
		return -.2
	}},
	{"save_call", "phone", "service", func(m *modifiers) float64 {
		switch {
		case m.annual:
			return .4
		case m.seats <= smallSeats:
			return -1.5
		}
		return -.1
	}},
	{"feature_education", "in_app", "service", func(m *modifiers) float64 {
		if m.breadth <= lowBreadth && m.weeks < youngWeeks {
			return -.8
		}
		return 0
	}},
	{"email", "email", "marketing", func(m *modifiers) float64 {
		if m.inactive && m.autoRenew {
			return .7
		}
		return -.3
	}},
	idleAction: {"thank_you", "email", "marketing", func(*modifiers) float64 { return 0 }},
}

// Actions are the names of the actions, in the order of Truth.Effects.
func Actions() []string {
	names := make([]string, len(actions))
	for i, a := range actions {
		names[i] = a.Name
	}
	return names
}

// effect is what an action does to log h when it is taken. The contact pressure of the action itself is part of it: only newsletters add to
// pressure, so that an idle action does exactly nothing.
func (w *World) effect(action int, m *modifiers) float64 {
	switch {
	case w.options.Effects == NoEffects || action == idleAction || action == noEffect:
		return 0
	case w.options.Effects == ProportionalEffects:
		return proportionalEffect
	}
	return actions[action].effect(m)
}
