package features

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Restore is a population that Store.Population found before and whose customers, statuses and codes were kept: n of each, in its order. Only the
// scratch table is made anew. Close it.
func (s *Store) Restore(ctx context.Context, cutoff time.Time, customer, status, code []string) (p *Population, err error) {
	if len(status) != len(customer) || len(code) != len(customer) {
		return nil, fmt.Errorf("restore population: %d customers, %d statuses, %d codes", len(customer), len(status), len(code))
	}
	p = &Population{Cutoff: cutoff.UTC(), Customer: customer, Status: status, StatusCode: code, store: s}
	for i, id := range customer {
		if status[i] == StatusScored {
			p.eligible = append(p.eligible, id)
		}
	}
	if p.Table, err = s.createScratch(ctx, "eligible", "customer_id String"); err != nil {
		return nil, err
	}
	if err := p.fill(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("restore population: %w", err), p.Close(ctx))
	}
	return p, nil
}

// restoreRows go in one insert.
const restoreRows = 200_000

// fill writes the eligible customers into the scratch table.
func (p *Population) fill(ctx context.Context) error {
	for lo := 0; lo < len(p.eligible); lo += restoreRows {
		batch, err := p.store.DB.Conn().PrepareBatch(ctx, "INSERT INTO "+quoteName(p.Table)+" (customer_id)")
		if err != nil {
			return err
		}
		if err := batch.Column(0).Append(p.eligible[lo:min(lo+restoreRows, len(p.eligible))]); err != nil {
			return errors.Join(err, batch.Abort())
		}
		if err := batch.Send(); err != nil {
			return err
		}
	}
	return nil
}

// RestoreEligible is Restore of a population of which only the eligible customers were kept, sorted by bytes.
func (s *Store) RestoreEligible(ctx context.Context, cutoff time.Time, eligible []string) (*Population, error) {
	return s.Restore(ctx, cutoff, eligible, slices.Repeat([]string{StatusScored}, len(eligible)), make([]string, len(eligible)))
}
