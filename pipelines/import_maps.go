package pipelines

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

	"retain/internal/tabular"
	"retain/internal/warehouse"
)

// pair is one entry of a map column.
type pair struct{ key, value []byte }

// convertMap fills the map column i: from a column of its own, which holds a JSON object, and from the columns that are entries.
// A null is an absent entry. Where both give a key, the single column holds.
func (c *importColumns) convertMap(i int, own []byte, row tabular.Row) *BadRowError {
	flags := c.source.Columns[i].Kind == warehouse.ImportFlags
	entries := c.extras
	if flags {
		entries = c.consents
	}
	c.parts = c.parts[:0]
	if own != nil {
		parts, err := objectPairs(own)
		if err != nil {
			return &BadRowError{Column: c.name(c.origins[i], c.source.Columns[i].Name), Value: shorten(own), Reason: err.Error()}
		}
		c.parts = append(c.parts, parts...)
	}
	for _, e := range entries {
		if b := c.field(e.origin, row); b != nil {
			c.parts = append(c.parts, pair{[]byte(e.key), b})
		}
	}
	if own != nil { // else the entries are in order already
		slices.SortStableFunc(c.parts, func(a, b pair) int { return bytes.Compare(a.key, b.key) })
	}
	out := c.pairs[i][:0]
	for n, p := range c.parts {
		if n+1 < len(c.parts) && bytes.Equal(p.key, c.parts[n+1].key) {
			continue
		}
		value := p.value
		if flags {
			v, ok := flag(value)
			if !ok {
				return &BadRowError{Column: consentPrefix + string(p.key), Value: shorten(value), Reason: flagFault}
			}
			value = []byte{"01"[v]}
		}
		if len(out) > 0 {
			out = append(out, 0)
		}
		out = append(append(append(out, p.key...), 0), value...)
	}
	c.pairs[i], c.row.text[i] = out, out
	return nil
}

// objectPairs reads a flat JSON object; its nulls are left out.
func objectPairs(object []byte) ([]pair, error) {
	const mend = `is not a JSON object such as {"email": true}`
	if bytes.IndexByte(object, '\n') >= 0 {
		object = bytes.ReplaceAll(object, []byte("\n"), []byte(" "))
	}
	r, err := tabular.NewReader(bytes.NewReader(object), "value", tabular.NDJSON)
	if err != nil {
		return nil, errors.New(mend)
	}
	row, _, err := r.Next()
	if err != nil || row == nil && len(r.Columns()) > 0 {
		return nil, errors.New(mend)
	}
	var out []pair
	for i, b := range row {
		if b != nil {
			out = append(out, pair{[]byte(r.Header()[i]), bytes.Clone(b)})
		}
	}
	if _, _, err := r.Next(); !errors.Is(err, io.EOF) {
		return nil, errors.New(mend)
	}
	slices.SortStableFunc(out, func(a, b pair) int { return strings.Compare(string(a.key), string(b.key)) })
	return out, nil
}
