package features

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
)

// spill is the safety net of statements that group all customers: beyond 2 GB of state they go on on disk.
const spill = "max_bytes_before_external_group_by = 2000000000"

// scratchPrefix begins the name of every scratch table: retain_scratch_<unix seconds>_<random>_<what>.
const scratchPrefix = "retain_scratch_"

// leftoverAge is when a scratch table is taken for one that a killed process left behind. No job runs that long.
const leftoverAge = 48 * time.Hour

// createScratch makes an empty table ordered by customer_id under a name of its own. It is a MergeTree and no TEMPORARY table
// because the statements of one job may go through different connections, and it may be larger than memory. On a cluster it stands on the
// one node that the warehouse's URL names.
func (s *Store) createScratch(ctx context.Context, what, columns string) (string, error) {
	name, err := scratchName(what)
	if err != nil {
		return "", err
	}
	if err := s.DB.Conn().Exec(ctx, "CREATE TABLE "+quoteName(name)+" ("+columns+")\nENGINE = MergeTree\nORDER BY customer_id"); err != nil {
		return "", fmt.Errorf("create scratch table: %w", err)
	}
	return name, nil
}

// Materialise keeps what a SELECT yields, which must have a column customer_id, in a scratch table of the SELECT's columns until drop is called: several
// statements then read it in place of computing it. Values of params are in ClickHouse's escaped form.
func (s *Store) Materialise(ctx context.Context, what, query string, params clickhouse.Parameters) (table string, drop func() error, err error) {
	name, err := scratchName(what)
	if err != nil {
		return "", nil, err
	}
	making := ctx
	if len(params) > 0 {
		making = clickhouse.Context(ctx, clickhouse.WithParameters(params))
	}
	if err := s.DB.Conn().Exec(making, "CREATE TABLE "+quoteName(name)+"\nENGINE = MergeTree\nORDER BY customer_id\nAS "+query); err != nil {
		return "", nil, errors.Join(fmt.Errorf("fill scratch table: %w", err), s.dropScratch(ctx, name))
	}
	return quoteName(name), func() error { return s.dropScratch(ctx, name) }, nil
}

// scratchName is a name of its own.
func scratchName(what string) (string, error) {
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return "", err
	}
	return fmt.Sprintf("%s%d_%s_%s", scratchPrefix, time.Now().Unix(), hex.EncodeToString(random[:]), what), nil
}

// dropScratch drops a scratch table, also for a cancelled job.
func (s *Store) dropScratch(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	if err := s.DB.Conn().Exec(ctx, "DROP TABLE IF EXISTS "+quoteName(name)); err != nil {
		return fmt.Errorf("drop scratch table: %w", err)
	}
	return nil
}

// DropLeftovers drops the scratch tables made before an instant: those of processes that were killed. Population does so by
// itself with tables older than two days.
func (s *Store) DropLeftovers(ctx context.Context, before time.Time) error {
	var old []string
	for b, err := range s.DB.Blocks(ctx, "SELECT name\nFROM system.tables\nWHERE database = currentDatabase() AND startsWith(name, "+QuoteText(scratchPrefix)+")\nORDER BY name", nil) {
		if err != nil {
			return fmt.Errorf("list scratch tables: %w", err)
		}
		for _, name := range b.Strings("name") {
			made, _, _ := strings.Cut(strings.TrimPrefix(name, scratchPrefix), "_")
			if seconds, err := strconv.ParseInt(made, 10, 64); err == nil && time.Unix(seconds, 0).Before(before) {
				old = append(old, name)
			}
		}
	}
	for _, name := range old {
		if err := s.dropScratch(ctx, name); err != nil {
			return err
		}
	}
	return nil
}
