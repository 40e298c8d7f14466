package features

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// ErrUnresolved says that a catalogue still holds families or entries of a label window.
var ErrUnresolved = errors.New("features: the catalogue holds families or entries of the label window; call Catalogue.For and Catalogue.Resolve first")

// familyTop is the size of a family whose entry names none.
const familyTop = 30

// familyDays is how far before the cutoff a value must have been used to become a member of a family.
const familyDays = 365

// demographic attributes are never features by themselves; an entry of their own in a catalogue can still name them.
var demographic = regexp.MustCompile(`(?i)(^|[_ .-])(age|gender|sex|income|salary|occupation|birth.*|born|dob|religion|ethnicity|race|marital.*|nationality)([_ .-]|$)`)

// Resolve makes the families concrete from what was known at the newest of the cutoffs: the most frequent values of a text
// column over the 365 days before it, and the attributes of customers whose values may be believed (declared static, or with an
// ingested_at of their own), numbers if all their values are. The resolved catalogue goes into the artifact, so that scoring
// reads the same columns. Families of sources without rows vanish; entries of treatment too, unless the catalogue has the flag, and entries of the
// label window, unless For has told it.
func (c *Catalogue) Resolve(ctx context.Context, s *Store, cutoffs []time.Time) (*Catalogue, error) {
	if len(cutoffs) == 0 {
		return nil, errors.New("features: resolve a catalogue: no cutoff")
	}
	newest := slices.MaxFunc(cutoffs, time.Time.Compare).UTC()
	first, err := s.firstRows(ctx, newest)
	if err != nil {
		return nil, fmt.Errorf("resolve the catalogue: %w", err)
	}
	out := &Catalogue{Version: c.Version, Treatment: c.Treatment, Entries: []Entry{}}
	families := map[string][]string{} // members by source, column and number: families of one column ask once
	if own, ok, err := s.bindOwn(ctx); err != nil {
		return nil, fmt.Errorf("resolve the catalogue: %w", err)
	} else if ok {
		if err := own.checkOwn(c.Entries, false); err != nil {
			return nil, err
		}
	}
	for _, e := range c.Entries {
		if e.Treatment && !c.Treatment || e.Measure.waits() {
			continue
		}
		members := []Entry{e}
		if e.Each == ownColumns {
			if members, out.LeftOut, err = c.ownMembers(ctx, s, e); err != nil {
				return nil, fmt.Errorf("resolve %s: %w", e.Name, err)
			}
		} else if e.Each != "" {
			if !e.Measure.served(first) {
				continue
			}
			if members, err = e.members(ctx, s, newest, families); err != nil {
				return nil, fmt.Errorf("resolve %s: %w", e.Name, err)
			}
		}
		out.Entries = append(out.Entries, members...)
	}
	out.distinctNames()
	return out, out.settle(func(int) int { return 0 })
}

// served tells whether all sources of a measure have rows.
func (m *Measure) served(first map[string]int64) bool {
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil && !part.served(first) {
			return false
		}
	}
	_, ok := first[m.Source]
	return ok || m.Source == ""
}

// distinctNames tells apart members whose values read alike in small letters, by a hash of the value.
func (c *Catalogue) distinctNames() {
	count := map[string]int{}
	for _, e := range c.Entries {
		count[e.Name]++
	}
	for i, e := range c.Entries {
		if count[e.Name] > 1 && e.Level != "" {
			h := sha256.Sum256([]byte(e.Level))
			c.Entries[i].Name = e.Name + "_" + hex.EncodeToString(h[:4])
		}
	}
}

// members are the entries of a family; known keeps what was asked for.
func (e Entry) members(ctx context.Context, s *Store, cutoff time.Time, known map[string][]string) ([]Entry, error) {
	top := e.Top
	if top == 0 {
		top = familyTop
	}
	if e.Each == attributesColumn {
		return e.attributeMembers(ctx, s, cutoff, top)
	}
	if e.Several {
		if several, err := s.runSeveral(ctx, e.Each, cutoff); err != nil || !several {
			return nil, err
		}
	}
	source := e.familySource()
	key := fmt.Sprintf("%s.%s.%d", source, e.Each, top)
	levels, ok := known[key]
	if !ok {
		var err error
		if levels, err = s.mostUsed(ctx, source, e.Each, cutoff, top); err != nil {
			return nil, err
		}
		known[key] = levels
	}
	members := make([]Entry, len(levels))
	for i, level := range levels {
		members[i] = e.member(level)
		m := &members[i].Measure
		if m.Of != nil {
			of := *m.Of
			m.Of = &of
			m = m.Of
		}
		where := map[string][]string{e.Each: {level}}
		for k, v := range m.Where {
			where[k] = v
		}
		m.Where = where
	}
	return members, nil
}

// mostUsed are the most frequent values of a text column in the familyDays before the cutoff, at most so many, in the order of bytes.
func (s *Store) mostUsed(ctx context.Context, source, name string, cutoff time.Time, most int) ([]string, error) {
	rows, err := s.rows(ctx, read{Source: source, Columns: []string{name}, Cutoff: cutoff, From: cutoff.AddDate(0, 0, -familyDays)})
	if err != nil {
		return nil, err
	}
	column := quoteName(name)
	query := "SELECT toString(" + column + ") AS level FROM " + rows + " WHERE " + column + " != '' GROUP BY level ORDER BY count() DESC, level LIMIT " + fmt.Sprint(most)
	var levels []string
	for block, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		levels = append(levels, block.Strings("level")...)
	}
	slices.Sort(levels)
	return levels, nil
}

// familySource is the source whose column makes the members: that of Of for a composite, to which the condition goes.
func (e Entry) familySource() string {
	if e.Measure.Of != nil {
		return e.Measure.Of.Source
	}
	return e.Measure.Source
}

func (e Entry) attributeMembers(ctx context.Context, s *Store, cutoff time.Time, top int) ([]Entry, error) {
	rows, err := s.Versions(ctx, Customers, []string{attributesColumn}, cutoff)
	if err != nil {
		return nil, err
	}
	query := "SELECT key, toUInt8(countIf(NOT ifNull(isFinite(toFloat64OrNull(level)), false)) = 0) AS numbers FROM " + rows +
		" ARRAY JOIN mapKeys(attributes) AS key, mapValues(attributes) AS level WHERE level != '' AND key != '' GROUP BY key ORDER BY count() DESC, key"
	var members []Entry
	for block, err := range s.DB.Blocks(ctx, query, nil) {
		if err != nil {
			return nil, err
		}
		numbers := block.UInt8s("numbers")
		for i, key := range block.Strings("key") {
			if demographic.MatchString(key) || len(members) == top {
				continue
			}
			m := e.member(key)
			m.Measure.Key = key
			m.Unit = UnitLevel
			if numbers[i] == 1 {
				m.Unit = UnitNumber
			}
			members = append(members, m)
		}
	}
	slices.SortFunc(members, func(a, b Entry) int { return strings.Compare(a.Level, b.Level) })
	return members, nil
}

var (
	notInNames = regexp.MustCompile(`[^a-z0-9]+`)
	unspoken   = strings.NewReplacer("{", "(", "}", ")", "[", "(", "]", ")")
)

// nameLength bounds the part of a name that comes from data.
const nameLength = 40

// member is the entry of a family that stands for one value.
func (e Entry) member(level string) Entry {
	slug := strings.Trim(notInNames.ReplaceAllString(strings.ToLower(level), "_"), "_")
	if len(slug) > nameLength {
		slug = strings.TrimRight(slug[:nameLength], "_")
	}
	if slug == "" {
		h := sha256.Sum256([]byte(level))
		slug = hex.EncodeToString(h[:4])
	}
	e.Name = strings.ReplaceAll(e.Name, eachMark, slug)
	spoken := unspoken.Replace(level)
	e.Doc = strings.ReplaceAll(e.Doc, eachMark, spoken)
	e.Words = strings.ReplaceAll(e.Words, eachMark, spoken)
	e.Missing = strings.ReplaceAll(e.Missing, eachMark, spoken)
	e.Each, e.Top, e.Several, e.Level = "", 0, false, level
	return e
}
