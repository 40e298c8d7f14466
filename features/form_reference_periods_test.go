package features

import "math"

// periods computes the forms of subscription periods; inside are those that begin in the window.
func (e *refEye) periods(m Measure, id string, inside []refRow) float64 {
	if m.Form == PaidFor {
		longest := absent
		for _, r := range inside {
			if v, ok := r.num["ms_to_end"]; ok && !(v < longest) {
				longest = v
			}
		}
		switch {
		case math.IsNaN(longest):
			return absent
		case longest >= float64(m.Window)*dayMS:
			return 1
		}
		return 0
	}
	var all []refRow
	for _, r := range e.rows[m.Source] {
		if r.customer == id {
			all = append(all, r)
		}
	}
	newest := absent
	var up, down, returns, decayed float64
	for _, r := range inside {
		var before *refRow
		covered, earlier := false, 0
		for i := range all {
			p := all[i]
			if p.event == r.event {
				break // rows are ordered: what follows is no earlier
			}
			earlier++
			end, ok := p.num["ended_at"]
			if !ok {
				end, ok = p.num["ends_at"]
			}
			covered = covered || !ok || end >= float64(r.at) || p.at == r.at
			if p.text["subscription_id"] == r.text["subscription_id"] {
				before = &all[i]
			}
		}
		if earlier > 0 && !covered {
			returns++
		}
		if before == nil {
			continue
		}
		v, known := r.num[m.Column]
		was, wasKnown := before.num[m.Column]
		switch {
		case !known || !wasKnown:
			newest = absent
			continue
		case m.Form == RenewalDecay:
			if was != 0 {
				decayed += math.Min(math.Max((v-was)/was, -1), 10) * math.Exp(-float64(e.now-r.at)/dayMS/m.Tau)
			}
		case m.Form == RenewalDiff:
			newest = v - was
		case was == 0:
			newest = absent
		default:
			newest = math.Min(math.Max((v-was)/was, -1), 10)
		}
		if v > was {
			up++
		}
		if v < was {
			down++
		}
	}
	switch m.Form {
	case RenewalDecay:
		return decayed
	case RenewalsUp:
		return up
	case RenewalsDown:
		return down
	case Returns:
		return returns
	}
	return newest
}
