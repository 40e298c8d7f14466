package warehouse

import (
	"context"
	"fmt"
)

// How much one statement looks at: sets and sorts stay below 100 MB, whatever the size of the import and of the history.
const (
	decideKeys = 1_000_000 // keys of a slice; each slice reads the hashes of all history once
	judgeRows  = 250_000   // versions that are sorted at once
	joinRows   = 1 << 18   // staged rows that are joined with their verdicts
)

// What becomes of a staged row. A row without verdict is a new event: it goes to the source.
const (
	verdictDrop  = 1 // the version is held already
	verdictFix   = 2 // a further version of an event: to the fixes
	verdictFirst = 3 // the first of several versions: to the source and to the fixes
)

// decide tells what each staged row is. It fills these tables of the import:
//
//	keys      line, event_hash, row_hash, ingested_at and own time of every staged row
//	held      the same of the versions that the source holds of these events
//	verdict   line, action of the rows that are not simply new events
//	seed      event_hash of held events that get their second version
//
// All but the first are empty when the file brings only new events. Work goes by slices of the keys (hash modulo slices).
func (s *Staging) decide(ctx context.Context) error {
	slices := s.slices()
	ddl := []string{
		"CREATE TABLE %s (hash UInt64) ENGINE = MergeTree ORDER BY hash", "repeated",
		"CREATE TABLE %s (line UInt64, event_hash UInt64) ENGINE = MergeTree ORDER BY line", "ordinal",
		fmt.Sprintf("CREATE TABLE %%s (line UInt64, event_hash UInt64, row_hash UInt64, ingested_at Int64, own Int64) ENGINE = MergeTree ORDER BY event_hash PARTITION BY event_hash %%%% %d", slices), "keys",
		"CREATE TABLE %s (event_hash UInt64, row_hash UInt64, ingested_at Int64, own Int64, imported_at Int64, fixed UInt8) ENGINE = MergeTree ORDER BY event_hash", "held",
		"CREATE TABLE %s (line UInt64, action UInt8) ENGINE = MergeTree ORDER BY line", "verdict",
		"CREATE TABLE %s (event_hash UInt64) ENGINE = MergeTree ORDER BY event_hash", "seed",
	}
	for i := 0; i < len(ddl); i += 2 {
		if err := s.exec(ctx, fmt.Sprintf(ddl[i], s.table(ddl[i+1]))); err != nil {
			return fmt.Errorf("create the tables of the import: %w", err)
		}
	}
	if err := s.decideIdentity(ctx, slices); err != nil {
		return err
	}
	if err := s.readHeld(ctx, slices); err != nil {
		return err
	}
	for slice := range slices {
		if err := s.judge(ctx, slice, slices); err != nil {
			return err
		}
	}
	return nil
}

// slices is the number of slices of the keys, at least one.
func (s *Staging) slices() uint64 {
	return max((s.rows+decideKeys-1)/decideKeys, 1)
}

// decideIdentity gives every staged row its event hash: the id's, or the content's with the ordinal among equal rows of the file.
func (s *Staging) decideIdentity(ctx context.Context, slices uint64) error {
	if s.source.Repeats {
		for slice := range slices {
			err := s.exec(ctx, fmt.Sprintf(`INSERT INTO %s
				SELECT id_hash FROM %s
				WHERE id_hash != 0 AND id_hash %% %d = %d
				GROUP BY id_hash
				HAVING count() > 1`, s.table("repeated"), s.table("stage"), slices, slice))
			if err != nil {
				return fmt.Errorf("find ids that repeat in the file: %w", err)
			}
		}
	}
	if s.source.ID != nil {
		for slice := range slices {
			// Equal rows have equal ids, so a slice by id, else by content, keeps them together.
			err := s.exec(ctx, fmt.Sprintf(`INSERT INTO %[1]s
				SELECT line, if(n = 1, row_hash, cityHash64(row_hash, toUInt64(n)))
				FROM (
					SELECT line, id_hash, row_hash, row_number() OVER (PARTITION BY row_hash ORDER BY line) AS n
					FROM %[2]s
					WHERE id_hash = 0 AND row_hash %% %[4]d = %[5]d AND row_hash IN (
							SELECT row_hash FROM %[2]s WHERE id_hash = 0 AND row_hash %% %[4]d = %[5]d GROUP BY row_hash HAVING count() > 1)
						OR id_hash != 0 AND id_hash %% %[4]d = %[5]d AND id_hash IN (
							SELECT hash FROM %[3]s WHERE hash %% %[4]d = %[5]d)
				)
				WHERE n > 1 OR id_hash != 0`, s.table("ordinal"), s.table("stage"), s.table("repeated"), slices, slice))
			if err != nil {
				return fmt.Errorf("number the equal rows of the file: %w", err)
			}
		}
	}
	ordinals, err := s.count(ctx, "SELECT count() FROM "+s.table("ordinal"))
	if err != nil {
		return fmt.Errorf("count the equal rows of the file: %w", err)
	}
	if ordinals == 0 {
		err := s.exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT line, %s, row_hash, ingested_at, %s FROM %s", s.table("keys"), plainHash, s.source.Time, s.table("stage")))
		if err != nil {
			return fmt.Errorf("identify the rows: %w", err)
		}
		return nil
	}
	return s.chunks(func(lines string) error {
		err := s.exec(ctx, fmt.Sprintf(`INSERT INTO %s
			SELECT s.line, if(o.event_hash != 0, o.event_hash, %s), s.row_hash, s.ingested_at, s.own
			FROM (SELECT line, id_hash, row_hash, ingested_at, %s AS own FROM %s WHERE %s) AS s
			LEFT ANY JOIN (SELECT line, event_hash FROM %s WHERE %[5]s) AS o ON s.line = o.line`,
			s.table("keys"), plainHash, s.source.Time, s.table("stage"), lines, s.table("ordinal")))
		if err != nil {
			return fmt.Errorf("identify the rows: %w", err)
		}
		return nil
	})
}

// plainHash is the event hash of a row that stands alone.
const plainHash = "if(id_hash = 0, row_hash, id_hash)"

// chunks calls do with conditions that cut the staged rows into ranges of lines, for joins by line.
func (s *Staging) chunks(do func(lines string) error) error {
	for from := uint64(0); from < s.rows; from += joinRows {
		if err := do(fmt.Sprintf("line >= %d AND line < %d", from, from+joinRows)); err != nil {
			return err
		}
	}
	return nil
}

// readHeld collects the versions that are held of the staged events: the anti-join over all history, by slices of the staged keys, so that the history is only streamed.
func (s *Staging) readHeld(ctx context.Context, slices uint64) error {
	tables := []string{s.source.Name}
	if !s.source.Versions {
		tables = append(tables, s.source.Name+"_fixes")
	}
	for fixed, table := range tables {
		rows, err := s.count(ctx, "SELECT count() FROM "+table)
		if err != nil {
			return fmt.Errorf("count the rows of %s: %w", table, err)
		}
		for slice := uint64(0); slice < slices && rows > 0; slice++ {
			err := s.exec(ctx, fmt.Sprintf(`INSERT INTO %s
				SELECT event_hash, row_hash, toUnixTimestamp64Milli(ingested_at), ifNull(toUnixTimestamp64Milli(%s), %d), toUnixTimestamp64Milli(imported_at), %d
				FROM %s
				WHERE event_hash %% %d = %d AND event_hash IN (SELECT event_hash FROM %s WHERE _partition_id = '%[7]d')`,
				s.table("held"), s.source.Time, int64(ImportNull), fixed, table, slices, slice, s.table("keys")))
			if err != nil {
				return fmt.Errorf("look for known events in %s: %w", table, err)
			}
		}
	}
	return nil
}

// judge decides the rows of one slice. Among the versions of an event, in the order of knowledge time and then of import, a staged one is known already if the same
// content with the same knowledge time is held (or stands above it in the file), or if it only repeats the version before it.
func (s *Staging) judge(ctx context.Context, slice, slices uint64) error {
	version := "cityHash64(event_hash, row_hash, ingested_at)"
	known := fmt.Sprintf(`INSERT INTO %s
		SELECT line, %d FROM %s
		WHERE _partition_id = '%d' AND %[5]s IN (SELECT %[5]s FROM %[6]s WHERE event_hash %% %[7]d = %[4]d)`,
		s.table("verdict"), verdictDrop, s.table("keys"), slice, version, s.table("held"), slices)
	// What is left of the slice, and of it the events that are held or stand in it more than once; for most files there are none.
	left := fmt.Sprintf(`SELECT line, event_hash, row_hash, ingested_at, own FROM %s
		WHERE _partition_id = '%d' AND %s NOT IN (SELECT %[3]s FROM %[4]s WHERE event_hash %% %[5]d = %[2]d)`,
		s.table("keys"), slice, version, s.table("held"), slices)
	touched := fmt.Sprintf(`INSERT INTO %s
		SELECT event_hash, count() FROM (%s)
		GROUP BY event_hash
		HAVING count() > 1 OR event_hash IN (SELECT event_hash FROM %s WHERE event_hash %% %d = %d)
		SETTINGS optimize_aggregation_in_order = 1`, // keys are sorted by event_hash, so nothing is held in memory
		s.table("touched"), left, s.table("held"), slices, slice)
	for _, statement := range []string{known,
		fmt.Sprintf("CREATE TABLE %s (event_hash UInt64, staged UInt64) ENGINE = MergeTree ORDER BY event_hash", s.table("touched")), touched} {
		if err := s.exec(ctx, statement); err != nil {
			return fmt.Errorf("look for known events: %w", err)
		}
	}
	n, err := s.count(ctx, "SELECT sum(staged) FROM "+s.table("touched"))
	if err != nil {
		return fmt.Errorf("look for known events: %w", err)
	}
	parts := n/judgeRows + 1
	for part := uint64(0); part < parts && n > 0; part++ {
		if err := s.rank(ctx, left, fmt.Sprintf("intDiv(event_hash, %d) %% %d = %d", slices, parts, part)); err != nil {
			return fmt.Errorf("tell corrections from known events: %w", err)
		}
	}
	if err := s.exec(ctx, "DROP TABLE "+s.table("touched")+" SYNC"); err != nil {
		return fmt.Errorf("look for known events: %w", err)
	}
	return nil
}

// rank orders the versions of the touched events that fulfil among, the staged ones in left and the held ones, and writes what becomes of the former.
func (s *Staging) rank(ctx context.Context, left, among string) error {
	touched := fmt.Sprintf("SELECT event_hash FROM %s WHERE %s", s.table("touched"), among)
	// One row per version: line -1 is held, several equal ones in the file are the first of them.
	versions := fmt.Sprintf(`SELECT event_hash, row_hash, ingested_at, any(own) AS own, min(imported_at) AS imported_at, toInt64(-1) AS line, max(fixed) AS fixed
		FROM %s
		WHERE event_hash IN (%s)
		GROUP BY event_hash, row_hash, ingested_at
		UNION ALL
		SELECT event_hash, row_hash, ingested_at, any(own), toInt64(9223372036854775807), min(toInt64(line)), 0
		FROM (%s)
		WHERE event_hash IN (%[2]s)
		GROUP BY event_hash, row_hash, ingested_at`, s.table("held"), touched, left)
	// In the order in which readers prefer them (features: the greatest holds), a version that repeats the one before it says nothing new.
	told := fmt.Sprintf(`SELECT event_hash, row_hash, line, fixed, ingested_at, imported_at, own,
			line >= 0 AND lagInFrame(row_hash, 1, toUInt64(0)) OVER (PARTITION BY event_hash ORDER BY ingested_at, imported_at, own, row_hash
				ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) = row_hash AS repeats
		FROM (%s)`, versions)
	kept := fmt.Sprintf(`SELECT event_hash, line,
			row_number() OVER (PARTITION BY event_hash ORDER BY ingested_at, imported_at, own, row_hash) AS place,
			count() OVER (PARTITION BY event_hash) AS versions,
			min(line) OVER (PARTITION BY event_hash) < 0 AS is_held,
			max(fixed) OVER (PARTITION BY event_hash) AS is_fixed
		FROM (%s)
		WHERE NOT repeats`, told)
	statements := []string{
		"CREATE TABLE " + s.table("kept") + " (event_hash UInt64, line Int64, place UInt64, versions UInt64, is_held UInt8, is_fixed UInt8) ENGINE = MergeTree ORDER BY line",
		fmt.Sprintf("INSERT INTO %s %s", s.table("kept"), kept),
		fmt.Sprintf(`INSERT INTO %s
			SELECT line, %d FROM (%s)
			WHERE event_hash IN (%s) AND toInt64(line) NOT IN (SELECT line FROM %s)`,
			s.table("verdict"), verdictDrop, left, touched, s.table("kept")),
	}
	if !s.source.Versions {
		statements = append(statements, fmt.Sprintf(`INSERT INTO %s
			SELECT line, if(is_held OR place > 1, %d, %d) FROM %s
			WHERE line >= 0 AND (is_held OR versions > 1)`, s.table("verdict"), verdictFix, verdictFirst, s.table("kept")),
			fmt.Sprintf(`INSERT INTO %s
			SELECT DISTINCT event_hash FROM %s
			WHERE line >= 0 AND is_held AND NOT is_fixed`, s.table("seed"), s.table("kept")))
	}
	for _, statement := range append(statements, "DROP TABLE "+s.table("kept")+" SYNC") {
		if err := s.exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
