package training

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"retain/features"
	"retain/internal/warehouse"
)

// shelf is the snapshots that trainings have left in the warehouse: raw features of everyone eligible at a cutoff, under the hash of everything that
// decides them. A training on the same rows takes them from there.
type shelf struct {
	store       *features.Store
	fingerprint string                           // of the definitions
	stored      map[string]warehouse.SnapshotRow // by id
	digest      map[int64]string                 // of the rows known at a cutoff (Unix milliseconds) when the training began
	fresh       []*keptSnapshot                  // computed by this training
	used        []string                         // ids that this training has taken or put
}

// openShelf looks at what is stored under the panel's resolved definitions, and at the rows known at the cutoffs.
func openShelf(ctx context.Context, p *storePanel, cutoffs []time.Time) (s *shelf, err error) {
	s = &shelf{store: p.store, fingerprint: shelfFingerprint(p), stored: map[string]warehouse.SnapshotRow{}, digest: map[int64]string{}}
	rows, err := p.store.DB.FindSnapshots(ctx, s.fingerprint)
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		s.stored[r.ID] = r
	}
	return s, s.look(ctx, cutoffs)
}

// look remembers the digests of the rows known at the cutoffs.
func (s *shelf) look(ctx context.Context, cutoffs []time.Time) error {
	digests, err := s.store.InputDigests(ctx, cutoffs)
	if err != nil {
		return err
	}
	for i, t := range cutoffs {
		s.digest[t.UnixMilli()] = digests[i]
	}
	return nil
}

// shelfFingerprint is the hash of everything but cutoff and rows that decides a snapshot: the definitions, who is eligible, the bindings and this program.
// Horizon and gap are not among it: they decide labels, which are always read anew.
func shelfFingerprint(p *storePanel) string {
	type column struct {
		Name, Definition string
		Kind             features.Kind
		Monotone         int
	}
	var columns []column
	for _, e := range p.catalogue.Entries {
		columns = append(columns, column{e.Name, e.Definition(), e.Kind(), e.Monotone})
	}
	eligible := p.churn
	eligible.HorizonDays, eligible.GapDays, eligible.DataUntil = 0, 0, nil
	text, err := json.Marshal([]any{"training snapshot 1", features.Revision(), p.grid.Renewal(), columns, eligible, p.store.Sources})
	if err != nil {
		panic(err) // plain texts and numbers always marshal
	}
	sum := sha256.Sum256(text)
	return warehouse.TrainingSnapshots + hex.EncodeToString(sum[:])
}

func (s *shelf) id(ctx context.Context, cutoff time.Time) (string, error) {
	digest, ok := s.digest[cutoff.UnixMilli()]
	if !ok {
		if err := s.look(ctx, []time.Time{cutoff}); err != nil {
			return "", err
		}
		digest = s.digest[cutoff.UnixMilli()]
	}
	sum := sha256.Sum256([]byte(cutoff.UTC().Format(time.RFC3339Nano) + "\n" + s.fingerprint + "\n" + digest))
	return hex.EncodeToString(sum[:])[:32], nil
}

// take reads the stored snapshot of the cutoff. Errors: warehouse.ErrNoSnapshot, features.ErrDamaged, or of the warehouse.
func (s *shelf) take(ctx context.Context, cutoff time.Time) (*keptSnapshot, error) {
	id, err := s.id(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	row, ok := s.stored[id]
	if !ok {
		return nil, warehouse.ErrNoSnapshot
	}
	packed, err := s.store.LoadPacked(ctx, row, 1, 0)
	if err != nil {
		return nil, err
	}
	customers := packed.Texts[0]
	population, err := s.store.RestoreEligible(ctx, cutoff, customers)
	if err != nil {
		return nil, err
	}
	s.used = append(s.used, id)
	return &keptSnapshot{population: population, snapshot: &features.Snapshot{Cutoff: population.Cutoff, Customer: customers, X: packed.X}}, nil
}

// put stores what was computed, as far as the rows known at its cutoff are still those of the beginning, and prunes.
func (s *shelf) put(ctx context.Context) error {
	if len(s.fresh) == 0 {
		return nil
	}
	cutoffs := make([]time.Time, len(s.fresh))
	for i, k := range s.fresh {
		cutoffs[i] = k.snapshot.Cutoff
	}
	now, err := s.store.InputDigests(ctx, cutoffs)
	if err != nil {
		return err
	}
	for i, k := range s.fresh {
		if now[i] != s.digest[cutoffs[i].UnixMilli()] {
			continue // rows have come in while it was computed
		}
		id, err := s.id(ctx, cutoffs[i])
		if err != nil {
			return err
		}
		row := warehouse.SnapshotRow{ID: id, Cutoff: cutoffs[i], Fingerprint: s.fingerprint, Input: now[i], Customers: uint64(len(k.snapshot.Customer)),
			Eligible: uint64(len(k.snapshot.Customer)), CreatedAt: time.Now().UTC().Truncate(time.Microsecond)}
		if _, err := s.store.PutPacked(ctx, row, &features.Packed{Texts: [][]string{k.snapshot.Customer}, X: k.snapshot.X}); err != nil {
			return fmt.Errorf("keep the snapshot at %s: %w", day(cutoffs[i]), err)
		}
		s.used = append(s.used, id)
	}
	s.fresh = nil
	return s.store.DB.PruneTrainingSnapshots(ctx, s.used)
}
