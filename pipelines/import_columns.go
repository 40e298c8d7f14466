package pipelines

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"retain/internal/tabular"
	"retain/internal/warehouse"
)

const (
	ingestedAt    = "ingested_at"
	consentPrefix = "consent_" // consent_KEY fills consent[KEY]
	maxID         = 256        // bytes
)

// importRow is one row in canonical columns, aligned with ImportSource.Columns: texts in text, all else in whole.
type importRow struct {
	text     [][]byte
	whole    []int64
	ingested int64
	mapped   int64
}

// origin is where the value of a canonical column comes from.
type origin struct {
	column   int  // of the file; -1: none
	timed    bool // the column holds instants by its type
	constant bool
	text     []byte // the constant
}

// pairOrigin is one entry of a map column.
type pairOrigin struct {
	key    string
	origin origin
}

// importColumns binds the columns of a file to the canonical ones and converts rows.
type importColumns struct {
	source   warehouse.ImportSource
	values   *importValues
	file     *tabular.Reader
	byMap    map[string]string // canonical → column, both normalised
	taken    map[string]bool   // columns named in --map
	origins  []origin
	ingested origin
	consents []pairOrigin
	extras   []pairOrigin // attributes
	ignored  []string     // as the file names them
	bound    int          // columns of the file seen so far: NDJSON may bring further ones
	row      importRow
	own      int
	customer int // -1: rows are of no customer (outcomes)
	survey   surveyColumns
	pairs    [][]byte // scratch for the two map columns
	parts    []pair
}

func newImportColumns(o ImportOptions, source warehouse.ImportSource, values *importValues, file *tabular.Reader) (*importColumns, error) {
	n := len(source.Columns)
	c := &importColumns{
		source: source, values: values, file: file, byMap: map[string]string{}, taken: map[string]bool{},
		origins: make([]origin, n), ingested: origin{column: -1},
		row: importRow{text: make([][]byte, n), whole: make([]int64, n)},
		own: source.Column(source.Time), customer: source.Column("customer_id"), survey: newSurveyColumns(source), pairs: make([][]byte, n),
	}
	for i := range c.origins {
		c.origins[i].column = -1
	}
	for _, canonical := range slices.Sorted(maps.Keys(o.Map)) {
		name, column := tabular.Normalise(canonical), tabular.Normalise(o.Map[canonical])
		if err := c.known(name, "--map"); err != nil {
			return nil, err
		}
		if slices.Index(file.Columns(), column) < 0 || column == "" {
			return nil, fmt.Errorf("%w: --map %s=%s: %s has no column %q; it has %s", ErrImportOptions, canonical, o.Map[canonical], file.Name(), o.Map[canonical], list(file.Header()))
		}
		c.byMap[name], c.taken[column] = column, true
	}
	for _, canonical := range slices.Sorted(maps.Keys(o.Set)) {
		name := tabular.Normalise(canonical)
		if err := c.known(name, "--set"); err != nil {
			return nil, err
		}
		if _, ok := c.byMap[name]; ok {
			return nil, fmt.Errorf("%w: %s stands both in --map and in --set", ErrImportOptions, name)
		}
		constant := origin{column: -1, constant: true, text: []byte(o.Set[canonical])}
		switch i := source.Column(name); {
		case i >= 0:
			c.origins[i] = constant
		case name == ingestedAt:
			c.ingested = constant
		default:
			c.consents = append(c.consents, pairOrigin{strings.TrimPrefix(name, consentPrefix), constant})
		}
	}
	c.bind()
	if bad := c.checkConstants(); bad != nil {
		return nil, fmt.Errorf("%w: --set %s=%s: %s", ErrImportOptions, bad.Column, bad.Value, bad.Reason)
	}
	for i, k := range source.Columns {
		if o := c.origins[i]; o.column >= 0 || o.constant || i != c.customer && (i != c.own || source.Optional) && !k.Required {
			continue
		}
		if err := file.Blind(); err != nil {
			return nil, err
		}
		mend := "name the one that holds it (--map " + k.Name + "=COLUMN)"
		if len(k.Words) > 0 {
			mend += ", or give the one value of all rows (--set " + k.Name + "=" + k.Words[0] + "; there are " + strings.Join(k.Words, ", ") + ")"
		}
		return nil, fmt.Errorf("%s has no column %s, which %s needs: %s; it has %s", file.Name(), k.Name, source.Name, mend, list(file.Header()))
	}
	return c, nil
}

// known refuses names that are no canonical column.
func (c *importColumns) known(name, flag string) error {
	consent := c.source.Column("consent") >= 0 && strings.HasPrefix(name, consentPrefix) && len(name) > len(consentPrefix)
	if c.source.Column(name) >= 0 || name == ingestedAt || consent {
		return nil
	}
	var names []string
	for _, k := range c.source.Columns {
		names = append(names, k.Name)
	}
	return fmt.Errorf("%w: %s: %s has no column %q; it has %s, %s", ErrImportOptions, flag, c.source.Name, name, strings.Join(names, ", "), ingestedAt)
}

func list(names []string) string {
	const most = 40
	if len(names) == 0 {
		return "none"
	}
	if len(names) > most {
		return strings.Join(names[:most], ", ") + " …"
	}
	return strings.Join(names, ", ")
}

// bind finds the use of the file's columns that are not bound yet.
func (c *importColumns) bind() {
	columns := c.file.Columns()
	for ; c.bound < len(columns); c.bound++ {
		j, name := c.bound, columns[c.bound]
		if c.taken[name] {
			for canonical, column := range c.byMap {
				if column == name {
					c.use(canonical, j)
				}
			}
			continue
		}
		if _, mapped := c.byMap[name]; !mapped && name != "" && c.use(name, j) {
			continue
		}
		if c.source.Column("attributes") >= 0 && name != "" {
			c.extras = append(c.extras, pairOrigin{name, origin{column: j}})
			continue
		}
		header := c.file.Header()[j]
		if header == "" {
			header = fmt.Sprintf("(column %d, without a name)", j+1)
		}
		c.ignored = append(c.ignored, header)
	}
	byKey := func(a, b pairOrigin) int { return strings.Compare(a.key, b.key) }
	slices.SortFunc(c.consents, byKey)
	slices.SortFunc(c.extras, byKey)
}

// use takes column j for a canonical column; false if that has a constant, or there is none of that name.
func (c *importColumns) use(canonical string, j int) bool {
	if i := c.source.Column(canonical); i >= 0 {
		if c.origins[i].constant {
			return false
		}
		c.origins[i].column, c.origins[i].timed = j, c.file.Timed(j)
		return true
	}
	if canonical == ingestedAt {
		if c.ingested.constant {
			return false
		}
		c.ingested.column, c.ingested.timed = j, c.file.Timed(j)
		return true
	}
	key, ok := strings.CutPrefix(canonical, consentPrefix)
	if !ok || key == "" || c.source.Column("consent") < 0 {
		return false
	}
	for _, p := range c.consents {
		if p.key == key {
			return false
		}
	}
	c.consents = append(c.consents, pairOrigin{key, origin{column: j}})
	return true
}

// field returns the bytes of an origin, nil for null.
func (c *importColumns) field(o origin, row tabular.Row) []byte {
	if o.constant {
		return o.text
	}
	if o.column < 0 || o.column >= len(row) {
		return nil
	}
	if b := row[o.column]; !c.values.null(b) {
		return b
	}
	return nil
}

// convert turns a row of the file into canonical values, valid until the next call.
func (c *importColumns) convert(row tabular.Row) (*importRow, *BadRowError) {
	if len(c.file.Columns()) > c.bound {
		c.bind()
	}
	for i := range c.source.Columns {
		k := &c.source.Columns[i]
		b := c.field(c.origins[i], row)
		var fault string
		switch k.Kind {
		case warehouse.ImportText:
			if b != nil && k.Words != nil {
				b, fault = word(k.Words, b)
			}
			c.row.text[i] = b
			if fault == "" && k.Required && len(b) == 0 {
				fault = "is empty: every row needs it (" + strings.Join(k.Words, ", ") + ")"
			}
		case warehouse.ImportID:
			c.row.text[i] = b
			if len(b) > maxID {
				fault = fmt.Sprintf("is longer than the %d bytes of an id", maxID)
			}
		case warehouse.ImportTexts, warehouse.ImportFlags:
			if bad := c.convertMap(i, b, row); bad != nil {
				return nil, bad
			}
		default:
			c.row.whole[i] = warehouse.ImportNull
			if b != nil {
				c.row.whole[i], fault = c.values.whole(k, b, c.origins[i].timed)
			}
		}
		if fault != "" {
			return nil, &BadRowError{Column: c.name(c.origins[i], k.Name), Value: shorten(b), Reason: fault}
		}
	}
	if c.customer >= 0 && len(c.row.text[c.customer]) == 0 {
		return nil, &BadRowError{Column: c.name(c.origins[c.customer], "customer_id"), Reason: "is empty: every row needs a customer_id"}
	}
	own := c.row.whole[c.own]
	if own == warehouse.ImportNull && !c.source.Optional {
		return nil, &BadRowError{Column: c.name(c.origins[c.own], c.source.Time), Reason: "is empty: every row needs its time"}
	}
	if fault := c.checkScore(); fault != nil {
		return nil, fault
	}
	c.row.ingested, c.row.mapped = own, 0
	if own == warehouse.ImportNull {
		c.row.ingested = 0 // 1970-01-01: known since ever
	}
	if b := c.field(c.ingested, row); b != nil {
		at, fault := c.values.instant(b, c.ingested.timed)
		if fault != "" {
			return nil, &BadRowError{Column: c.name(c.ingested, ingestedAt), Value: shorten(b), Reason: fault}
		}
		c.row.ingested, c.row.mapped = at, 1
	}
	return &c.row, nil
}

// name is how an error calls a column: as the file does, with the canonical name if that differs.
func (c *importColumns) name(o origin, canonical string) string {
	if o.column < 0 {
		return canonical
	}
	header := c.file.Header()[o.column]
	if tabular.Normalise(header) == canonical {
		return header
	}
	return header + " (" + canonical + ")"
}

// checkConstants converts the constants once, so that a wrong one is told before the file is read.
func (c *importColumns) checkConstants() *BadRowError {
	for i, k := range c.source.Columns {
		if o := c.origins[i]; o.constant && !k.Kind.Textual() {
			if _, fault := c.values.whole(&k, o.text, false); fault != "" {
				return &BadRowError{Column: k.Name, Value: string(o.text), Reason: fault}
			}
		} else if o.constant && k.Words != nil {
			if _, fault := word(k.Words, o.text); fault != "" {
				return &BadRowError{Column: k.Name, Value: shorten(o.text), Reason: fault}
			}
		} else if o.constant && bytes.IndexByte(o.text, 0) >= 0 {
			return &BadRowError{Column: k.Name, Value: shorten(o.text), Reason: "holds a NUL"}
		}
	}
	if c.ingested.constant {
		if _, fault := c.values.instant(c.ingested.text, false); fault != "" {
			return &BadRowError{Column: ingestedAt, Value: string(c.ingested.text), Reason: fault}
		}
	}
	for _, p := range c.consents {
		if p.origin.constant {
			if _, ok := flag(p.origin.text); !ok {
				return &BadRowError{Column: consentPrefix + p.key, Value: string(p.origin.text), Reason: flagFault}
			}
		}
	}
	return nil
}

// shorten cuts a value for an error.
func shorten(b []byte) string {
	const most = 80
	if len(b) > most {
		return strings.ToValidUTF8(string(b[:most]), "") + "…"
	}
	return string(b)
}
