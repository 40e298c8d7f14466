package warehouse

import (
	"context"
	"fmt"
)

// DieCommitting commits as far as a process gets that is killed in between: of the moves of partitions the first n are done, of the next one
// only the rows that part selects have arrived, as after a kill between two parts. The import then belongs to a process that is gone.
func (s *Staging) DieCommitting(ctx context.Context, n int, part string) error {
	if err := s.flush(); err != nil {
		return err
	}
	release, err := s.w.lockSource(ctx, s.source.Name, s.id)
	if err != nil {
		return err
	}
	if err := s.stamp(ctx); err != nil {
		return err
	}
	if err := s.decide(ctx); err != nil {
		return err
	}
	if err := s.build(ctx); err != nil {
		return err
	}
	if err := s.commitPoint(ctx, ImportCounts{}); err != nil {
		return err
	}
	for _, m := range s.w.importMoves(s.id, s.source) {
		ids, err := s.w.partitions(ctx, m.from)
		if err != nil {
			return err
		}
		for _, id := range ids {
			switch {
			case n > 0:
				// The files of a moved partition come back when its process dies before they are cleared: attach, not move.
				err = s.w.Conn().Exec(ctx, fmt.Sprintf("ALTER TABLE %s ATTACH PARTITION ID '%s' FROM %s", m.to, id, m.from))
			case n == 0:
				err = s.w.Conn().Exec(ctx, fmt.Sprintf("INSERT INTO %s SELECT * FROM %s WHERE _partition_id = '%s' AND %s", m.to, m.from, id, part))
			}
			if err != nil {
				return err
			}
			n--
		}
	}
	if err := release(ctx); err != nil {
		return err
	}
	return s.Die(ctx)
}

// Die leaves the import as a killed process does.
func (s *Staging) Die(ctx context.Context) error {
	s.journal.stop()
	s.journal.beats.Wait()
	s.journal.owner = processNameOf(1 << 30)
	return s.journal.write(ctx, "")
}

// LockFor takes the lock of a source in the name of a process that is gone.
func (w *Warehouse) LockForDead(ctx context.Context, source string) error {
	return w.Conn().Exec(ctx, fmt.Sprintf("CREATE TABLE %s%s (id String) ENGINE = Memory COMMENT 'gone %s'", lockPrefix, source, processNameOf(1<<30)))
}
