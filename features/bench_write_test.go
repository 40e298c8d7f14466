package features

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/shopspring/decimal"

	"retain/internal/warehouse"
)

// benchWrites is how many rows the figures of writing are about.
const benchWrites = 1_000_000

// benchRows are rows of usage in a month of their own, so that they are dropped as one partition; every hundredth stands there twice.
func benchRows(source warehouse.ImportSource) *warehouse.ImportBatch {
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	rows := &warehouse.ImportBatch{Rows: benchWrites, Texts: make([][]string, len(source.Columns)), Whole: make([][]int64, len(source.Columns))}
	for i, c := range source.Columns {
		if c.Kind.Textual() {
			rows.Texts[i] = make([]string, benchWrites)
		} else {
			rows.Whole[i] = make([]int64, benchWrites)
		}
	}
	text := func(name string) []string { return rows.Texts[source.Column(name)] }
	whole := func(name string) []int64 { return rows.Whole[source.Column(name)] }
	for k := range benchWrites {
		i := k - k%100/99 // the hundredth repeats the row before it
		text("customer_id")[k], text("event_id")[k] = fmt.Sprintf("c%07d", i%200_000), fmt.Sprintf("bench%d", i)
		text("user_id")[k], text("feature")[k], text("channel")[k] = "u1", fmt.Sprintf("feature_%d", i%24), "web"
		whole("at")[k] = at + int64(i)*2000
		whole("duration_s")[k], whole("quantity")[k], whole("errors")[k] = int64(i%7200)*1000, int64(i%7)*10_000, 0
		rows.IngestedAt = append(rows.IngestedAt, whole("at")[k])
		rows.IngestedMapped = append(rows.IngestedMapped, 1)
	}
	return rows
}

// imports measures an import, with its search for rows that are held already, against the plain insert of the same rows.
func (f *featureBench) imports() {
	f.figure("import", "4", func() (float64, string) {
		source, _ := warehouse.ImportSourceNamed(Usage)
		rows := benchRows(source)
		exec := func(query string) {
			if err := f.store.DB.Conn().Exec(f.b.Context(), query); err != nil {
				f.b.Fatal(err)
			}
		}
		exec("DROP TABLE IF EXISTS bench_plain")
		exec("ALTER TABLE usage DROP PARTITION 203001") // of a run that was cut off
		exec("CREATE TABLE bench_plain AS usage")
		plain := f.spent(1, func(ctx context.Context) error { return f.insertPlainly(ctx, source, rows) })
		exec("DROP TABLE bench_plain")
		imported := f.spent(1, func(ctx context.Context) error {
			s, err := f.store.DB.StageImport(ctx, source, nil)
			if err != nil {
				return err
			}
			if err := s.Append(ctx, rows); err != nil {
				return err
			}
			counts, err := s.Commit(ctx)
			if err == nil && counts.New != benchWrites*99/100 {
				err = fmt.Errorf("%d new rows", counts.New)
			}
			return err
		})
		exec("ALTER TABLE usage DROP PARTITION 203001")
		exec("TRUNCATE TABLE usage_fixes")
		return imported / plain, fmt.Sprintf("%.2f CPU s, plain %.2f", imported, plain)
	})
}

func (f *featureBench) insertPlainly(ctx context.Context, source warehouse.ImportSource, rows *warehouse.ImportBatch) error {
	const step = 100_000
	for lo := 0; lo < rows.Rows; lo += step {
		batch, err := f.store.DB.Conn().PrepareBatch(ctx, "INSERT INTO bench_plain (customer_id, at, event_id, user_id, feature, channel, duration_s, quantity, errors, ingested_at, ingested_mapped, imported_at)")
		if err != nil {
			return err
		}
		slice := func(name string) []string { return rows.Texts[source.Column(name)][lo : lo+step] }
		at, money, errs, mapped := make([]time.Time, step), make([]*decimal.Decimal, step), make([]*uint32, step), make([]bool, step)
		for i := range step {
			at[i] = time.UnixMilli(rows.IngestedAt[lo+i])
			d := decimal.New(rows.Whole[source.Column("duration_s")][lo+i], -3)
			money[i], errs[i], mapped[i] = &d, new(uint32), true
		}
		for i, values := range []any{slice("customer_id"), at, slice("event_id"), slice("user_id"), slice("feature"), slice("channel"), money, money, errs, at, mapped, at} {
			if err := batch.Column(i).Append(values); err != nil {
				return errors.Join(err, batch.Abort())
			}
		}
		if err := batch.Send(); err != nil {
			return err
		}
	}
	return nil
}

// scores measures a million rows of scores with five reasons each.
func (f *featureBench) scores(features int) {
	f.figure("scores written, CPU s", "1", func() (float64, string) {
		const run = "b0000000000000000000000000000000"
		five := []float64{1, 2, 3, 4, 5}
		names := []string{"usage_minutes_sum_7d", "usage_minutes_sum_28d", "usage_minutes_sum_84d", "usage_recency_days", "purchase_recency_days"}
		vector := make([]float32, features)
		seconds := f.spent(1, func(ctx context.Context) error {
			return f.store.DB.PutScores(ctx, run, benchWrites, func(i int) warehouse.ScoreRow {
				return warehouse.ScoreRow{CustomerID: fmt.Sprintf("c%07d", i), Status: StatusScored, Margin: float64(i), Probability: .5, Percentile: 50, Band: "low",
					ReasonFeatures: names, ReasonTexts: names, ReasonValues: five, ReasonReferences: five, ReasonContributions: five, Vector: vector}
			})
		})
		if err := f.store.DB.Conn().Exec(f.b.Context(), "ALTER TABLE scores DROP PARTITION '"+run+"'"); err != nil {
			f.b.Fatal(err)
		}
		return seconds, fmt.Sprintf("%.1f × the barest scan", seconds/f.bare)
	})
}
