package features

import (
	"slices"
	"strings"
)

// The derived columns of surveys, tickets and contacts once more, and what of them is hidden, from the words of metrics.md §1 and §3.

func (w *refWorld) veilService(r *refRow, text map[string]string, num map[string]float64, now int64) {
	static := func(c string) bool { return slices.Contains(w.static[r.source], c) }
	happened := func(at string) bool { v, ok := r.num[at]; return ok && v < float64(now) }
	hide := func(at string, columns ...string) {
		for _, c := range append(columns, at) {
			if !happened(at) && !static(c) {
				delete(text, c)
				delete(num, c)
			}
		}
	}
	flag := func(name string, b bool) { num[name] = map[bool]float64{true: 1}[b] }
	switch r.source {
	case Surveys:
		score, answered := num["score"]
		flag("answered", answered)
		switch {
		case !answered || text["kind"] != "nps":
		case score >= 9:
			text["nps_class"] = "promoter"
		case score >= 7:
			text["nps_class"] = "passive"
		default:
			text["nps_class"] = "detractor"
		}
	case Tickets:
		hide("first_reply_at", "reply_channel")
		hide("resolved_at", "reopened", "escalated", "self_served", "satisfaction")
		resolved, isResolved := num["resolved_at"]
		if w.records(r.source, "resolved_at", now) {
			flag("open", !isResolved)
		}
		replied, isReplied := num["first_reply_at"]
		if isReplied && replied >= float64(r.at) {
			num["reply_ms"] = replied - float64(r.at)
		}
		waitedUntil := float64(now)
		if isResolved {
			waitedUntil = resolved
		}
		if isReplied {
			waitedUntil = replied
		}
		late := waitedUntil-float64(r.at) > dayMS && num["self_served"] != 1
		if known := late || isReplied || isResolved || num["self_served"] == 1; known && w.records(r.source, "first_reply_at", now) {
			flag("late_reply", late)
		}
		said := func(c string) string {
			return strings.NewReplacer(" ", "_", "-", "_").Replace(strings.ToLower(text[c]))
		}
		if text["channel"] != "" {
			flag("public", said("channel") == "forum" || said("channel") == "social_media")
			if text["reply_channel"] != "" {
				flag("replied_elsewhere", said("channel") != said("reply_channel"))
			}
		}
	case Contacts:
		hide("outcome_at", "outcome")
		switch o := strings.ToLower(text["outcome"]); {
		case !w.records(r.source, "outcome", now):
		case o != "":
			flag("ignored", o == "ignored")
		case now-r.at > 7*dayMS:
			flag("ignored", true)
		}
	}
}

// records tells whether the source holds a value of the column at all, as known at T: the newest versions only, and what is not hidden.
func (w *refWorld) records(source, column string, now int64) bool {
	key := source + column
	if w.recorded == nil || w.recordedAt != now {
		w.recorded, w.recordedAt = map[string]bool{}, now
	}
	found, ok := w.recorded[key]
	if !ok {
		at := map[string]string{"outcome": "outcome_at"}[column]
		if at == "" {
			at = column
		}
		for _, r := range w.newest(source, now) {
			v, dated := r.num[at]
			dated = dated && v < float64(now)
			found = found || r.at < now && dated && (at == column || r.text[column] != "")
		}
		w.recorded[key] = found
	}
	return found
}

// recorded tells whether the columns of a measure that are told from absence can be told.
func (e *refEye) recorded(m Measure) bool {
	for _, name := range append(sortedKeys(m.Where), m.Column) {
		needs := map[string]string{"open": "resolved_at", "late_reply": "first_reply_at", "ignored": "outcome"}[name]
		if needs != "" && (m.Source == Tickets || m.Source == Contacts) && !e.world.records(m.Source, needs, e.now) {
			return false
		}
	}
	return true
}

func medianOf(v []float64) float64 {
	if len(v) == 0 {
		return absent
	}
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
