package features

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// needs says what a form asks of a measure.
type needs struct {
	source    bool      // rows of a source
	column    columnUse // what kind of column
	window    bool      // it can be narrowed to a window
	mustWin   bool      // it has no meaning without one
	life      bool      // it can be narrowed to the beginning of life
	where     bool      // it takes conditions
	periods   bool      // its rows are subscription periods, over all of history
	composite int       // 1: Of, 2: Of and Over
}

type columnUse uint8

const (
	noColumn columnUse = iota
	anyColumn
	textColumn
	numberColumn
	textOptional
	numberOptional
)

var forms = map[Form]needs{
	Count:         {source: true, column: textOptional, window: true, where: true},
	Sum:           {source: true, column: numberColumn, window: true, where: true},
	Mean:          {source: true, column: numberColumn, window: true, where: true},
	Max:           {source: true, column: numberColumn, window: true, where: true},
	Min:           {source: true, column: numberColumn, window: true, where: true},
	Distinct:      {source: true, column: textColumn, window: true, where: true, life: true},
	ActiveDays:    {source: true, window: true, where: true, life: true},
	DaysSinceLast: {source: true, window: true, where: true},
	DaysSince1st:  {source: true, window: true, where: true},
	DaysSinceNew:  {source: true, column: textColumn},
	LongestGap:    {source: true, window: true, where: true},
	IntervalMean:  {source: true, window: true, where: true},
	IntervalSD:    {source: true, window: true, where: true},
	Overdue:       {source: true, window: true, where: true},
	Last:          {source: true, column: anyColumn, window: true, where: true},
	NewValues:     {source: true, column: textColumn, window: true, mustWin: true},
	LastChange:    {source: true, column: numberColumn, window: true, where: true},
	Median:        {source: true, column: numberColumn, window: true, where: true},
	Entropy:       {source: true, column: textColumn, window: true, where: true},
	Slope:         {source: true, column: numberOptional, window: true, mustWin: true, where: true},
	DecayedSum:    {source: true, window: true, where: true},
	ScaledRate:    {source: true, window: true, mustWin: true, where: true},
	Share:         {source: true, column: numberOptional, window: true, where: true},
	RenewalChange: {source: true, column: numberColumn, periods: true},
	RenewalDiff:   {source: true, column: numberColumn, periods: true},
	RenewalDecay:  {source: true, column: numberColumn, periods: true},
	RenewalsUp:    {source: true, column: numberColumn, window: true, periods: true},
	RenewalsDown:  {source: true, column: numberColumn, window: true, periods: true},
	Returns:       {source: true, window: true, periods: true},
	PaidFor:       {source: true, window: true, where: true, periods: true},
	Change:        {composite: 1},
	Ratio:         {composite: 2},
	Difference:    {composite: 2},
	Tenure:        {},
	Attribute:     {source: true, column: anyColumn},
}

var units = []Unit{UnitCount, UnitDays, UnitHours, UnitMinutes, UnitMoney, UnitShare, UnitChange, UnitNumber, UnitFlag, UnitLevel}

var entryName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)

// eachMark stands in the name, the documentation and the words of a family for the value of each member.
const eachMark = "{each}"

// attributesColumn is the free map of customers; a family over it makes a feature of each static attribute.
const attributesColumn = "attributes"

// maxWindowDays bounds windows, so that a slip of the pen does not read as "never": 20 years.
const maxWindowDays = 7305

func (m *Measure) inherit(source string) {
	if m.Source == "" && m.Form != Tenure {
		m.Source = source
	}
	for _, part := range []*Measure{m.Of, m.Over} {
		if part != nil {
			part.inherit(m.Source)
		}
	}
}

// check is the first fault of an entry, "" when there is none.
func (e Entry) check() string {
	name := e.Name
	if e.Each != "" {
		if !strings.Contains(name, eachMark) {
			return "a family's name holds " + eachMark
		}
		name = strings.ReplaceAll(name, eachMark, "x")
	}
	if !entryName.MatchString(name) || name == "customer_id" || name == "label" {
		return "a name reads subject_aggregate_window in small letters, digits and _"
	}
	if !slices.Contains(units, e.Unit) {
		return fmt.Sprintf("unknown unit %q; there are %v", e.Unit, units)
	}
	if e.Doc == "" || e.Words == "" || e.Missing == "" {
		return "doc, words and missing must be given"
	}
	if fault := checkWords(e.Words, e.Unit); fault != "" {
		return fault
	}
	if e.Monotone < -1 || e.Monotone > 1 {
		return "monotone is -1, 0 or 1"
	}
	if e.Top < 0 || e.Top > 0 && e.Each == "" {
		return "top is the positive size of a family"
	}
	if e.Several && (e.Each == "" || !e.Measure.Current) {
		return "several goes with a family (each) of running periods (current: true)"
	}
	if e.Each != "" && (e.Each != ownColumns || e.Measure.Source != OwnFeatures) {
		src, ok := sourceNamed(e.familySource())
		isText := false
		if ok {
			c, known := src.column(e.Each)
			isText = known && c.Type == text
		}
		if attributes := e.Measure.Source == Customers && e.Each == attributesColumn; !isText && !attributes {
			return fmt.Sprintf("each: %q is no text column of %q", e.Each, e.familySource())
		}
	}
	if fault := e.Measure.check(e.Each); fault != "" {
		return fault
	}
	return e.checkKind()
}

// checkKind holds text to the unit level and numbers to the others.
func (e Entry) checkKind() string {
	if e.Each == attributesColumn || e.Measure.Column == attributesColumn || e.Measure.Source == OwnFeatures && e.Measure.Form == Attribute {
		return "" // numeric or categorical as its values are
	}
	isText := false
	if e.Measure.Form == Last || e.Measure.Form == Attribute {
		kind, _ := columnKind(e.Measure.Source, e.Measure.Column)
		isText = kind == text
	}
	if isText != (e.Unit == UnitLevel) {
		return "the unit level is for text, and text needs it"
	}
	return ""
}

func (m *Measure) check(each string) string {
	n, ok := forms[m.Form]
	if !ok {
		return fmt.Sprintf("unknown form %q; there are %v", m.Form, sortedKeys(forms))
	}
	fault := func(format string, args ...any) string {
		return fmt.Sprintf("form "+string(m.Form)+": "+format, args...)
	}
	if n.composite == 0 && (m.Of != nil || m.Over != nil) || n.composite == 1 && (m.Of == nil || m.Over != nil) || n.composite == 2 && (m.Of == nil || m.Over == nil) {
		return fault("of belongs to change, ratio and difference, and over to the last two")
	}
	if n.composite > 0 {
		if m.Column != "" || m.Window != 0 || m.Offset != 0 || m.Life != 0 || m.Where != nil || m.Current {
			return fault("column, window and conditions stand in its parts")
		}
		for _, part := range []*Measure{m.Of, m.Over} {
			if part == nil {
				continue
			}
			if f := part.check(each); f != "" {
				return f
			}
			if kind, _ := columnKind(part.Source, part.Column); kind == text && (part.Form == Last || part.Form == Attribute) {
				return fault("its parts are numbers")
			}
		}
		if m.Form == Change {
			if f := forms[m.Of.Form]; !f.window || m.Of.Window == 0 || m.Of.Form == NewValues {
				return fault("of has a window")
			}
		}
		return m.checkNumbers(fault)
	}
	if n.source {
		if m.Source == OwnFeatures {
			return m.checkOwn(each, fault)
		}
		if _, ok := sourceNamed(m.Source); !ok {
			return fault("unknown source %q; there are %v, %s", m.Source, sourceNames(), OwnFeatures)
		}
		if m.Source == Customers != (m.Form == Attribute) {
			return fault("attributes, and nothing else, come from customers and features")
		}
		if n.periods && m.Source != Subscriptions {
			return fault("is for subscriptions")
		}
	} else if m.Source != "" {
		return fault("has no source")
	}
	if f := m.checkColumn(n, each); f != "" {
		return fault("%s", f)
	}
	if len(m.Where) > 0 && !n.where || m.Life != 0 && !n.life || m.Window != 0 && !n.window || m.Current && !n.where {
		return fault("takes no such window or condition")
	}
	if m.Current && m.Source != Subscriptions {
		return fault("current is for subscriptions")
	}
	if m.Form == PaidFor && !m.Current {
		return fault("is of running periods: current: true")
	}
	if n.mustWin && m.Window == 0 {
		return fault("needs a window")
	}
	if m.Form == Share && len(m.Where) == 0 && each == "" {
		return fault("needs conditions (where)")
	}
	for _, c := range sortedKeys(m.Where) {
		if kind, ok := columnKind(m.Source, c); !ok || kind != text && kind != boolean {
			return fault("where: %q is no text or boolean column of %s", c, m.Source)
		} else if kind == boolean && (len(m.Where[c]) != 1 || m.Where[c][0] != "true" && m.Where[c][0] != "false") {
			return fault("where: %s is [\"true\"] or [\"false\"]", c)
		}
		if len(m.Where[c]) == 0 {
			return fault("where: %s names no value", c)
		}
	}
	return m.checkNumbers(fault)
}

// checkOwn is check for a column of the own feature table, whose type is not known yet.
func (m *Measure) checkOwn(each string, fault func(string, ...any) string) string {
	if m.Form != Attribute {
		return fault("of %s only attributes are read, as they stand: form: attribute", OwnFeatures)
	}
	if (m.Column == "") != (each == ownColumns) || m.Key != "" || m.Offset != 0 || m.Life != 0 || m.Where != nil || m.Current {
		return fault("reads one column of your feature table, and takes no more than a window, the greatest age of its row in days")
	}
	return m.checkNumbers(fault)
}

func (m *Measure) checkColumn(n needs, each string) string {
	kind, known := columnKind(m.Source, m.Column)
	isNumber := kind == fixedPoint || kind == whole || kind == boolean
	fine := false
	switch n.column {
	case noColumn:
		fine = m.Column == ""
	case anyColumn:
		fine = known && (isNumber || kind == text) || m.Column == attributesColumn && (m.Key != "" || each == attributesColumn)
	case textColumn:
		fine = known && kind == text
	case numberColumn:
		fine = known && isNumber
	case textOptional:
		fine = m.Column == "" || known && kind == text
	case numberOptional:
		fine = m.Column == "" || known && isNumber
	}
	if !fine {
		return fmt.Sprintf("column %q does not serve; the columns of %s are %s", m.Column, m.Source, strings.Join(readableColumns(m.Source), ", "))
	}
	if m.Key != "" && m.Column != attributesColumn {
		return "key goes with column: attributes"
	}
	return ""
}

func (m *Measure) checkNumbers(fault func(string, ...any) string) string {
	switch {
	case m.Window < 0 || m.Offset < 0 || m.Life < 0 || m.Window > maxWindowDays || m.Offset > maxWindowDays || m.Life > maxWindowDays:
		return fault("windows are whole days from 1 to %d", maxWindowDays)
	case m.Life > 0 && (m.Window > 0 || m.Offset > 0 || len(m.Where) > 0 || m.Current):
		return fault("life stands alone, without window and conditions")
	case m.Offset > 0 && m.Window == 0 && !m.Current:
		return fault("offset goes with a window or with current")
	case m.Offset > 0 && (m.Form == ScaledRate || m.Form == NewValues || m.Form == DecayedSum || m.Form == Overdue):
		return fault("has no offset")
	case m.Form == Slope && (m.Buckets < 2 || m.Window%m.Buckets != 0):
		return fault("buckets is at least 2 and divides the window")
	case m.Form != Slope && m.Buckets != 0:
		return fault("buckets belongs to slope")
	case (m.Form == DecayedSum || m.Form == RenewalDecay) != (m.Tau > 0):
		return fault("tau, in days, belongs to decayed_sum and renewal_decayed and is positive")
	case m.Form == ScaledRate && m.Window < 7:
		return fault("the window is at least 7 days")
	case m.Scale != m.Scale || m.Scale-m.Scale != 0:
		return fault("scale is a finite number")
	}
	return ""
}
