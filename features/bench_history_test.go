package features

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
)

// benchSize is the size of a generated history.
type benchSize struct{ customers, usage, others int } // rows; others: of the other seven sources together

// benchSizes are the two histories for which the speed targets were set, and one to try the benchmark itself.
var benchSizes = map[string]benchSize{
	"A": {200_000, 20_000_000, 8_000_000},
	"B": {1_000_000, 100_000_000, 28_000_000},
	"S": {20_000, 2_000_000, 800_000},
}

// benchDays is the length of the generated history.
const benchDays = 450

var (
	benchStart  = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	benchCutoff = benchStart.AddDate(0, 0, benchDays)
)

// benchPeople are the customers. Six in ten live through all of the history; the others begin later, and one in seven ends before. Their
// activity is log-normal, at most 40 times the usual.
const benchPeople = `CREATE TABLE bench_people ENGINE = MergeTree ORDER BY customer_id AS
SELECT
	number AS n,
	concat('c', leftPad(toString(number), 7, '0')) AS customer_id,
	bench_u(number, 1) AS a,
	if(a < 0.6, 0., (a - 0.6) * 1000) AS born,
	if(bench_u(number, 2) < 0.857, 450., born + (450 - born) * bench_u(number, 3)) AS gone,
	least(exp(1.1 * sqrt(-2 * log(bench_u(number, 4) + 1e-12)) * cos(2 * pi() * bench_u(number, 5))), 40) * (gone - born) / 450 AS activity
FROM numbers({customers})`

// benchClocks are the time and the clocks of an event, anywhere in the customer's life; 2 % come to be known up to 10 days late. Events that a
// file holds twice do not reach the tables: the import drops them, which is measured by itself.
const benchClocks = `cityHash64(n, k, {salt}) AS h,
	toDateTime64({start} + (born + (gone - born) * (h % 4294967296 / 4294967296)) * 86400, 3, 'UTC') AS at,
	if(h % 50 = 0, at + toIntervalMillisecond(intHash64(h) % 864000000), at) AS ingested_at, true AS ingested_mapped, ingested_at AS imported_at,
	h AS event_hash, intHash64(h + 1) AS row_hash`

// benchSource generates one source, by SQL.
type benchSource struct {
	name    string
	rows    string // how many a customer has
	columns string
}

const benchActivity = "toUInt32(floor(activity / (SELECT sum(activity) FROM bench_people) * {rows} + bench_u(n, {salt})))"

func benchSources(z benchSize) []benchSource {
	events := func(name string, rows int, columns string) benchSource {
		return benchSource{name, strings.Replace(benchActivity, "{rows}", fmt.Sprint(rows), 1), benchClocks + ", " + columns}
	}
	return []benchSource{
		{Customers, "1", `toDateTime64({start} + born * 86400, 3, 'UTC') AS created_at, ['ad', 'search', 'friend'][1 + n % 3] AS lead_source,
	['small', 'large'][1 + n % 2] AS segment, concat('region_', toString(n % 9)) AS region, 'basic' AS plan,
	map('industry', concat('industry_', toString(n % 7)), 'employees', toString(n % 500)) AS attributes,
	created_at AS ingested_at, true AS ingested_mapped, created_at AS imported_at, n AS event_hash, n AS row_hash`},
		events(Usage, z.usage, `toString(h) AS event_id, concat('u', toString(h % (1 + n % 5))) AS user_id,
	concat('feature_', toString(toUInt8(24 * pow(bench_u(h, 1), 2)))) AS feature, ['web', 'app', 'mail'][1 + h % 3] AS channel,
	toDecimal64(-600 * log(bench_u(h, 2) + 1e-9), 3) AS duration_s, toDecimal64(h % 7, 4) AS quantity, toUInt32(bench_u(h, 3) < 0.05) AS errors`),
		events(Purchases, z.others*38/100, `concat('o', toString(intDiv(k, 2))) AS order_id, concat('p', toString(h % 500)) AS product,
	concat('category_', toString(h % 12)) AS category, toDecimal64(1 + h % 3, 4) AS quantity, toDecimal64(5 + 90 * bench_u(h, 1), 4) AS amount,
	toDecimal64(h % 5 = 0, 4) AS discount, 'EUR' AS currency, 'web' AS channel, h % 20 = 0 AS returned`),
		{Subscriptions, "toUInt32(ceil((gone - born) / 90))", `cityHash64(n, k, {salt}) AS h, 's1' AS subscription_id,
	toDateTime64({start} + (born + 90 * k) * 86400, 3, 'UTC') AS started_at, started_at + toIntervalDay(90) AS ends_at,
	if(gone < 450 AND born + 90 * (k + 1) >= gone, started_at + toIntervalDay(60), NULL) AS cancelled_at,
	if(born + 90 * (k + 1) < 450, ends_at, NULL) AS ended_at, ['basic', 'pro', 'team'][1 + (n + k) % 3] AS plan, toDecimal64(10 + h % 3 * 10, 4) AS mrr,
	toDecimal64(40, 4) AS list_mrr, toUInt32(1 + h % 20) AS seats, toUInt16(90) AS billing_days, h % 4 > 0 AS auto_renew,
	started_at AS ingested_at, true AS ingested_mapped, started_at AS imported_at, h AS event_hash, h AS row_hash`},
		events(Surveys, z.others*6/100, `['nps', 'nps', 'csat'][1 + h % 3] AS kind, if(h % 4 = 0, NULL, toDecimal64(h % 11, 4)) AS score, 'mail' AS channel`),
		events(Tickets, z.others*10/100, `toString(h) AS ticket_id, ['mail', 'phone', 'public'][1 + h % 3] AS channel,
	['mail', 'phone', 'public'][1 + h % 4 % 3] AS reply_channel, concat('topic_', toString(h % 8)) AS topic, ['low', 'high'][1 + h % 2] AS priority,
	at + toIntervalMinute(h % 3000) AS first_reply_at, if(h % 10 = 0, NULL, at + toIntervalMinute(3000 + h % 9000)) AS resolved_at,
	toUInt32(h % 15 = 0) AS reopened, h % 12 = 0 AS escalated, h % 6 = 0 AS self_served, if(h % 3 = 0, toDecimal64(1 + h % 5, 4), NULL) AS satisfaction`),
		events(Contacts, z.others*25/100, `toString(h) AS contact_id, ['mail', 'phone', 'app'][1 + h % 3] AS channel,
	['marketing', 'service', 'retention'][1 + h % 3] AS class, concat('campaign_', toString(h % 30)) AS campaign,
	['ignored', 'opened', 'accepted', ''][1 + h % 4] AS outcome, if(h % 4 = 3, NULL, at + toIntervalHour(h % 72)) AS outcome_at`),
		events(Touchpoints, z.others*6/100, `['visit', 'ad', 'referral'][1 + h % 3] AS kind, ['web', 'search'][1 + h % 2] AS channel, 'organic' AS lead_source,
	concat('campaign_', toString(h % 30)) AS campaign, toDecimal64(h % 9, 4) AS value`),
	}
}

// generate fills the warehouse by SQL alone: the same rows for the same size.
func (z benchSize) generate(b *testing.B, s *Store) {
	b.Helper()
	fill := func(salt int, query string) {
		b.Helper()
		query = strings.NewReplacer("{start}", fmt.Sprint(benchStart.Unix()), "{salt}", fmt.Sprint(salt), "{customers}", fmt.Sprint(z.customers)).Replace(query)
		if err := s.DB.Conn().Exec(b.Context(), query); err != nil {
			b.Fatal(err)
		}
	}
	fill(0, "CREATE FUNCTION IF NOT EXISTS bench_u AS (x, salt) -> cityHash64(x, salt) / 18446744073709551616")
	fill(0, benchPeople)
	for i, src := range benchSources(z) {
		names := "customer_id"
		for _, alias := range benchAlias.FindAllStringSubmatch(src.columns, -1) {
			if alias[1] != "h" {
				names += ", " + alias[1]
			}
		}
		fill(100+i, "INSERT INTO "+quoteName(src.name)+" ("+names+")\nSELECT "+names+"\nFROM (SELECT customer_id, n, k, born, gone, "+src.columns+
			"\nFROM (SELECT n, customer_id, born, gone, k FROM bench_people ARRAY JOIN range("+src.rows+") AS k))"+
			"\nSETTINGS max_insert_threads = 1, min_insert_block_size_rows = 4000000, min_insert_block_size_bytes = 1000000000")
		fill(0, "OPTIMIZE TABLE "+quoteName(src.name)+" FINAL")
	}
	fill(0, "DROP TABLE bench_people")
}

var benchAlias = regexp.MustCompile(` AS ([a-z_]+)`)
