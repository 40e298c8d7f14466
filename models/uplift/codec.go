package uplift

import (
	"fmt"

	"retain/features"
	"retain/models"
	"retain/models/internal/wire"
)

const (
	magic           = "RUPL"
	version         = 1
	groupedVersion  = 2 // the same behind the groups, of models that have any
	expectedVersion = 3 // and of each group what was expected of it
	maxArms         = 100
)

// MarshalBinary returns the learned parameters in a frame with version and checksum; the same model gives the same bytes.
func (m *Model) MarshalBinary() ([]byte, error) {
	var w wire.Writer
	v := uint16(version)
	if len(m.groups) > 0 {
		v = expectedVersion
		writeGroups(&w, m.groups)
	}
	w.String(m.fingerprint)
	w.String(string(m.method))
	w.String(string(m.base))
	w.Uint(uint64(len(m.arms)))
	for _, a := range m.arms {
		for _, one := range []models.Model{a.treated, a.control} {
			b, err := one.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("encode uplift: %w", err)
			}
			w.Blob(b)
		}
	}
	if f := m.final; f != nil {
		writeTerms(&w, f.terms)
		w.Floats(f.ridge.centre)
		w.Floats(f.ridge.scale)
		w.Floats(f.ridge.coef)
		w.Floats(f.ridge.cov)
		w.Float(f.ridge.base)
		w.Float(f.ridge.varA)
	}
	if b := m.beside; b != nil {
		writeTerms(&w, b.terms)
		w.Float(b.centre)
		w.Float(b.scale)
		w.Floats(b.wrong)
		w.Floats(b.coef)
		w.Floats(b.cov)
	}
	return wire.Seal(magic, v, w.Bytes()), nil
}

// open tells of which version a frame is, too.
func open(b []byte) (r *wire.Reader, written uint16, err error) {
	for written = version; written <= expectedVersion; written++ {
		if r, err = wire.Open(magic, written, b); err == nil {
			return r, written, nil
		}
	}
	return nil, 0, err
}

// Decode reads MarshalBinary's bytes for the features of s, which do not hold the columns of groups: the model knows those. It never panics. Errors: damaged bytes, models.ErrFeatureMismatch.
func Decode(b []byte, s features.Schema) (*Model, error) {
	r, written, err := open(b)
	if err != nil {
		return nil, err
	}
	var groups []Group
	if written >= groupedVersion {
		if groups, err = readGroups(r, written); err != nil {
			return nil, err
		}
		s = groupedSchema(s, groups)
	}
	m := &Model{schema: s, groups: groups, fingerprint: r.String(), method: Method(r.String()), base: Base(r.String())}
	if m.fingerprint != s.Fingerprint() {
		return nil, fmt.Errorf("uplift: %w", models.ErrFeatureMismatch)
	}
	n := r.Count(16)
	if m.method == Beside {
		if m.beside, err = readBeside(r, len(s)); err != nil {
			return nil, err
		}
		if n != 0 || m.base != "" {
			return nil, fmt.Errorf("%w: %d models beside a baseline", wire.ErrCorrupt, n)
		}
		return m, r.Done()
	}
	if n < 1 || n > maxArms || m.method != TLearner && m.method != DoublyRobust {
		return nil, fmt.Errorf("%w: %d models of method %q", wire.ErrCorrupt, n, string(m.method))
	}
	for range n {
		var a arms
		for _, one := range []*models.Model{&a.treated, &a.control} {
			if *one, err = m.base.decode(r.Blob(), s); err != nil {
				return nil, err
			}
		}
		m.arms = append(m.arms, a)
	}
	if m.method == DoublyRobust {
		if m.final, err = readFinal(r, len(s)); err != nil {
			return nil, err
		}
	}
	return m, r.Done()
}

func readFinal(r *wire.Reader, features int) (*final, error) {
	f := &final{ridge: &ridge{}}
	var err error
	if f.terms, err = readTerms(r, features); err != nil {
		return nil, err
	}
	f.ridge.centre, f.ridge.scale, f.ridge.coef, f.ridge.cov = r.Floats(), r.Floats(), r.Floats(), r.Floats()
	f.ridge.base, f.ridge.varA = r.Finite(), r.Finite()
	p := f.columns()
	if len(f.ridge.scale) != p || len(f.ridge.centre) != p || len(f.ridge.coef) != p || len(f.ridge.cov) != p*p {
		return nil, fmt.Errorf("%w: %d columns", wire.ErrCorrupt, p)
	}
	for _, s := range f.ridge.scale {
		if !(s > 0) {
			return nil, fmt.Errorf("%w: a column without spread", wire.ErrCorrupt)
		}
	}
	return f, nil
}

func writeTerms(w *wire.Writer, terms []term) {
	w.Uint(uint64(len(terms)))
	for k := range terms {
		terms[k].write(w)
	}
}

func readTerms(r *wire.Reader, features int) ([]term, error) {
	terms := make([]term, r.Count(termBytes))
	for k := range terms {
		var ok bool
		if terms[k], ok = readTerm(r, features); !ok {
			return nil, fmt.Errorf("%w: term %d", wire.ErrCorrupt, k)
		}
	}
	return terms, nil
}

func readBeside(r *wire.Reader, features int) (*beside, error) {
	b := &beside{}
	var err error
	if b.terms, err = readTerms(r, features); err != nil {
		return nil, err
	}
	b.centre, b.scale = r.Finite(), r.Finite()
	b.wrong, b.coef, b.cov = r.Floats(), r.Floats(), r.Floats()
	if p := b.columns(); !(b.scale > 0) || len(b.wrong) != p || len(b.coef) != p || len(b.cov) != p*p {
		return nil, fmt.Errorf("%w: %d columns beside a baseline", wire.ErrCorrupt, p)
	}
	return b, nil
}
