package pipelines

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	exact "github.com/shopspring/decimal"
	"pgregory.net/rapid"

	"retain/internal/warehouse"
	"retain/testdata/cdnow"
)

// Numbers agree with exact decimal arithmetic.
func TestFixedExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[-+]?[0-9]{1,24}(\.[0-9]{0,24})?([eE][-+]?[0-9]{1,2})?`).Draw(t, "number")
		scale := rapid.IntRange(0, 4).Draw(t, "scale")
		want, err := exact.NewFromString(text)
		if err != nil {
			t.Skip("not a number of the reference")
		}
		want = want.Shift(int32(scale)).Round(0) // half away from zero
		got, fault := fixed([]byte(text), scale)
		fits := want.Abs().LessThanOrEqual(exact.NewFromInt(maxScaled))
		if fits != (fault == "") || fits && !want.Equal(exact.NewFromInt(got)) {
			t.Fatalf("%s times 10^%d: %d %q, want %s", text, scale, got, fault, want)
		}
	})
}

// Times agree with package time, whatever the form, the offset and the zone.
func TestInstantExact(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	forms := []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05.999", "2006-01-02T15:04:05.999999999",
		"2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05.999-0700", "2006-01-02 15:04-07", "2006-01-02 15:04:05 -0700"}
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(firstInstant/1000+3*86400, lastInstant/1000-3*86400).Draw(t, "second"), rapid.Int64Range(0, 999_999_999).Draw(t, "nanosecond"))
		form := rapid.SampledFrom(forms).Draw(t, "form")
		zone := rapid.SampledFrom([]*time.Location{time.UTC, berlin}).Draw(t, "zone")
		text := at.In(rapid.SampledFrom([]*time.Location{time.UTC, berlin, time.FixedZone("", -5*3600-1800)}).Draw(t, "written in")).Format(form)
		want, err := time.ParseInLocation(form, text, zone)
		if err != nil {
			t.Skip("a zone's offset with seconds, before standard time")
		}
		got, fault := (&importValues{zone: zone}).instant([]byte(text), false)
		if fault != "" || got != floorMilli(want) {
			t.Fatalf("%s: %d %q, want %d", text, got, fault, floorMilli(want))
		}
	})
}

func FuzzImportValues(f *testing.F) {
	for _, s := range []string{"", "1e5", "-0.00005", "2024-02-29T12:34:56.789+02:00", "1900-01-01", "2024-01-01 ", "\xff", "9e99"} {
		f.Add([]byte(s))
	}
	kinds := []warehouse.ImportColumn{{Kind: warehouse.ImportInstant}, {Kind: warehouse.ImportFlag}, {Kind: warehouse.ImportFixed, Scale: 4, Min: -maxScaled, Max: maxScaled}, {Kind: warehouse.ImportWhole, Max: 1 << 32}}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		for _, format := range []string{"", formatUnix, formatUnixMilli, "%d.%m.%Y %H:%M"} {
			v := &importValues{format: format, zone: time.UTC}
			for i := range kinds {
				n, fault := v.whole(&kinds[i], b, false)
				if fault == "" && n != warehouse.ImportNull && kinds[i].Kind == warehouse.ImportInstant && (n < firstInstant || n > lastInstant) {
					t.Fatalf("%q: %d", b, n)
				}
			}
		}
		if !bytes.Equal(b, before) {
			t.Fatal("the value was changed")
		}
	})
}

// CDNOW as the demo loads it: 255 rows repeat another one and are purchases all the same, and the file twice changes nothing.
func TestImportCDNOW(t *testing.T) {
	im := newImporter(t)
	for i, news := range []int64{69_659, 0} {
		r, err := Import(t.Context(), ImportOptions{Warehouse: im.w, Source: "purchases", Path: "-", Stdin: bytes.NewReader(cdnow.PurchasesCSVGzip), Set: map[string]string{"currency": "USD"}})
		if err != nil {
			t.Fatal(err)
		}
		if r.Rows != 69_659 || r.Imported != r.Rows || r.New != news || r.FirstAt.Format(time.DateOnly) != "1997-01-01" || r.LastAt.Format(time.DateOnly) != "1998-06-30" {
			t.Errorf("import %d: %+v", i+1, r)
		}
		im.same("SELECT count(), uniqExact(customer_id), uniqExact(event_hash), uniqExact(row_hash), sum(amount), (SELECT count() FROM purchases_fixes) FROM purchases",
			fmt.Sprintf("(69659,23570,69659,%d,2500315.63,0)", 69_659-255))
	}
}

func BenchmarkImportRow(b *testing.B) {
	v := &importValues{zone: time.UTC}
	at, amount := []byte("2024-05-31 12:34:56"), []byte("123.45")
	for b.Loop() {
		v.instant(at, false)
		fixed(amount, 4)
	}
}
