package training

import (
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"retain/features"
)

// readText reads a flat table that stands in memory.
func readText(text string, o FlatOptions) (*features.Dataset, []string, error) {
	o.Path, o.Stdin = "-", strings.NewReader(text)
	if o.Target == "" {
		o.Target, o.Positive = "y", "1"
	}
	return readFlat(o)
}

// A label of several values asks what they mean.
func TestFlatLabel(t *testing.T) {
	const text = "x,y\n1,gone\n2,here\n3,paused\n4,\n5,here\n"
	for _, c := range []struct {
		name     string
		positive string
		negative []string
		want     string // the labels, or a part of the error
		warnings int
	}{
		{"several values", "gone", nil, `y has 2 values beside "gone": "here", "paused"; say which of them mean that it did not happen: --negative here,paused.`, 0},
		{"one of them", "gone", []string{"here"}, "[1 0 0]", 2}, // one missing, one paused
		{"both", "gone", []string{"here", "paused"}, "[1 0 0 0]", 1},
		{"one that is not there", "gone", []string{"hear"}, `--negative: no row has y = "hear"; its values beside "gone" are "here", "paused"`, 0},
		{"the positive one", "gone", []string{"gone"}, "--negative: no row has", 0},
		{"no positive row", "left", nil, `--positive: no row of standard input has y = "left"; its values are "gone", "here", "paused"`, 0},
	} {
		d, warnings, err := readText(text, FlatOptions{Target: "y", Positive: c.positive, Negative: c.negative})
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprint(d.Y)
		}
		if !strings.Contains(got, c.want) || len(warnings) != c.warnings {
			t.Errorf("%s: %s and %q, want %s", c.name, got, warnings, c.want)
		}
	}
}

// Columns that are probably not what they are taken for are told.
func TestFlatOddColumns(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	b.WriteString("\ufeffRow,seen,charge,plan,\"q\"\"x\",y\r\n")
	for i := range 200 {
		charge := strconv.FormatFloat(rng.Float64(), 'g', 4, 64)
		if i%20 == 0 {
			charge = "inf"
		}
		fmt.Fprintf(&b, "%d,2024-01-%02d,%s,%s,\"a, \"\"b\"\"\",%d\r\n", 1000+i, 1+i%28, charge, []string{"pro", "basic"}[i%2], i%3/2)
	}
	d, warnings, err := readText(b.String(), FlatOptions{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"Row is another whole number in every row", "seen holds times", `charge is read as categories, since "inf" is no number: give --null "inf"`}
	if len(warnings) != len(want) {
		t.Fatalf("%q", warnings)
	}
	for k, w := range want {
		if !strings.HasPrefix(warnings[k], w) {
			t.Errorf("%q, want %q", warnings[k], w)
		}
	}
	if c := d.X.Schema[4]; c.Name != `q"x` || c.Kind != features.Categorical || c.Levels[0] != `a, "b"` {
		t.Errorf("%+v", c)
	}
	if d, warnings, err = readText(b.String(), FlatOptions{Null: []string{"inf"}, Drop: []string{"row", "seen"}}); err != nil || len(warnings) != 0 || d.X.Schema[0].Kind != features.Numeric {
		t.Errorf("%v %q", err, warnings)
	}
}

// Numbers of many values are read as numbers alone: a million rows of 20 columns take less than 300 MB, and the values are the same.
func TestFlatManyNumbers(t *testing.T) {
	const rows, columns = 3 * manyLevels, 20
	var b strings.Builder
	b.WriteString("y")
	for j := range columns {
		fmt.Fprintf(&b, ",x%d", j)
	}
	b.WriteString("\n")
	for i := range rows {
		b.WriteString(strconv.Itoa(i % 2))
		for j := range columns {
			if b.WriteByte(','); (i+j)%11 > 0 {
				b.WriteString(strconv.Itoa(i))
				b.WriteString(".5")
			}
		}
		b.WriteString("\n")
	}
	text := b.String()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	d, warnings, err := readText(text, FlatOptions{})
	if err != nil || len(warnings) != 0 {
		t.Fatal(err, warnings)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if held := int64(after.HeapAlloc) - int64(before.HeapAlloc); held > 4*rows*columns*2+16e6 {
		t.Errorf("%d MB are held for %d values", held>>20, rows*columns)
	}
	for j, x := range d.X.X {
		for i, v := range x {
			if want := float32(i) + .5; (i+j)%11 == 0 != math.IsNaN(float64(v)) || v == v && v != want {
				t.Fatalf("row %d of column %d is %v", i, j, v)
			}
		}
	}
	if _, _, err := readText(text+"1,oops"+strings.Repeat(",1", columns-1)+"\n", FlatOptions{}); err == nil || !strings.Contains(err.Error(), `standard input:60002: x0: "oops" is no number`) {
		t.Error(err)
	}
}
