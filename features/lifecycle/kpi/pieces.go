package kpi

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Figures have pieces in common, such as who is there in which month, and some of them take a pass over all usage. A piece that several statements of a
// report read is worked out once, into a scratch table. So is a figure that is broken down in more than one way.

// pieces are the FROM-expressions that figures have in common.
type pieces struct {
	uses   map[string]int    // statements that would read it
	texts  map[string]string // the SELECT
	tables map[string]string // where it is worked out
	rows   map[string]string // by figure: where its rows are worked out
	drops  []func() error
}

func newPieces() pieces {
	return pieces{uses: map[string]int{}, texts: map[string]string{}, tables: map[string]string{}, rows: map[string]string{}}
}

// piece is a FROM-expression in common, in parentheses, or the table in which its columns are worked out.
func (c *compiler) piece(name, columns, from string) string {
	if table, ok := c.pieces.tables[name]; ok {
		return table
	}
	c.pieces.uses[name]++
	c.pieces.texts[name] = "SELECT " + columns + "\nFROM " + from
	return from
}

// workOut works out the pieces that two of the figures, or more, have in common.
func (c *compiler) workOut(ctx context.Context, chosen []*figure) error {
	c.pieces = newPieces()
	for _, f := range chosen {
		before := maps.Clone(c.pieces.uses)
		f.rows(c)
		for name, n := range c.pieces.uses { // several times in one statement is once
			c.pieces.uses[name] = min(n, before[name]+1)
		}
	}
	if c.err != nil {
		return c.err
	}
	for _, name := range keysOf(c.pieces.uses) {
		if c.pieces.uses[name] < 2 {
			continue
		}
		table, err := c.keepRows(ctx, name, c.pieces.texts[name])
		if err != nil {
			return err
		}
		c.pieces.tables[name] = table
	}
	return nil
}

// workOutRows works out the rows of a figure.
func (c *compiler) workOutRows(ctx context.Context, f *figure) error {
	query := f.rows(c)
	if c.err != nil {
		return c.err
	}
	table, err := c.keepRows(ctx, f.name, query)
	c.pieces.rows[f.name] = table
	return err
}

// rowsOf are the rows of a figure, as a SELECT.
func (c *compiler) rowsOf(f *figure) string {
	if table, ok := c.pieces.rows[f.name]; ok {
		return "SELECT *\nFROM " + table
	}
	return f.rows(c)
}

// keepRows works out a SELECT into a scratch table, which close drops.
func (c *compiler) keepRows(ctx context.Context, what, query string) (table string, err error) {
	query += "\nSETTINGS join_use_nulls = 0, " + spill
	table, drop, err := c.store.Materialise(ctx, what, query, c.used(query))
	if err != nil {
		return "", fmt.Errorf("work out %s: %w", what, err)
	}
	c.pieces.drops = append(c.pieces.drops, drop)
	return table, nil
}

// close drops the scratch tables.
func (c *compiler) close() error {
	var errs []error
	for _, drop := range slices.Backward(c.pieces.drops) {
		errs = append(errs, drop())
	}
	c.pieces = newPieces()
	return errors.Join(errs...)
}
