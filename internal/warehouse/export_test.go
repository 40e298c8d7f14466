package warehouse

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"

	"github.com/ClickHouse/ch-go/proto"
)

// ScanBlocks is Blocks as clickhouse:// does it, over any connection.
func (w *Warehouse) ScanBlocks(ctx context.Context, query string) iter.Seq2[*Block, error] {
	native := &Warehouse{conn: w.conn, native: true}
	return native.Blocks(ctx, query, nil)
}

// MigrateWith is Migrate with other migrations.
func (w *Warehouse) MigrateWith(ctx context.Context, files fs.FS) ([]string, error) {
	return w.migrate(ctx, files)
}

// Decode decodes blocks to the end.
func Decode(r io.Reader) (rows int, err error) {
	reader := proto.NewReader(r)
	for {
		b, err := decodeBlock(reader)
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return rows, err
		}
		rows += b.Rows()
	}
}
