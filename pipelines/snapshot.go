package pipelines

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"retain/features"
	"retain/internal/warehouse"
	"retain/models"
)

// inputChangedError says that rows known at the cutoff arrived while the snapshot was computed. Another try may see them all.
type inputChangedError struct{ digest string } // of the rows there are now

func (*inputChangedError) Error() string {
	return "rows known at the cutoff arrived while the snapshot was computed"
}

// snapshotTries are made at a snapshot while such rows arrive. Without one scoring computes for itself.
const snapshotTries = 2

// scoringInput is what a scoring run reads at a cutoff: who exists, the features of the eligible before encoding, and their monthly value, both in the order of
// Population.Eligible. Close the population.
type scoringInput struct {
	Population *features.Population
	X          *features.Matrix
	Monthly    []float64
}

// readInput reads the stored snapshot of the cutoff if there is one that serves, else it computes. Both give the same, bit for bit.
func readInput(ctx context.Context, store *features.Store, a *models.Artifact, cutoff time.Time) (*scoringInput, error) {
	in, err := storedInput(ctx, store, a, cutoff)
	if errors.Is(err, warehouse.ErrNoSnapshot) || errors.Is(err, features.ErrDamaged) {
		return computeInput(ctx, store, a, cutoff)
	}
	return in, err
}

// storedInput reads the stored snapshot of the cutoff that is of the same definitions and the same rows; ErrNoSnapshot where there is none.
func storedInput(ctx context.Context, store *features.Store, a *models.Artifact, cutoff time.Time) (*scoringInput, error) {
	row, err := store.DB.FindSnapshot(ctx, cutoff, snapshotFingerprint(a, store.Sources))
	if err != nil {
		return nil, err
	}
	digest, err := store.InputDigest(ctx, cutoff)
	if err != nil {
		return nil, err
	}
	if digest != row.Input {
		return nil, fmt.Errorf("of these rows: %w", warehouse.ErrNoSnapshot)
	}
	return loadInput(ctx, store, row)
}

// computeInput computes population, features and value at the cutoff.
func computeInput(ctx context.Context, store *features.Store, a *models.Artifact, cutoff time.Time) (in *scoringInput, err error) {
	population, err := store.Population(ctx, a.Churn, cutoff)
	if err != nil {
		return nil, fmt.Errorf("find who exists at %s: %w", cutoff.Format(time.RFC3339), err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, population.Close(context.WithoutCancel(ctx)))
		}
	}()
	snapshot, err := store.Snapshot(ctx, a.Catalogue, population)
	if err != nil {
		return nil, fmt.Errorf("compute features: %w", err)
	}
	monthly, err := store.MonthlyValue(ctx, population)
	if err != nil {
		return nil, fmt.Errorf("compute customer value: %w", err)
	}
	return &scoringInput{Population: population, X: snapshot.X, Monthly: monthly}, nil
}

// SnapshotReport is the report of the snapshot job.
type SnapshotReport struct {
	ID        string    `json:"snapshot_id"`
	Cutoff    time.Time `json:"cutoff"`
	Input     string    `json:"input"` // digest of the rows known at the cutoff
	Customers int       `json:"customers"`
	Eligible  int       `json:"eligible"`
	Features  int       `json:"features"`
	Bytes     int64     `json:"bytes"` // before compression
}

// SnapshotWork plans the snapshot of a cutoff for a model: its key is the cutoff, the definitions and the rows known at the cutoff when it is planned. What is
// stored is of one state of the rows: where they never hold still, nothing is, which is no error.
func SnapshotWork(ctx context.Context, store *features.Store, a *models.Artifact, cutoff time.Time) (Work, error) {
	digest, err := store.InputDigest(ctx, cutoff)
	if err != nil {
		return Work{}, err
	}
	fingerprint := snapshotFingerprint(a, store.Sources)
	return Work{Key: cutoff.UTC().Format(time.RFC3339) + " " + snapshotID(cutoff, fingerprint, digest), Cutoff: cutoff, Do: func(ctx context.Context) (Outcome, error) {
		digest := digest
		for range snapshotTries {
			row := warehouse.SnapshotRow{ID: snapshotID(cutoff, fingerprint, digest), Cutoff: cutoff, Fingerprint: fingerprint, Input: digest}
			report, err := takeSnapshot(ctx, store, a, cutoff, row)
			var changed *inputChangedError
			if errors.As(err, &changed) {
				digest = changed.digest
				continue
			}
			if err != nil {
				return Outcome{}, err
			}
			return Outcome{Rows: int64(report.Eligible), Report: report,
				Message: fmt.Sprintf("%d of %d customers, %d features", report.Eligible, report.Customers, report.Features)}, nil
		}
		return Outcome{Message: "nothing is kept, as rows known at the cutoff keep arriving; scoring computes for itself"}, nil
	}}, nil
}

func snapshotID(cutoff time.Time, fingerprint, digest string) string {
	h := sha256.New()
	for _, text := range []string{cutoff.UTC().Format(time.RFC3339Nano), fingerprint, digest} {
		hashText(h, text)
	}
	return hex.EncodeToString(h.Sum(nil))[:32]
}

// takeSnapshot computes the input of scoring and stores it.
func takeSnapshot(ctx context.Context, store *features.Store, a *models.Artifact, cutoff time.Time, row warehouse.SnapshotRow) (report SnapshotReport, err error) {
	in, err := computeInput(ctx, store, a, cutoff)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, in.Population.Close(context.WithoutCancel(ctx))) }()
	after, err := store.InputDigest(ctx, cutoff)
	if err != nil {
		return report, err
	}
	if after != row.Input {
		return report, &inputChangedError{after}
	}
	row.Customers, row.Eligible = uint64(len(in.Population.Customer)), uint64(len(in.Monthly))
	row.CreatedAt = time.Now().UTC().Truncate(time.Microsecond)
	size, err := store.PutPacked(ctx, row, packInput(in))
	if err != nil {
		return report, err
	}
	report = SnapshotReport{ID: row.ID, Cutoff: cutoff, Input: row.Input, Customers: int(row.Customers), Eligible: int(row.Eligible), Features: in.X.Cols(), Bytes: size}
	return report, store.DB.PruneSnapshots(ctx)
}

// snapshotFingerprint is the hash of everything but cutoff and rows that decides a snapshot: definitions, label specification, bindings and this program.
func snapshotFingerprint(a *models.Artifact, sources features.Sources) string {
	h := sha256.New()
	hashText(h, "snapshot 1")
	hashText(h, features.Revision())
	for _, e := range a.Catalogue.Entries {
		hashText(h, e.Name)
		hashText(h, fmt.Sprint(e.Kind()))
		hashText(h, e.Definition())
	}
	churn := a.Churn
	churn.DataUntil = nil // how far the data reach does not change who exists at the cutoff
	for _, v := range []any{churn, sources} {
		text, err := json.Marshal(v)
		if err != nil {
			panic(err) // plain texts and numbers always marshal
		}
		hashText(h, string(text))
	}
	return hex.EncodeToString(h.Sum(nil))
}
