package pipelines

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jonboulle/clockwork"

	"retain/features"
	"retain/internal/warehouse"
)

// shopJobs are the jobs of the night on the tests' shop, as the command line wires its own.
func shopJobs(r *Runner, w *warehouse.Warehouse, folder string) []Job {
	store := &features.Store{DB: w}
	at := func(ctx context.Context, c Call) (ServingModel, time.Time, error) {
		m, err := champion(ctx, w)
		return m, c.Now.UTC().Truncate(24 * time.Hour), err
	}
	return []Job{
		{Name: JobImport, Plan: func(_ context.Context, c Call) (Work, error) {
			o := ImportOptions{Now: func() time.Time { return c.Now }}
			return Work{Do: (&Watch{Folder: folder, Runner: r, Options: o}).Scan}, nil
		}},
		{Name: JobTrain, Needs: []string{JobImport}, Plan: func(_ context.Context, c Call) (Work, error) {
			return Work{Do: func(ctx context.Context) (Outcome, error) {
				report, err := trainShop(ctx, w, c.Now)
				return Outcome{Report: report}, err
			}}, nil
		}, Follow: func(e Entry) []string {
			var report struct{ Promoted bool }
			if json.Unmarshal(e.Report, &report) == nil && report.Promoted {
				return []string{JobSnapshot, JobScore, JobMonitor}
			}
			return nil
		}},
		{Name: JobSnapshot, Needs: []string{JobImport}, Plan: func(ctx context.Context, c Call) (Work, error) {
			m, cutoff, err := at(ctx, c)
			if err != nil {
				return Work{}, err
			}
			return SnapshotWork(ctx, store, m.Artifact, cutoff)
		}},
		{Name: JobScore, Needs: []string{JobSnapshot}, Plan: func(ctx context.Context, c Call) (Work, error) {
			m, cutoff, err := at(ctx, c)
			if err != nil {
				return Work{}, err
			}
			digest, err := store.InputDigest(ctx, cutoff)
			return Work{Key: fmt.Sprintf("%s v%d %s", cutoff.Format(time.DateOnly), m.Version, digest), Cutoff: cutoff, Do: func(ctx context.Context) (Outcome, error) {
				run, err := Score(ctx, scoreShop(w, m, cutoff, c.Now))
				return Outcome{Rows: int64(run.Customers), Report: run}, err
			}}, err
		}},
		{Name: JobMonitor, Needs: []string{JobScore}, Plan: func(_ context.Context, c Call) (Work, error) {
			return Work{Do: func(ctx context.Context) (Outcome, error) { return Monitor(ctx, MonitorOptions{DB: w, Now: c.Now}) }}, nil
		}},
	}
}

// nightChild is a process of TestNightKilled and TestTwoSchedulers: it catches up the nights at the given instants, one by one, in the warehouse house with
// the folder of its name, and tells what is in force before and after.
func nightChild(house, instants string) (err error) {
	ctx := context.Background()
	var w *warehouse.Warehouse
	open := func(ctx context.Context) (*warehouse.Warehouse, error) {
		var one uint8
		if w != nil && errors.Is(w.Conn().QueryRow(ctx, "SELECT 1").Scan(&one), warehouse.ErrWarehouseGone) {
			w.Close()
			w = nil
		}
		var err error
		if w == nil {
			if w, err = warehouse.Open(ctx, warehouse.Options{URL: "embedded:" + house, Create: true, Serve: true, Command: "test"}); err == nil {
				err = w.RecoverImports(ctx)
			}
		}
		return w, err
	}
	if _, err := open(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	if err := tellInForce(ctx, w); err != nil {
		return err
	}
	for text := range strings.FieldsSeq(instants) {
		now, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return err
		}
		r := &Runner{Who: "child", Clock: clockwork.NewFakeClockAt(now)}
		r.Open = func(ctx context.Context) (Bench, error) {
			w, err := open(ctx)
			return Bench{DB: w, Jobs: shopJobs(r, w, house+"-in")}, err
		}
		s := &Schedule{Runner: r, Zone: time.UTC}
		for job, expression := range map[string]string{JobScore: "0 3 * * *", JobTrain: "0 4 * * *"} {
			cron, err := ParseCron(expression, time.UTC)
			if err != nil {
				return err
			}
			s.Entries = append(s.Entries, ScheduleEntry{Job: job, Cron: cron})
		}
		// Scores with the champion of the day before, then trains: as by the times of both.
		if s.Entries[0].Job != JobScore {
			s.Entries[0], s.Entries[1] = s.Entries[1], s.Entries[0]
		}
		if now.Equal(firstNight) { // nobody serves yet
			s.Entries = s.Entries[1:]
		}
		if _, err := s.CatchUp(ctx); err != nil {
			return err
		}
		fmt.Println("child: night", text)
	}
	if os.Getenv("RETAIN_TEST_TELL") == "" {
		return nil // the holder may be gone by now
	}
	if err := tellInForce(ctx, w); err != nil {
		return err
	}
	return tellEverything(ctx, w)
}

// tellInForce prints the run in force, and how many scores it has.
func tellInForce(ctx context.Context, w *warehouse.Warehouse) error {
	run, err := w.RunInForce(ctx, KindChurn)
	if errors.Is(err, warehouse.ErrNoRun) {
		fmt.Println("child: in force none")
		return nil
	}
	if err != nil {
		return err
	}
	var n uint64
	if err := w.Conn().QueryRow(ctx, "SELECT count() FROM scores WHERE run_id = '"+run.RunID+"'").Scan(&n); err != nil {
		return err
	}
	fmt.Printf("child: in force %s %s %d of %d\n", run.Cutoff.Format(time.DateOnly), run.RunID, n, run.Customers)
	return nil
}

// tellEverything prints what the warehouse holds, but for times of day and the ledger's attempts.
func tellEverything(ctx context.Context, w *warehouse.Warehouse) error {
	for what, query := range map[string]string{
		"purchases": "SELECT concat(toString(count()), ' ', toString(groupBitXor(cityHash64(customer_id, at, order_id, amount, ingested_at, event_hash, row_hash)))) FROM purchases",
		"fixes":     "SELECT toString(count()) FROM purchases_fixes",
		"leftover":  "SELECT toString(count()) FROM system.tables WHERE database = currentDatabase() AND startsWith(name, 'import_')",
		"runs":      "SELECT toString(groupArray((cutoff, run_id, model_version, customers, scored))) FROM (SELECT * FROM runs ORDER BY cutoff, model_version, run_id, finished_at LIMIT 1 BY run_id)",
		"scores": `SELECT toString(groupArray(x)) FROM (SELECT (run_id, count(), sum(cityHash64(customer_id, status, reinterpretAsUInt64(margin), percentile, band,
			reinterpretAsUInt64(expected_loss), reason_features, reason_texts, toString(vector)))) AS x FROM scores GROUP BY run_id ORDER BY run_id)`,
		"models":    "SELECT toString(groupArray((version, artifact, family, rows))) FROM (SELECT * FROM models ORDER BY version)",
		"champions": "SELECT toString(groupArray((version, artifact))) FROM (SELECT DISTINCT version, artifact FROM model_aliases WHERE alias = 'champion' ORDER BY version)",
		"nights":    "SELECT toString(groupArray(key)) FROM (SELECT DISTINCT key FROM jobs WHERE job = 'night' AND state = 'done' ORDER BY key)",
		"files":     "SELECT toString(groupArray(key)) FROM (SELECT DISTINCT key FROM jobs WHERE job = 'import' AND key LIKE '%sha256%' AND state = 'done' ORDER BY key)",
	} {
		var text string
		if err := w.Conn().QueryRow(ctx, query).Scan(&text); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		fmt.Printf("held: %s %s\n", what, text)
	}
	return nil
}

// childMain is the process of a test that needs more than one; it does not return when this is one.
func childMain() {
	house := os.Getenv("RETAIN_TEST_NIGHT")
	if house == "" {
		return
	}
	if err := nightChild(house, os.Getenv("RETAIN_TEST_INSTANTS")); err != nil {
		fmt.Println("child: error", err)
		os.Exit(1)
	}
	os.Exit(0)
}
