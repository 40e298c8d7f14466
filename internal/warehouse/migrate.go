package warehouse

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"retain/internal/chdb"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migration is one step of the schema. Every statement of it can be repeated (IF NOT EXISTS and the like), because two
// processes may run it at once and because one that was killed in the middle runs it again; ClickHouse has no
// transactions for this.
type migration struct {
	name     string // of the file, without .sql; migrations run in the order of names
	checksum string // SHA-256 of the file in hex
	sql      string
}

// migrations reads the steps that this program knows.
func migrations(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	steps := make([]migration, len(names))
	for i, path := range names {
		b, err := fs.ReadFile(files, path)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(b)
		name := strings.TrimSuffix(strings.TrimPrefix(path, "migrations/"), ".sql")
		steps[i] = migration{name: name, checksum: hex.EncodeToString(sum[:]), sql: string(b)}
	}
	return steps, nil
}

// recordTable is created by the migrator itself, before any migration.
const recordTable = `CREATE TABLE IF NOT EXISTS migrations (
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC')
) ENGINE = MergeTree ORDER BY name
SETTINGS non_replicated_deduplication_window = 1000`

// SchemaError tells that the schema in the warehouse and the one of this program cannot be brought together.
type SchemaError struct {
	Database  string
	Migration string // the one in question
	Newer     bool   // the warehouse has it and this program does not know it; else it was edited after it had been applied
}

func (e *SchemaError) Error() string {
	if e.Newer {
		return fmt.Sprintf("the warehouse's database %s was written by a newer retain (it has migration %s): upgrade this one", e.Database, e.Migration)
	}
	return fmt.Sprintf("migration %s is not the one that was applied to database %s: it was edited afterwards; put the change into a new migration", e.Migration, e.Database)
}

// Migrate creates the database when it is missing and applies the migrations that it lacks, in order. It returns the
// names of those applied now. It can be run again, and by several processes at once. Errors: *SchemaError, and what
// ClickHouse says about a statement.
func (w *Warehouse) Migrate(ctx context.Context) ([]string, error) {
	return w.migrate(ctx, migrationFiles)
}

func (w *Warehouse) migrate(ctx context.Context, files fs.FS) ([]string, error) {
	steps, err := migrations(files)
	if err != nil {
		return nil, err
	}
	if err := w.createDatabase(ctx); err != nil {
		return nil, err
	}
	if err := w.conn.Exec(ctx, recordTable); err != nil {
		return nil, fmt.Errorf("create the table migrations: %w", err)
	}
	lacking, err := w.lacking(ctx, steps)
	if err != nil {
		return nil, err
	}
	var applied []string
	for _, m := range lacking {
		if err := w.apply(ctx, m); err != nil {
			return applied, err
		}
		applied = append(applied, m.name)
	}
	return applied, nil
}

// createDatabase goes through another connection: one that names a missing database as its default cannot do anything.
func (w *Warehouse) createDatabase(ctx context.Context) error {
	conn, err := w.settings.open("default")
	if err != nil {
		return err
	}
	err = conn.Exec(ctx, "CREATE DATABASE IF NOT EXISTS "+identifier(w.database))
	if err := errors.Join(err, conn.Close()); err != nil {
		return fmt.Errorf("create the database %s: %w", w.database, err)
	}
	return nil
}

// lacking returns the steps that the warehouse has no record of.
func (w *Warehouse) lacking(ctx context.Context, steps []migration) ([]migration, error) {
	recorded, err := w.recorded(ctx)
	if err != nil {
		return nil, err
	}
	var lacking []migration
	for _, m := range steps {
		sums, known := recorded[m.name]
		delete(recorded, m.name)
		switch {
		case !known:
			lacking = append(lacking, m)
		case !slices.Equal(sums, []string{m.checksum}):
			return nil, &SchemaError{Database: w.database, Migration: m.name}
		}
	}
	if len(recorded) > 0 {
		return nil, &SchemaError{Database: w.database, Migration: slices.Min(slices.Collect(maps.Keys(recorded))), Newer: true}
	}
	return lacking, nil
}

// recorded returns the checksums of each migration that was applied: one, unless two programs differ about it.
func (w *Warehouse) recorded(ctx context.Context) (map[string][]string, error) {
	rows, err := w.conn.Query(ctx, "SELECT name, groupUniqArray(checksum) FROM migrations GROUP BY name")
	if err != nil {
		return nil, fmt.Errorf("read the table migrations: %w", err)
	}
	defer rows.Close()
	recorded := map[string][]string{}
	for rows.Next() {
		var name string
		var sums []string
		if err := rows.Scan(&name, &sums); err != nil {
			return nil, fmt.Errorf("read the table migrations: %w", err)
		}
		recorded[name] = sums
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read the table migrations: %w", err)
	}
	return recorded, nil
}

// apply runs one step and records it.
func (w *Warehouse) apply(ctx context.Context, m migration) error {
	for _, sql := range chdb.Statements(m.sql) {
		if err := w.conn.Exec(ctx, sql); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	// The token makes one row of two processes' records.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": m.name + " " + m.checksum}))
	batch, err := w.conn.PrepareBatch(ctx, "INSERT INTO migrations (name, checksum, applied_at)")
	if err != nil {
		return fmt.Errorf("record migration %s: %w", m.name, err)
	}
	if err := batch.Append(m.name, m.checksum, time.Now()); err != nil {
		return fmt.Errorf("record migration %s: %w", m.name, err)
	}
	if err := batch.Send(); err != nil {
		return fmt.Errorf("record migration %s: %w", m.name, err)
	}
	w.log.InfoContext(ctx, "migration applied", "migration", m.name, "database", w.database)
	return nil
}

// checkSchema is for who must not change anything: ErrNoWarehouse without a schema, an error naming `retain migrate`
// when it lags behind.
func (w *Warehouse) checkSchema(ctx context.Context) error {
	steps, err := migrations(migrationFiles)
	if err != nil {
		return err
	}
	lacking, err := w.lacking(ctx, steps)
	var exception *clickhouse.Exception
	switch {
	case errors.As(err, &exception) && (exception.Code == unknownTable || exception.Code == unknownDatabase):
		return fmt.Errorf("%w: database %s has no schema of retain; `retain migrate` creates it", ErrNoWarehouse, w.database)
	case err != nil:
		return err
	case len(lacking) == len(steps):
		return fmt.Errorf("%w: database %s has no schema of retain; `retain migrate` creates it", ErrNoWarehouse, w.database)
	case len(lacking) > 0:
		return fmt.Errorf("%w: database %s lacks migration %s: run `retain migrate`", ErrSchemaBehind, w.database, lacking[0].name)
	}
	return nil
}

// ErrSchemaBehind tells that a server's schema lacks migrations that this program knows.
var ErrSchemaBehind = errors.New("the schema is behind")

// Codes of ClickHouse's exceptions (ErrorCodes.cpp).
const (
	unknownTable    = 60
	unknownDatabase = 81
)

// identifier quotes a name for SQL.
func identifier(name string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(name) + "`"
}
