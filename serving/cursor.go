package serving

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
)

// cursor is a place in a list of one run. It is not signed: it opens nothing that its bearer could not list anyway,
// it survives a restart, and every replica that holds the run understands it.
type cursor struct {
	Version  int      `json:"v"`
	RunID    string   `json:"r"`
	Sort     string   `json:"s"`
	Band     string   `json:"b"`
	Stage    string   `json:"g,omitempty"`
	Action   string   `json:"a,omitempty"`
	MinValue *float64 `json:"m"`
	Place    int      `json:"p"` // in the order of the list; at least 1, because the first page needs no cursor
}

const (
	cursorVersion  = 1
	maxCursorBytes = 1024
)

var (
	errCursor        = errors.New("the cursor is not one of this service: take next_cursor as it was given, or leave it out to start anew")
	errCursorOther   = errors.New("the cursor belongs to a list with another sort, band, stage, action or min_value: leave these out, or start anew without the cursor")
	errCursorExpired = errors.New("the cursor belongs to a run that is no longer held: start anew without the cursor")
)

func (c cursor) listing() listing {
	return listing{Sort: c.Sort, Band: c.Band, Stage: c.Stage, Action: c.Action, MinValue: c.MinValue}
}

// encode returns the opaque text of a cursor.
func (c cursor) encode() string {
	c.Version = cursorVersion
	return opaque(c) // only an infinite or missing number would fail, and listings hold none
}

// decodeCursor accepts exactly what encode returns.
func decodeCursor(text string) (cursor, error) {
	var c cursor
	if err := readOpaque(text, &c); err != nil {
		return cursor{}, err
	}
	known := c.Sort == SortLoss || c.Sort == SortProbability
	known = known && (c.Band == "" || slices.Contains(Bands, c.Band))
	if !known || c.RunID == "" || c.Place < 1 || c.encode() != text {
		return cursor{}, errCursor
	}
	return c, nil
}

// opaque is the text of a cursor of any kind. It panics where JSON cannot hold the cursor.
func opaque(cursor any) string {
	text, err := json.Marshal(cursor)
	if err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

// readOpaque reads such a text into a cursor, or returns errCursor. That it is just what opaque writes is the caller's to check.
func readOpaque(text string, cursor any) error {
	if len(text) > maxCursorBytes {
		return errCursor
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return errCursor
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if d.Decode(cursor) != nil {
		return errCursor
	}
	return nil
}
