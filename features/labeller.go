package features

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Labeller answers for many cutoffs and knowledge times what Store.Labels answers for one, with fewer statements: rows a day are
// counted once for all cutoffs, and the labels of a cutoff are asked anew only if a row that could change them became known in
// between. It keeps what it has read and is safe for concurrent use.
type Labeller struct {
	store *Store
	spec  ChurnSpec

	mu     sync.Mutex
	counts map[string]dayCounts  // by source and knowledge time
	kept   map[int64][]labelling // by cutoff in Unix milliseconds
	late   *lateFacts
}

// labelling is the labels of a population as known at an instant.
type labelling struct {
	eligible []string
	known    time.Time
	labels   *Labels
}

// Labeller begins to label under one definition.
func (s *Store) Labeller(c ChurnSpec) *Labeller {
	return &Labeller{store: s.Remembering(), spec: c, counts: map[string]dayCounts{}, kept: map[int64][]labelling{}}
}

// Labels are those of Store.Labels, for the definition of the Labeller. Read only: the same may be given again.
func (l *Labeller) Labels(ctx context.Context, p *Population, knownBefore time.Time) (*Labels, error) {
	if err := l.spec.Validate(); err != nil {
		return nil, err
	}
	knownBefore, err := l.spec.mature(p.Cutoff, knownBefore)
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	key := milliseconds(p.Cutoff)
	for _, k := range l.kept[key] {
		same := k.known.Equal(knownBefore)
		if !same {
			late, err := l.lateFacts(ctx)
			if err != nil {
				return nil, err
			}
			same = !late.between(k.known, knownBefore, l.spec.Matures(p.Cutoff))
		}
		if same && slices.Equal(k.eligible, p.eligible) {
			return k.labels, nil
		}
	}
	out, err := l.store.labels(ctx, l.spec, p, knownBefore, func(w window) (float64, error) {
		return shareOfOutage(l.spec.LabelSources(), w, func(source string) (dayCounts, error) { return l.rowsPerDay(ctx, source, knownBefore) })
	})
	if err != nil {
		return nil, fmt.Errorf("labels of %s: %w", p.Cutoff.Format(time.RFC3339), err)
	}
	l.kept[key] = append(l.kept[key], labelling{p.eligible, knownBefore, out})
	return out, nil
}

func (l *Labeller) rowsPerDay(ctx context.Context, source string, known time.Time) (dayCounts, error) {
	key := fmt.Sprintf("%s %d", source, milliseconds(known))
	if counts, ok := l.counts[key]; ok {
		return counts, nil
	}
	counts, err := l.store.rowsPerDay(ctx, source, window{until: endOfTime}, known)
	if err != nil {
		return nil, err
	}
	l.counts[key] = counts
	return counts, nil
}

func (l *Labeller) lateFacts(ctx context.Context) (*lateFacts, error) {
	if l.late == nil {
		late, err := l.store.lateFacts(ctx, l.spec)
		if err != nil {
			return nil, fmt.Errorf("what the labels' sources learned late: %w", err)
		}
		l.late = late
	}
	return l.late, nil
}

// lateFacts tells, by the UTC day on which something became known, the earliest instant of a label window that it may bear on.
type lateFacts struct {
	always bool            // the sources cannot tell: every knowledge time is asked for
	day    []int64         // in order, days since 1970
	touch  map[int64]int64 // day → the earliest time, ms, of the events and periods of which something became known on it
}

// between tells whether what became known in [a, b), in any order, may change a label that is read from rows before matures, given
// that both instants are at or after it.
func (f *lateFacts) between(a, b, matures time.Time) bool {
	if f.always {
		return true
	}
	if b.Before(a) {
		a, b = b, a
	}
	first, last := milliseconds(a)/dayMS, (milliseconds(b)-1)/dayMS
	i, _ := slices.BinarySearch(f.day, first)
	for ; i < len(f.day) && f.day[i] <= last; i++ {
		if f.touch[f.day[i]] < milliseconds(matures) {
			return true
		}
	}
	return false
}

// lateFacts reads them: one pass over each source of the label. Something becomes known of an event when a version of it does; it bears on
// every time that any version of the event has. A period that goes on beyond what was paid ends later than it was thought to when its true
// end is known (ended_at); all other ends that become known after the label is complete lie after it too.
func (s *Store) lateFacts(ctx context.Context, c ChurnSpec) (*lateFacts, error) {
	out := &lateFacts{touch: map[int64]int64{}}
	var parts []string
	for _, name := range c.LabelSources() {
		l, err := s.locate(ctx, name)
		if err != nil {
			return nil, err
		}
		if l.bound.Table != "" && !l.bound.Unique {
			return &lateFacts{always: true}, nil // which row of an event holds is not written down
		}
		at := "toUnixTimestamp64Milli(r." + quoteName(l.Time) + ")"
		const stamp = "toUnixTimestamp64Milli(r.ingested_at)"
		tables := []string{tableSQL(l.source, l.bound) + " AS r"}
		parts = append(parts, "SELECT intDiv("+stamp+", 86400000) AS stamped, "+at+" AS touched FROM "+tables[0])
		if l.corrected {
			fixes := quoteName(l.Name + "_fixes")
			tables = append(tables, fixes+" AS r")
			parts = append(parts, "SELECT intDiv(arrayJoin(groupArray("+stamp+")), 86400000) AS stamped, min("+at+") AS touched FROM "+fixes+" AS r GROUP BY r.customer_id, r.event_hash")
		}
		if name != Subscriptions || c.Setting != Contractual {
			continue
		}
		for _, table := range tables {
			parts = append(parts, "SELECT intDiv(toUnixTimestamp64Milli(assumeNotNull(r.ended_at)), 86400000) AS stamped, "+
				"toUnixTimestamp64Milli(least(ifNull(r.ends_at, r.cancelled_at), ifNull(r.cancelled_at, r.ends_at))) AS touched FROM "+table+
				" WHERE isNotNull(r.ended_at) AND (isNotNull(r.ends_at) OR isNotNull(r.cancelled_at))")
		}
	}
	query := "SELECT toInt64(stamped) AS stamped_on, toInt64(min(touched)) AS earliest\nFROM (\n" + strings.Join(parts, "\nUNION ALL\n") + "\n)\nGROUP BY stamped_on\nORDER BY stamped_on"
	for b, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		touched := b.Int64s("earliest")
		for i, d := range b.Int64s("stamped_on") {
			out.day = append(out.day, d)
			out.touch[d] = touched[i]
		}
	}
	return out, nil
}
