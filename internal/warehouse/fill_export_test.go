package warehouse

import "context"

// How far a fill came before its process died.
const (
	FillFed        = iota // nothing decided
	FillCommitting        // it goes through
	FillHalf              // two sources are replaced
	FillExchanged         // all are
)

// Die leaves a fill as a killed process does that came so far: nobody owns it.
func (f *Fill) Die(ctx context.Context, progress int) error {
	if progress >= FillCommitting {
		if err := f.journal.write(ctx, importCommitting); err != nil {
			return err
		}
	}
	switch progress {
	case FillHalf:
		for _, table := range []string{"customers", "usage"} {
			if err := f.w.exchange(ctx, f.id, table); err != nil {
				return err
			}
		}
	case FillExchanged:
		if err := f.w.exchangeFilled(ctx, f.id); err != nil {
			return err
		}
	}
	return f.journal.release(ctx)
}

// Judge tells what becomes of rows, as bits (1 source, 2 fixes), and how many are kept.
func Judge(source ImportSource, b *ImportBatch) (as []uint8, kept uint64) {
	d := &Feed{source: source, hasher: Staging{source: source}}
	for _, name := range source.ID {
		d.hasher.ids = append(d.hasher.ids, source.Column(name))
	}
	kept = d.judge(b)
	return d.as, kept
}
