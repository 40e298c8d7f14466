package warehouse_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"retain/internal/warehouse"
	"retain/internal/warehouse/warehousetest"
)

func file(sql string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(sql)} }

func TestMigrateAddsWhatIsLacking(t *testing.T) {
	w := warehousetest.Open(t)
	own, err := w.WithDatabase(t.Context(), w.Database()+"_b")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	defer w.Conn().Exec(t.Context(), "DROP DATABASE "+own.Database())
	if err := own.Conn().Exec(t.Context(), "TRUNCATE TABLE migrations"); err != nil {
		t.Fatal(err)
	}
	files := fstest.MapFS{
		"migrations/0002_b.sql": file("ALTER TABLE mine ADD COLUMN IF NOT EXISTS y String DEFAULT 'a;b'; -- ends; here\n"),
		"migrations/0001_a.sql": file("-- first\nCREATE TABLE IF NOT EXISTS mine (x UInt8) ENGINE = MergeTree ORDER BY x;\nCREATE TABLE IF NOT EXISTS mine_too AS mine;\n"),
	}
	if applied, err := own.MigrateWith(t.Context(), files); err != nil || !slices.Equal(applied, []string{"0001_a", "0002_b"}) {
		t.Errorf("applied %q: %v", applied, err)
	}
	if applied, err := own.MigrateWith(t.Context(), files); err != nil || len(applied) != 0 {
		t.Errorf("a second time applied %q: %v", applied, err)
	}
	files["migrations/0003_c.sql"] = file("CREATE TABLE IF NOT EXISTS more AS mine")
	if applied, err := own.MigrateWith(t.Context(), files); err != nil || !slices.Equal(applied, []string{"0003_c"}) {
		t.Errorf("a new one: applied %q: %v", applied, err)
	}

	var schema *warehouse.SchemaError
	files["migrations/0001_a.sql"] = file("CREATE TABLE IF NOT EXISTS mine (x UInt16) ENGINE = MergeTree ORDER BY x")
	if _, err := own.MigrateWith(t.Context(), files); !errors.As(err, &schema) || schema.Newer || schema.Migration != "0001_a" {
		t.Errorf("an edited migration: %v", err)
	}
	delete(files, "migrations/0001_a.sql")
	if _, err := own.MigrateWith(t.Context(), files); !errors.As(err, &schema) || !schema.Newer || !strings.Contains(err.Error(), "upgrade") {
		t.Errorf("a newer warehouse: %v", err)
	}
	files = fstest.MapFS{"migrations/0001_a.sql": file("CREATE TABLE broken (x Nope)")}
	if err := own.Conn().Exec(t.Context(), "TRUNCATE TABLE migrations"); err != nil {
		t.Fatal(err)
	}
	if _, err := own.MigrateWith(t.Context(), files); err == nil || !strings.Contains(err.Error(), "0001_a") {
		t.Errorf("a broken migration: %v", err)
	}
	if n, err := count(t.Context(), own, "SELECT count() FROM migrations"); err != nil || n != 0 {
		t.Errorf("a broken migration was recorded: %v", err)
	}
}

// TestManyMigratorsAtOnce is what happens when several clients of one server start together.
func TestManyMigratorsAtOnce(t *testing.T) {
	w := warehousetest.Open(t)
	name := w.Database() + "_b"
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			own, err := w.WithDatabase(t.Context(), name)
			if err != nil {
				t.Error(err)
				return
			}
			if err := own.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	defer w.Conn().Exec(t.Context(), "DROP DATABASE "+name)
	if n, err := count(t.Context(), w, "SELECT toUInt64(count() - uniqExact(name)) FROM "+name+".migrations"); err != nil || n != 0 {
		t.Errorf("%d migrations are recorded twice: %v", n, err)
	}
	if applied, err := w.Migrate(t.Context()); err != nil || len(applied) != 0 {
		t.Errorf("afterwards applied %q: %v", applied, err)
	}
}
