package warehouse

import (
	"fmt"
	"slices"

	"github.com/ClickHouse/ch-go/proto"
)

// text is a String column. ch-go's own takes memory for any length that it reads before it reads on, so that a damaged
// body could end the process.
type text struct {
	bytes []byte
	ends  []int // of each row in bytes
}

const (
	maxText   = 1 << 30 // bytes of one value
	textPiece = 1 << 20 // bytes that are asked for at once, however long a value says it is
)

// DecodeColumn reads rows values.
func (t *text) DecodeColumn(r *proto.Reader, rows int) error {
	t.ends = make([]int, 0, rows)
	for range rows {
		n, err := r.UVarInt()
		if err != nil {
			return err
		}
		if n > maxText {
			return fmt.Errorf("a text of %d bytes", n)
		}
		for left := int(n); left > 0; {
			piece := min(left, textPiece)
			end := len(t.bytes)
			t.bytes = slices.Grow(t.bytes, piece)[:end+piece]
			if err := r.ReadFull(t.bytes[end:]); err != nil {
				return err
			}
			left -= piece
		}
		t.ends = append(t.ends, len(t.bytes))
	}
	return nil
}

// readName reads a text that is short, such as a column's name or type.
func readName(r *proto.Reader) (string, error) {
	var t text
	if err := t.DecodeColumn(r, 1); err != nil {
		return "", err
	}
	return string(t.bytes), nil
}

// Append adds a row.
func (t *text) Append(s string) {
	t.bytes = append(t.bytes, s...)
	t.ends = append(t.ends, len(t.bytes))
}

// Type is String.
func (t *text) Type() proto.ColumnType { return proto.ColumnTypeString }

// Rows is the number of rows.
func (t *text) Rows() int { return len(t.ends) }

// Reset empties the column.
func (t *text) Reset() { t.bytes, t.ends = nil, nil }

// strings returns the rows. They share one copy of the column: a string for each would cost an allocation for each.
func (t *text) strings() []string {
	all := string(t.bytes)
	s := make([]string, len(t.ends))
	start := 0
	for i, end := range t.ends {
		s[i] = all[start:end]
		start = end
	}
	return s
}
