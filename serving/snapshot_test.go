package serving

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"retain/models"
)

var someCutoff = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// anyScore draws a score with every field now null and now not.
func anyScore(t *rapid.T, id string) models.Score {
	finite := rapid.Float64Range(-1e300, 1e300)
	figure := func(name string) *float64 { return rapid.Ptr(finite, true).Draw(t, name) }
	score := models.Score{
		CustomerID: id, Status: rapid.SampledFrom([]string{models.StatusScored, models.StatusOptedOut, models.StatusNotEligible}).Draw(t, "status"),
		StatusCode: rapid.Ptr(rapid.SampledFrom([]string{"tenure", "in_grace"}), true).Draw(t, "code"),
		Band:       rapid.Ptr(rapid.SampledFrom(Bands), true).Draw(t, "band"),
		Stage:      rapid.Ptr(rapid.SampledFrom([]string{"new", "loyal"}), true).Draw(t, "stage"),
		Percentile: rapid.Ptr(rapid.IntRange(1, 100), true).Draw(t, "percentile"), LoyaltyScore: rapid.Ptr(rapid.IntRange(0, 100), true).Draw(t, "loyalty"),
		PRepeat: rapid.Ptr(rapid.Float64Range(0, 1), true).Draw(t, "p_repeat"), PPromotes: rapid.Ptr(rapid.Float64Range(0, 1), true).Draw(t, "p_promotes"),
		ChurnProbability: figure("probability"), Margin: figure("margin"), ExpectedValue: figure("value"), ExpectedLoss: figure("loss"),
		HorizonDays: rapid.IntRange(1, 365).Draw(t, "horizon"), Cutoff: someCutoff, ScoredAt: someCutoff.Add(time.Hour),
		Model: models.ModelRef{Name: "churn", Version: 2}, Hindsight: rapid.Bool().Draw(t, "hindsight"),
		Reasons: []models.Reason{},
	}
	for k := range rapid.IntRange(0, 7).Draw(t, "reasons") {
		score.Reasons = append(score.Reasons, models.Reason{
			Feature: fmt.Sprintf("f%d", k), Text: rapid.String().Draw(t, "text"), Value: figure("value"), Reference: figure("reference"),
			Contribution: finite.Draw(t, "contribution"), Direction: "up", Actionable: rapid.Bool().Draw(t, "actionable"),
		})
	}
	if rapid.Bool().Draw(t, "changed") {
		score.Changes = []models.Change{{Feature: "f0", Text: "moved", Before: figure("before")}}
	}
	return score
}

func pack(t interface{ Fatal(...any) }, run models.Run, scores []models.Score) *snapshot {
	run.Customers = len(scores)
	b := newBuilder(run)
	for k := range scores {
		if err := b.add(&scores[k]); err != nil {
			t.Fatal(err)
		}
	}
	s, err := b.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSnapshotKeepsEveryBit: what goes in comes out, in whatever order it went in.
func TestSnapshotKeepsEveryBit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOfNDistinct(rapid.StringMatching(`[\x01-ÿ]{1,12}`), 0, 12, rapid.ID).Draw(t, "ids")
		scores := make([]models.Score, len(ids))
		for k, id := range ids {
			scores[k] = anyScore(t, id)
		}
		s := pack(t, models.Run{ID: "r"}, scores)
		for _, want := range scores {
			i, ok := s.find(want.CustomerID)
			if !ok {
				t.Fatalf("%q is not found", want.CustomerID)
			}
			want.DataAgeS = 3601
			if diff := gocmp.Diff(want, s.score(i, someCutoff.Add(3601*time.Second+time.Millisecond))); diff != "" {
				t.Fatalf("-in +out:\n%s", diff)
			}
		}
		if _, ok := s.find("not there"); ok {
			t.Fatal("found who is not there")
		}
	})
}

// TestPagesEqualBruteForce: all pages of a list are the filtered, sorted scores, each once.
func TestPagesEqualBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "customers")
		few := rapid.SampledFrom([]float64{0, 1, 2, 3}) // few values, so that ties are common
		scores := make([]models.Score, n)
		for k := range scores {
			scores[k] = models.Score{
				CustomerID: fmt.Sprintf("%02d", (k*17)%41), Status: rapid.SampledFrom([]string{models.StatusScored, models.StatusScored, models.StatusOptedOut}).Draw(t, "status"),
				Band:         rapid.Ptr(rapid.SampledFrom(Bands), false).Draw(t, "band"),
				ExpectedLoss: rapid.Ptr(few, true).Draw(t, "loss"), ChurnProbability: rapid.Ptr(few, false).Draw(t, "probability"),
				ExpectedValue: rapid.Ptr(few, true).Draw(t, "value"), Margin: rapid.Ptr(few, false).Draw(t, "margin"),
			}
		}
		ask := listing{Sort: rapid.SampledFrom([]string{SortLoss, SortProbability}).Draw(t, "sort"), Band: rapid.SampledFrom([]string{"", "high", "low"}).Draw(t, "only"),
			MinValue: rapid.Ptr(few, true).Draw(t, "min")}
		want := []models.Score{}
		for _, score := range scores {
			if score.Status != models.StatusScored || ask.Band != "" && *score.Band != ask.Band {
				continue
			}
			if ask.MinValue != nil && (score.ExpectedValue == nil || *score.ExpectedValue < *ask.MinValue) {
				continue
			}
			want = append(want, score)
		}
		first := func(s models.Score) *float64 {
			if ask.Sort == SortLoss {
				return s.ExpectedLoss
			}
			return s.ChurnProbability
		}
		slices.SortFunc(want, func(a, b models.Score) int {
			x, y := first(a), first(b)
			switch {
			case x == nil && y != nil:
				return 1
			case x != nil && y == nil:
				return -1
			case x != nil && *x != *y:
				return cmp.Compare(*y, *x)
			case *a.Margin != *b.Margin:
				return cmp.Compare(*b.Margin, *a.Margin)
			}
			return cmp.Compare(a.CustomerID, b.CustomerID)
		})
		s := pack(t, models.Run{ID: "r"}, scores)
		limit := rapid.IntRange(1, 9).Draw(t, "limit")
		var got []string
		for at, pages := 0, 0; at >= 0; pages++ {
			var rows []uint32
			rows, at = s.page(ask, at, limit)
			for _, i := range rows {
				got = append(got, s.id(i))
			}
			if at >= 0 && len(rows) != limit || pages > n {
				t.Fatalf("page %d has %d rows and a next one", pages, len(rows))
			}
		}
		if s.total(ask) != len(want) || len(got) != len(want) {
			t.Fatalf("total %d, on pages %d, want %d", s.total(ask), len(got), len(want))
		}
		for k := range want {
			if got[k] != want[k].CustomerID {
				t.Fatalf("place %d is %s, want %s", k, got[k], want[k].CustomerID)
			}
		}
	})
}

func TestPrefixed(t *testing.T) {
	var scores []models.Score
	for _, id := range []string{"b", "ab", "a", "abc", "abd", "ac", "aß"} {
		scores = append(scores, models.Score{CustomerID: id, Status: models.StatusOptedOut})
	}
	s := pack(t, models.Run{}, scores)
	for prefix, want := range map[string][]string{"ab": {"ab", "abc", "abd"}, "c": nil, "b": {"b"}, "abcd": nil, "a\xc3": {"aß"}} {
		var got []string
		for _, i := range s.prefixed(prefix, 10) {
			got = append(got, s.id(i))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", prefix, got, want)
		}
	}
	if n := len(s.prefixed("a", 2)); n != 2 {
		t.Errorf("%d rows, want the limit of 2", n)
	}
}

func TestBandTotals(t *testing.T) {
	var scores []models.Score
	for k, band := range []string{"high", "high", "low", "high"} {
		score := models.Score{CustomerID: fmt.Sprint(k), Status: models.StatusScored, Band: &band, ExpectedLoss: new(float64(k))}
		if k == 3 {
			score.ExpectedLoss = nil
		}
		scores = append(scores, score)
	}
	want := []bandTotal{{"high", 3, 1, 2}, {"medium", 0, 0, 0}, {"low", 1, 2, 1}}
	if got := pack(t, models.Run{}, scores).bands; !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}

// million streams n customers with six reasons each; texts have rounded figures, as the catalogue's do.
func million(n int) (models.Run, func(func(*models.Score))) {
	run := models.Run{ID: "r", Cutoff: someCutoff, Customers: n, Scored: n}
	return run, func(yield func(*models.Score)) {
		rng := rand.New(rand.NewPCG(1, 2))
		for k := range n {
			p := rng.Float64()
			score := models.Score{
				CustomerID: fmt.Sprintf("customer-%010d", k), Status: models.StatusScored, ChurnProbability: &p, Margin: new(math.Log(p / (1 - p))),
				Percentile: new(1 + int(99*p)), Band: &Bands[int(3*(1-p))%3], ExpectedValue: new(500 * rng.ExpFloat64()), ExpectedLoss: new(200 * rng.ExpFloat64()),
				HorizonDays: 90, Cutoff: someCutoff, ScoredAt: someCutoff, Model: models.ModelRef{Name: "churn", Version: 1},
			}
			for j := range 6 {
				v := math.Floor(1000 * rng.Float64())
				score.Reasons = append(score.Reasons, models.Reason{
					Feature: fmt.Sprintf("purchase_amount_sum_%dd", j), Text: fmt.Sprintf("bought %.0f times in the last %d days, less than before", v, j),
					Value: &v, Reference: new(float64(j)), Contribution: rng.NormFloat64(), Direction: "up",
				})
			}
			yield(&score)
		}
	}
}

// TestSnapshotIsSmall holds the promise of at most 400 bytes a customer with six reasons.
func TestSnapshotIsSmall(t *testing.T) {
	const n = 100_000
	run, stream := million(n)
	before := heap()
	b := newBuilder(run)
	stream(func(score *models.Score) {
		if err := b.add(score); err != nil {
			t.Fatal(err)
		}
	})
	s, err := b.snapshot()
	if err != nil {
		t.Fatal(err)
	}
	b = nil
	per := float64(heap()-before) / n
	t.Logf("%.0f bytes a customer", per)
	if per > 400 {
		t.Errorf("%.0f bytes a customer, want at most 400", per)
	}
	if s.total(listing{Sort: SortLoss}) != n {
		t.Error("customers got lost")
	}
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{RunID: "r", Sort: SortLoss, Band: "high", MinValue: new(1.5), Place: 20}.encode())
	f.Add(cursor{RunID: "sha256:00", Sort: SortProbability, Place: 1}.encode())
	f.Add("")
	f.Add("e30")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := decodeCursor(text)
		if err != nil {
			return
		}
		if got := c.encode(); got != text {
			t.Errorf("%q is accepted, and %q is written", text, got)
		}
		if c.Place < 1 || c.RunID == "" || c.MinValue != nil && math.IsNaN(*c.MinValue) {
			t.Errorf("%+v is accepted", c)
		}
	})
}

func FuzzToken(f *testing.F) {
	_, token, err := NewKey(KeySpec{Scopes: []string{ScopeAdmin}, CreatedAt: someCutoff})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(token)
	f.Add("rk__")
	f.Fuzz(func(t *testing.T, token string) {
		id, secret, err := parseToken(token)
		if err == nil && (len(id) != idLength || len(secret) != secretBytes) {
			t.Errorf("%q gives an id of %d and a secret of %d bytes", token, len(id), len(secret))
		}
	})
}

func TestNewKey(t *testing.T) {
	k, token, err := NewKey(KeySpec{Scopes: []string{ScopeScoresRead, ScopeMetrics}, Label: "crm", CreatedAt: someCutoff})
	if err != nil {
		t.Fatal(err)
	}
	id, secret, err := parseToken(token)
	if err != nil || id != k.ID || !k.matches(secret) {
		t.Fatalf("the token %q is not its key's: %v", token, err)
	}
	if bytes.Contains([]byte(fmt.Sprintf("%+v", k)), []byte(keyText.EncodeToString(secret))) || len(k.Hash) != 64 {
		t.Errorf("key %+v", k)
	}
	secret[0] ^= 1
	if k.matches(secret) {
		t.Error("another secret matches")
	}
	for _, c := range []struct {
		name string
		spec KeySpec
	}{
		{"no scope", KeySpec{CreatedAt: someCutoff}},
		{"unknown scope", KeySpec{Scopes: []string{"scores:write"}, CreatedAt: someCutoff}},
		{"expired at birth", KeySpec{Scopes: []string{ScopeAdmin}, CreatedAt: someCutoff, ExpiresAt: new(someCutoff)}},
	} {
		if _, _, err := NewKey(c.spec); err == nil {
			t.Errorf("%s: no error", c.name)
		}
	}
}

func TestTicketsAreBounded(t *testing.T) {
	now := someCutoff
	held := newTickets(func() time.Time { return now }, time.Hour, 3)
	first := held.issue("a")
	now = now.Add(time.Minute)
	rest := []string{held.issue("b"), held.issue("c"), held.issue("d")}
	if _, ok := held.keyOf(first); ok || len(held.held) != 3 {
		t.Errorf("the oldest is still held among %d", len(held.held))
	}
	for _, token := range rest {
		if _, ok := held.keyOf(token); !ok {
			t.Error("a newer one is gone")
		}
	}
	now = now.Add(time.Hour)
	held.issue("e")
	if len(held.held) != 1 {
		t.Errorf("%d are held, want the expired dropped", len(held.held))
	}
}

func BenchmarkBuild(b *testing.B) {
	run, stream := million(20_000)
	var scores []models.Score
	stream(func(s *models.Score) { scores = append(scores, *s) })
	for b.Loop() {
		pack(b, run, scores)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/20_000, "ns/customer")
}

func BenchmarkPageOfMany(b *testing.B) {
	run, stream := million(200_000)
	builder := newBuilder(run)
	stream(func(s *models.Score) {
		if err := builder.add(s); err != nil {
			b.Fatal(err)
		}
	})
	s, err := builder.snapshot()
	if err != nil {
		b.Fatal(err)
	}
	ask := listing{Sort: SortLoss, Band: "high", MinValue: new(900.0)}
	for b.Loop() {
		s.page(ask, 0, 20)
		s.total(ask)
	}
}
