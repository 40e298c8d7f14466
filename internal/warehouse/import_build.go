package warehouse

import (
	"context"
	"fmt"
	"strings"
)

// build writes the rows that become visible, in the source's own form and partitions, into the tables "new" and "fixes" of the import.
func (s *Staging) build(ctx context.Context) error {
	exceptions, err := s.count(ctx, fmt.Sprintf("SELECT (SELECT count() FROM %s) + (SELECT count() FROM %s)", s.table("verdict"), s.table("ordinal")))
	if err != nil {
		return fmt.Errorf("count the known rows: %w", err)
	}
	err = s.exec(ctx, fmt.Sprintf("CREATE TABLE %s AS %s", s.table("new"), s.source.Name))
	if err == nil && !s.source.Versions {
		err = s.exec(ctx, fmt.Sprintf("CREATE TABLE %s AS %s_fixes", s.table("fixes"), s.source.Name))
	}
	if err != nil {
		return fmt.Errorf("create the tables of the import: %w", err)
	}
	if exceptions == 0 {
		if err := s.exec(ctx, s.insertSQL("new", plainHash, s.table("stage"))); err != nil {
			return fmt.Errorf("write the new rows: %w", err)
		}
		return nil
	}
	if err := s.insertJudged(ctx, "new", fmt.Sprintf("0, %d", verdictFirst)); err != nil {
		return err
	}
	if s.source.Versions {
		return nil
	}
	return s.buildFixes(ctx)
}

// buildFixes writes the further versions of events, and the first ones of those that had only one so far.
func (s *Staging) buildFixes(ctx context.Context) error {
	fixes, err := s.count(ctx, fmt.Sprintf("SELECT countIf(action IN (%d, %d)) FROM %s", verdictFix, verdictFirst, s.table("verdict")))
	if err != nil {
		return fmt.Errorf("count the corrections: %w", err)
	}
	if fixes == 0 {
		return nil
	}
	if err := s.insertJudged(ctx, "fixes", fmt.Sprintf("%d, %d", verdictFix, verdictFirst)); err != nil {
		return err
	}
	slices := s.slices()
	for slice := range slices {
		err := s.exec(ctx, fmt.Sprintf(`INSERT INTO %s
			SELECT * FROM %s
			WHERE event_hash %% %d = %d AND event_hash IN (SELECT event_hash FROM %s WHERE event_hash %% %[3]d = %[4]d)`,
			s.table("fixes"), s.source.Name, slices, slice, s.table("seed")))
		if err != nil {
			return fmt.Errorf("copy the first versions of corrected events: %w", err)
		}
	}
	return nil
}

// insertJudged writes the staged rows whose verdict is one of actions; 0 is a row without verdict.
func (s *Staging) insertJudged(ctx context.Context, part, actions string) error {
	columns := []string{"id_hash", "row_hash", "ingested_at", "ingested_mapped"}
	for _, c := range s.source.Columns {
		columns = append(columns, c.Name)
	}
	for i, c := range columns {
		columns[i] = "s." + c + " AS " + c
	}
	return s.chunks(func(lines string) error {
		from := fmt.Sprintf(`(
			SELECT %[1]s, v.action AS what_becomes, o.event_hash AS ordinal_hash
			FROM (SELECT * FROM %[2]s WHERE %[3]s) AS s
			LEFT ANY JOIN (SELECT line, action FROM %[4]s WHERE %[3]s) AS v ON s.line = v.line
			LEFT ANY JOIN (SELECT line, event_hash FROM %[5]s WHERE %[3]s) AS o ON s.line = o.line)
		WHERE what_becomes IN (%[6]s)`,
			strings.Join(columns, ", "), s.table("stage"), lines, s.table("verdict"), s.table("ordinal"), actions)
		if err := s.exec(ctx, s.insertSQL(part, "if(ordinal_hash != 0, ordinal_hash, "+plainHash+")", from)); err != nil {
			return fmt.Errorf("write the new rows: %w", err)
		}
		return nil
	})
}

// insertSQL turns staged rows into rows of the source.
func (s *Staging) insertSQL(part, eventHash, from string) string {
	var values []string
	for _, c := range s.source.Columns {
		values = append(values, c.expression())
	}
	return fmt.Sprintf(`INSERT INTO %s (%s, ingested_at, ingested_mapped, imported_at, event_hash, row_hash)
		SELECT %s, fromUnixTimestamp64Milli(ingested_at, 'UTC'), ingested_mapped, fromUnixTimestamp64Milli(toInt64(%d), 'UTC'), %s, row_hash
		FROM %s`, s.table(part), s.source.names(), strings.Join(values, ", "), s.journal.importedAt.UnixMilli(), eventHash, from)
}
