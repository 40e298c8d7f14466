package warehouse

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/ch-go/proto"
)

// scanRows is the size of the blocks that rows are scanned into, ClickHouse's own.
const scanRows = 65536

// scanBlocks is Blocks for connections without a Native body to decode (clickhouse://).
func (w *Warehouse) scanBlocks(ctx context.Context, query string, yield func(*Block) bool) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows, err := w.conn.Query(ctx, query)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer func() {
		if closing := rows.Close(); err == nil && !errors.Is(closing, context.Canceled) {
			err = closing
		}
	}()
	var names []string
	var kinds []proto.ColumnType
	for _, c := range rows.ColumnTypes() {
		names = append(names, c.Name())
		kinds = append(kinds, plain(c.DatabaseTypeName()))
	}
	var b *Block
	var cells []any
	var push []func()
	for rows.Next() {
		if b == nil {
			b = &Block{names: names, columns: make(map[string]*column, len(names))}
			if cells, push, err = b.cells(kinds); err != nil {
				return err
			}
		}
		if err := rows.Scan(cells...); err != nil {
			return fmt.Errorf("scan a row: %w", err)
		}
		for _, f := range push {
			f()
		}
		if b.rows++; b.rows == scanRows {
			if !yield(b) {
				cancel()
				return nil
			}
			b = nil
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	if b != nil {
		yield(b)
	}
	return nil
}

// plain is the type without LowCardinality, which is of no use once rows are apart.
func plain(kind string) proto.ColumnType {
	if inner, ok := strings.CutPrefix(kind, "LowCardinality("); ok {
		kind = strings.TrimSuffix(inner, ")")
	}
	return proto.ColumnType(kind)
}

// cells gives b empty columns and returns, for each, where to scan a value and how to append it.
func (b *Block) cells(kinds []proto.ColumnType) (cells []any, push []func(), err error) {
	for i, kind := range kinds {
		c, err := newColumn(kind)
		if err != nil {
			return nil, nil, fmt.Errorf("column %s %s: %w", b.names[i], kind, err)
		}
		cell, f := c.cell()
		if cell == nil {
			return nil, nil, fmt.Errorf("column %s %s: this type cannot be read in blocks over clickhouse://, cast it in the query", b.names[i], kind)
		}
		b.columns[b.names[i]] = c
		cells, push = append(cells, cell), append(push, f)
	}
	return cells, push, nil
}

// cell returns a pointer to scan a value into and a function that appends what it points to; nil for other types.
func (c *column) cell() (any, func()) {
	switch v := c.values.(type) {
	case *text:
		return cellOf(c, v)
	case proto.ColumnOf[string]:
		return cellOf(c, v)
	case proto.ColumnOf[float32]:
		return cellOf(c, v)
	case proto.ColumnOf[float64]:
		return cellOf(c, v)
	case proto.ColumnOf[int8]:
		return cellOf(c, v)
	case proto.ColumnOf[int16]:
		return cellOf(c, v)
	case proto.ColumnOf[int32]:
		return cellOf(c, v)
	case proto.ColumnOf[int64]:
		return cellOf(c, v)
	case proto.ColumnOf[uint8]:
		return cellOf(c, v)
	case proto.ColumnOf[uint16]:
		return cellOf(c, v)
	case proto.ColumnOf[uint32]:
		return cellOf(c, v)
	case proto.ColumnOf[uint64]:
		return cellOf(c, v)
	case proto.ColumnOf[bool]:
		return cellOf(c, v)
	case proto.ColumnOf[time.Time]:
		return cellOf(c, v)
	}
	return nil, nil
}

func cellOf[T any](c *column, values interface{ Append(T) }) (any, func()) {
	if c.nulls == nil {
		cell := new(T)
		return cell, func() { values.Append(*cell) }
	}
	cell := new(*T)
	return cell, func() {
		var x T
		null := uint8(1)
		if *cell != nil {
			x, null = **cell, 0
		}
		c.nulls.Append(null)
		values.Append(x)
	}
}
