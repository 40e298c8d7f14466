package wire

import (
	"errors"
	"math"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	var w Writer
	w.Uint(1 << 63)
	w.Float(math.Copysign(0, -1))
	w.Floats([]float64{1, -2.5})
	w.String("naïve")
	w.Blob(nil)
	r, err := Open("TEST", 3, Seal("TEST", 3, w.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if v := r.Uint(); v != 1<<63 {
		t.Errorf("uint %d", v)
	}
	if v := r.Finite(); v != 0 || !math.Signbit(v) {
		t.Errorf("float %v", v)
	}
	if v := r.Floats(); len(v) != 2 || v[1] != -2.5 {
		t.Errorf("floats %v", v)
	}
	if v := r.String(); v != "naïve" {
		t.Errorf("string %q", v)
	}
	if v := r.Blob(); len(v) != 0 {
		t.Errorf("blob %v", v)
	}
	if err := r.Done(); err != nil {
		t.Error(err)
	}
	r.Uint() // beyond the end
	if err := r.Done(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("reading beyond the end: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	good := Seal("TEST", 1, []byte("payload"))
	for name, frame := range map[string][]byte{
		"empty":         nil,
		"other magic":   Seal("REST", 1, []byte("payload")),
		"other version": Seal("TEST", 2, []byte("payload")),
		"cut":           good[:len(good)-1],
		"longer":        append(append([]byte{}, good...), 0),
	} {
		if _, err := Open("TEST", 1, frame); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var w Writer
	w.Uint(1 << 40) // a length that the input cannot fill
	for name, read := range map[string]func(*Reader){
		"floats":    func(r *Reader) { r.Floats() },
		"blob":      func(r *Reader) { r.Blob() },
		"left over": func(*Reader) {},
	} {
		r, err := Open("TEST", 1, Seal("TEST", 1, w.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		read(r)
		if err := r.Done(); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	w = Writer{}
	w.Float(math.NaN())
	r, err := Open("TEST", 1, Seal("TEST", 1, w.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	r.Finite()
	if err := r.Done(); !errors.Is(err, ErrCorrupt) {
		t.Errorf("NaN where a finite number belongs: %v", err)
	}
}
