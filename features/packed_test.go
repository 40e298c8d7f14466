package features

import (
	"errors"
	"testing"
)

func TestUnpackRefusesDamage(t *testing.T) {
	if _, err := unpackTexts(nil, []byte{9, 'a'}); !errors.Is(err, ErrDamaged) {
		t.Errorf("a text that is cut off: %v", err)
	}
	if _, err := unpackFloat32s(nil, make([]byte, 7)); !errors.Is(err, ErrDamaged) {
		t.Errorf("half a number: %v", err)
	}
}
