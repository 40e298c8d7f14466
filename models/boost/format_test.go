package boost

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"retain/features"
	"retain/models"
)

func TestRoundTrip(t *testing.T) {
	d := sample(2000, 40)
	for _, m := range []*Model{mustFit(t, small, d), mustFit(t, small, d).Truncate(0), mustFit(t, small, d).Truncate(7)} {
		b := mustEncode(t, m)
		again, err := Decode(b, d.X.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(b, mustEncode(t, again)) {
			t.Error("other bytes after decoding")
		}
		if again.Trees() != m.Trees() || again.Family() != "boost" || !slices.Equal(again.Importance(), m.Importance()) {
			t.Error("another model after decoding")
		}
		if !slices.Equal(mustMargin(t, m, d.X), mustMargin(t, again, d.X)) {
			t.Error("other margins after decoding")
		}
		checkAdditive(t, again, d.X.Slice(0, 200))
	}
}

// Registries hold files of version 1. This one was written by the last program that wrote them.
func TestReadsVersion1(t *testing.T) {
	b, err := os.ReadFile("testdata/format-v1.bin")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/format-v1.json")
	if err != nil {
		t.Fatal(err)
	}
	var want peer
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	x := want.matrix(sample(1, 0).X.Schema)
	m, err := Decode(b, x.Schema)
	if err != nil {
		t.Fatal(err)
	}
	again, err := DecodeInPlace(mustEncode(t, m), x.Schema)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []*Model{m, again} {
		for i, v := range mustMargin(t, m, x) {
			if v != want.Margin[i] {
				t.Errorf("row %d: margin %v, then %v", i, v, want.Margin[i])
			}
		}
		checkAdditive(t, m, x)
	}
}

func TestDecodeInPlaceKeepsTheBytes(t *testing.T) {
	d := sample(2000, 46)
	m := mustFit(t, small, d)
	b := mustEncode(t, m)
	for inPlace, decode := range map[bool]func([]byte, features.Schema) (*Model, error){true: DecodeInPlace, false: Decode} {
		at := aligned(b)
		again, err := decode(at, d.X.Schema)
		if err != nil {
			t.Fatal(err)
		}
		again.roots[0]++
		again.nodes[0].weight++
		if shared := !bytes.Equal(at, b); shared != (inPlace && littleEndian) {
			t.Errorf("decoded in place %v: the model shares the bytes: %v", inPlace, shared)
		}
	}
	for shift := range 8 { // at places that suit the machine or not
		moved := append(make([]byte, shift, shift+len(b)), b...)[shift:]
		again, err := DecodeInPlace(moved, d.X.Schema)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(mustMargin(t, m, d.X), mustMargin(t, again, d.X)) {
			t.Fatalf("other margins from bytes moved by %d", shift)
		}
	}
}

// aligned is a copy of b that begins at a multiple of 8.
func aligned(b []byte) []byte {
	words := make([]uint64, (len(b)+7)/8)
	at := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(b))
	copy(at, b)
	return at
}

func TestDecodeInPlaceOfAMappedFile(t *testing.T) {
	d := sample(1000, 47)
	m := mustFit(t, small, d)
	name := filepath.Join(t.TempDir(), "model")
	if err := os.WriteFile(name, mustEncode(t, m), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		t.Fatal(err)
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED) // writing to it would be a fault
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unix.Munmap(b); err != nil {
			t.Error(err)
		}
	}()
	again, err := DecodeInPlace(b, d.X.Schema)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(mustMargin(t, m, d.X), mustMargin(t, again, d.X)) {
		t.Fatal("other margins from a mapped file")
	}
	checkAdditive(t, again, d.X.Slice(0, 100))
}

func TestDecodeRefusesOtherColumns(t *testing.T) {
	d := sample(500, 41)
	b := mustEncode(t, mustFit(t, small, d))
	other := slices.Clone(d.X.Schema)
	other[0].Name = "tenure_days"
	if _, err := Decode(b, other); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Fatalf("error %v, want ErrFeatureMismatch", err)
	}
}

func TestDecodeRefusesDamage(t *testing.T) {
	d := sample(300, 42)
	b := mustEncode(t, mustFit(t, Trainer{Trees: 3, Leaves: 4}, d))
	for i := range b {
		bad := slices.Clone(b)
		bad[i] ^= 0x10
		if _, err := Decode(bad, d.X.Schema); err == nil {
			t.Fatalf("byte %d changed: no error", i)
		}
		if _, err := Decode(b[:i], d.X.Schema); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("first %d bytes: error %v, want ErrCorrupt", i, err)
		}
	}
}

func TestDecodeNamesAnUnknownVersion(t *testing.T) {
	d := sample(300, 42)
	b := mustEncode(t, mustFit(t, Trainer{Trees: 3}, d))
	b[len(formatMagic)] = formatVersion + 1
	if _, err := Decode(sealed(b[:len(b)-4]), d.X.Schema); err == nil || errors.Is(err, ErrCorrupt) {
		t.Fatalf("error %v, want one of the version", err)
	}
}

// sealed appends the checksum.
func sealed(b []byte) []byte {
	b = slices.Clone(b)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// FuzzDecode seals what it is given, so that the checksum does not hide the decoder. What decodes must work, in place and
// copied, and keep its meaning when it is encoded again.
func FuzzDecode(f *testing.F) {
	d := sample(300, 43)
	few := d.X.Slice(0, 20)
	for _, tr := range []Trainer{{Trees: 3, Leaves: 4}, {Trees: 1, Leaves: 30, MinRows: 1}} {
		b := mustEncode(f, mustFit(f, tr, d))
		f.Add(b[:len(b)-4])
	}
	old, err := os.ReadFile("testdata/format-v1.bin")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(old[:len(old)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := Decode(sealed(body), d.X.Schema)
		placed, errPlaced := DecodeInPlace(sealed(body), d.X.Schema)
		if (err == nil) != (errPlaced == nil) {
			t.Fatalf("copied: %v, in place: %v", err, errPlaced)
		}
		if err != nil {
			return
		}
		margin := mustMargin(t, m, few)
		phi := make([]float64, few.Rows()*few.Cols())
		if _, err := m.Contributions(phi, few); err != nil {
			t.Fatal(err)
		}
		again, err := Decode(mustEncode(t, m), d.X.Schema)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []*Model{placed, again} {
			if !slices.Equal(margin, mustMargin(t, m, few)) {
				t.Fatal("other margins in place or after encoding again")
			}
		}
	})
}

func TestMarginRefusesWhatItCannotRead(t *testing.T) {
	d := sample(500, 44)
	m := mustFit(t, small, d)
	out := make([]float64, d.Rows())
	phi := make([]float64, d.Rows()*d.X.Cols())
	renamed := d.X.Slice(0, d.Rows())
	renamed.Schema = slices.Clone(d.X.Schema)
	renamed.Schema[4].Levels = []string{"a", "b", "c", "d", "e", "g"}
	if err := m.Margin(out, renamed); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other levels: error %v, want ErrFeatureMismatch", err)
	}
	if _, err := m.Contributions(phi, renamed); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("other levels: error %v, want ErrFeatureMismatch", err)
	}
	if err := m.Margin(out, &features.Matrix{}); !errors.Is(err, models.ErrFeatureMismatch) {
		t.Errorf("no columns: error %v, want ErrFeatureMismatch", err)
	}
	if err := m.Margin(out[1:], d.X); err == nil {
		t.Error("too little room: no error")
	}
	bad := d.Take([]int{0, 1, 2}).X
	bad.X[0][1] = float32(inf())
	if err := m.Margin(out[:3], bad); !errors.Is(err, models.ErrNotFinite) {
		t.Errorf("infinity: error %v, want ErrNotFinite", err)
	}
}

func TestMarginOfASubsetIsTheSame(t *testing.T) {
	d := sample(1000, 45)
	m := mustFit(t, small, d)
	all := mustMargin(t, m, d.X)
	rows := []int{999, 3, 3, 500, 64, 65}
	for k, v := range mustMargin(t, m, d.X.Take(rows)) {
		if v != all[rows[k]] {
			t.Fatalf("row %d: %v alone, %v among all", rows[k], v, all[rows[k]])
		}
	}
}
