package warehouse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// ErrNoKey says that no key has that id.
var ErrNoKey = errors.New("warehouse: no such key")

// KeyRow is what is kept of an API key: everything but its secret.
type KeyRow struct {
	ID        string
	Hash      string // SHA-256 of the secret's 256 random bits, in hex
	Scopes    []string
	Label     string
	CreatedAt time.Time
	ExpiresAt *time.Time // nil never
	RevokedAt *time.Time // nil not revoked; PutKey ignores it
}

// PutKey stores a new key. Ids are random, so an id that is there already is the same key, and stays one row.
func (w *Warehouse) PutKey(ctx context.Context, k KeyRow) error {
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": "key " + k.ID}))
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO keys (id, hash, scopes, label, created_at, expires_at)`)
	if err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	if err := batch.Append(k.ID, k.Hash, k.Scopes, k.Label, k.CreatedAt, k.ExpiresAt); err != nil {
		return fmt.Errorf("write key: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("write key: %w", err)
	}
	return nil
}

// Keys lists all keys, expired and revoked ones too, oldest first.
func (w *Warehouse) Keys(ctx context.Context) (list []KeyRow, err error) {
	rows, err := w.Conn().Query(ctx, `SELECT id, hash, scopes, label, created_at, expires_at, revoked_at
		FROM keys
		LEFT JOIN (SELECT id, min(at) AS revoked_at FROM key_revocations GROUP BY id) AS revoked USING (id)
		ORDER BY created_at, id
		SETTINGS join_use_nulls = 1`)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var k KeyRow
		if err := rows.Scan(&k.ID, &k.Hash, &k.Scopes, &k.Label, &k.CreatedAt, &k.ExpiresAt, &k.RevokedAt); err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		list = append(list, k)
	}
	return list, rows.Err()
}

// RevokeKey kills a key for good; its first revocation counts. Errors: ErrNoKey.
func (w *Warehouse) RevokeKey(ctx context.Context, id string, at time.Time) error {
	var held uint64
	if err := w.Conn().QueryRow(ctx, `SELECT count() FROM keys WHERE id = {id:String}`, clickhouse.Named("id", id)).Scan(&held); err != nil {
		return fmt.Errorf("find key: %w", err)
	}
	if held == 0 {
		return fmt.Errorf("revoke key %q: %w", id, ErrNoKey)
	}
	batch, err := w.Conn().PrepareBatch(ctx, `INSERT INTO key_revocations (id, at)`)
	if err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	if err := batch.Append(id, at); err != nil {
		return fmt.Errorf("revoke key: %w", errors.Join(err, batch.Abort()))
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("revoke key: %w", err)
	}
	return nil
}
