package pipelines

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"retain/features"
	"retain/internal/warehouse/warehousetest"
	"retain/models"
)

// BenchmarkStages finds, stores and tells the stages of RETAIN_BENCH_CUSTOMERS customers (100,000): a third leads with 4 touchpoints, the others with a
// subscription, 20 uses of the last 60 days, 3 orders and an NPS answer. Run it with -benchtime 1x.
func BenchmarkStages(b *testing.B) {
	n := 100_000
	if text := os.Getenv("RETAIN_BENCH_CUSTOMERS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	w := warehousetest.Open(b)
	cutoff := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	id, born := "concat('c', leftPad(toString(number), 8, '0')) AS customer_id", "cityHash64(number) % 700 + 1"
	at := func(days string) string {
		return "toDateTime64('2026-06-15 00:00:00', 3, 'UTC') - toIntervalMinute(60 + 1440 * (" + days + "))"
	}
	row := ", ingested_at, ingested_mapped, imported_at, event_hash, row_hash) SELECT " + id
	end := ", at AS ingested_at, true, at, cityHash64(number, k, 1), cityHash64(number, k, 2) FROM numbers(" + fmt.Sprint(n) + ") ARRAY JOIN range(%d) AS k WHERE number %% 3 %s 0"
	for _, statement := range []string{
		"INSERT INTO touchpoints (customer_id, at, kind, channel" + row + ", " + at("(number * 7 + k * 31) % 200") + " AS at, ['visit', 'content', 'form', 'signup'][k + 1], 'web'" + fmt.Sprintf(end, 4, "="),
		"INSERT INTO usage (customer_id, at, event_id, feature" + row + ", " + at("(number + k * 3) % 60") + " AS at, toString(k), 'export'" + fmt.Sprintf(end, 20, "!="),
		"INSERT INTO purchases (customer_id, at, order_id, amount" + row + ", " + at("(number + k * 30) % ("+born+")") + " AS at, toString(k), 10" + fmt.Sprintf(end, 3, "!="),
		"INSERT INTO surveys (customer_id, at, kind, score" + row + ", " + at("number % 300") + " AS at, 'nps', number % 11" + fmt.Sprintf(end, 1, "!="),
		"INSERT INTO subscriptions (customer_id, started_at, subscription_id, ends_at, mrr, billing_days" + row + ", " + at(born) + " AS at, 's', at + toIntervalDay(800), 20, 30" + fmt.Sprintf(end, 1, "!="),
	} {
		if err := w.Conn().Exec(b.Context(), statement); err != nil {
			b.Fatal(err)
		}
	}
	s := stagesBy(b, w, "full")
	p, err := (&features.Store{DB: w}).Population(b.Context(), simulatedChurn(), cutoff)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = p.Close(b.Context()) }()
	for b.Loop() {
		begin := cpuSeconds(b)
		lap := func(unit string) {
			now := cpuSeconds(b)
			b.ReportMetric(now-begin, unit)
			begin = now
		}
		columns, err := s.columns(b.Context(), p)
		if err != nil {
			b.Fatal(err)
		}
		lap("features-cpu-s")
		x := s.rule(p, nil, columns)
		lap("rules-cpu-s")
		id := s.id(x, time.Now().String())
		if err := s.put(b.Context(), id, x, ""); err != nil {
			b.Fatal(err)
		}
		lap("write-cpu-s")
		board, err := StageBoard(b.Context(), w, models.Run{ID: id, Cutoff: cutoff}, BoardSpan{})
		if err != nil {
			b.Fatal(err)
		}
		lap("board-cpu-s")
		b.Log(board.Months[0].Customers)
	}
}

// cpuSeconds is the CPU time of the process so far: other load on the machine does not move it much.
func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano()).Seconds()
}
