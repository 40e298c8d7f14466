package models_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"retain/features"
	"retain/models"
	"retain/models/modelstest"
)

var decoders = map[string]models.Decoder{"recency_rule": models.DecodeRecencyRule, "base_rate": models.DecodeBaseRate}

func artifact(t testing.TB) *models.Artifact {
	t.Helper()
	d := modelstest.Data(1, 200)
	m, err := models.RecencyRule{Feature: "recency_days"}.Fit(t.Context(), d, nil)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	margin := make([]float64, d.Rows())
	if err := m.Margin(margin, d.X); err != nil {
		t.Fatal(err)
	}
	c, err := models.FitCalibration(margin, d.Y, d.Customer, 1)
	if err != nil {
		t.Fatal(err)
	}
	return &models.Artifact{Kind: "churn", Name: "churn", Family: m.Family(), Churn: features.DefaultChurn(), Schema: d.X.Schema,
		Fingerprint: d.X.Schema.Fingerprint(), Calibration: c, Bands: models.Bands{High: .7, Medium: .4}, Medians: models.Medians(d.X),
		Static: map[string][]string{"customers": {"plan"}}, Cutoffs: []time.Time{time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)},
		TrainedUntil: time.Date(2024, 4, 1, 0, 0, 0, 0, time.UTC), Rows: 200, Positives: 70, Metrics: []byte(`{"auc":0.7}`), Seed: 1 << 63, Model: b}
}

func encode(t testing.TB, a *models.Artifact) []byte {
	t.Helper()
	b, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestArtifactRoundTrip(t *testing.T) {
	a := artifact(t)
	b := encode(t, a)
	if !bytes.Equal(b, encode(t, a)) {
		t.Error("the same artifact gives other bytes")
	}
	back, err := models.DecodeArtifact(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(encode(t, back), b) {
		t.Error("the decoded artifact gives other bytes")
	}
	if back.Seed != a.Seed || back.Calibration.Probability(.5) != a.Calibration.Probability(.5) || !reflect.DeepEqual(back.Churn, a.Churn) {
		t.Errorf("decoded %+v", back)
	}
	for j, m := range back.Medians {
		if m != a.Medians[j] && !(math.IsNaN(m) && math.IsNaN(a.Medians[j])) {
			t.Errorf("median %d is %v, was %v", j, m, a.Medians[j])
		}
	}
	m, err := back.LoadModel(decoders)
	if err != nil || m.Family() != "recency_rule" {
		t.Fatalf("load: %v, %v", m, err)
	}
	if _, err := back.LoadModel(nil); err == nil {
		t.Error("a family without decoder is loaded")
	}
	address := models.Address(b)
	if !strings.HasPrefix(address, "sha256:") || len(address) != 71 {
		t.Errorf("address %q", address)
	}
	// SHA-256 of nothing, FIPS 180-2.
	if got := models.Address(nil); got != "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("address of nothing: %s", got)
	}
}

func TestArtifactCarriesCatalogueAndEncoding(t *testing.T) {
	a := artifact(t)
	a.Catalogue = features.DefaultCatalogue()
	a.Encoding, _ = features.FitEncoding(modelstest.Data(1, 200).X)
	a.Schema = a.Encoding.Schema()
	a.Fingerprint, a.Medians = a.Schema.Fingerprint(), make([]float64, len(a.Schema))
	b := encode(t, a)
	back, err := models.DecodeArtifact(b)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(back.Catalogue.Names()), len(a.Catalogue.Names()); got != want {
		t.Errorf("%d entries, want %d", got, want)
	}
	if back.Encoding.Schema().Fingerprint() != a.Fingerprint {
		t.Error("the encoding has another schema")
	}
	if !bytes.Equal(encode(t, back), b) {
		t.Error("the decoded artifact gives other bytes")
	}
}

func TestDamagedArtifactIsAnError(t *testing.T) {
	b := encode(t, artifact(t))
	for k := range b {
		bad := bytes.Clone(b)
		bad[k] ^= 1
		if _, err := models.DecodeArtifact(bad); !errors.Is(err, models.ErrArtifact) {
			t.Fatalf("byte %d flipped: %v", k, err)
		}
		if _, err := models.DecodeArtifact(b[:k]); !errors.Is(err, models.ErrArtifact) {
			t.Fatalf("cut at %d: %v", k, err)
		}
	}
}

func TestInconsistentArtifactIsNotEncoded(t *testing.T) {
	for name, spoil := range map[string]func(*models.Artifact){
		"fingerprint": func(a *models.Artifact) { a.Fingerprint = "0" },
		"medians":     func(a *models.Artifact) { a.Medians = a.Medians[1:] },
		"calibration": func(a *models.Artifact) { a.Calibration = models.Calibration{} },
		"slope":       func(a *models.Artifact) { a.Calibration.Slope = math.NaN() },
	} {
		a := artifact(t)
		spoil(a)
		if _, err := a.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}

func FuzzDecodeArtifact(f *testing.F) {
	f.Add(encode(f, artifact(f)))
	f.Add([]byte("RETAIN-A"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, b := range [][]byte{b, models.ResealArtifact(b)} {
			a, err := models.DecodeArtifact(b)
			if err != nil {
				continue
			}
			if _, err := a.Encode(); err != nil {
				t.Errorf("a decoded artifact is not encoded: %v", err)
			}
			_, _ = a.LoadModel(decoders)
		}
	})
}

func TestArtifactReference(t *testing.T) {
	a := artifact(t)
	n := len(a.Schema)
	fits := func() *models.Reference {
		r := &models.Reference{Cutoff: a.Cutoffs[0], Rows: 3, Importance: make(models.Figures, n)}
		for range n {
			r.Features = append(r.Features, models.Histogram{Cuts: []float64{1, 2.5}, Counts: []uint64{1, 0, 1, 1}})
		}
		r.Importance[0] = math.NaN()
		return r
	}
	a.Reference = fits()
	b := encode(t, a)
	back, err := models.DecodeArtifact(b)
	if err != nil || len(back.Reference.Features) != n || !math.IsNaN(back.Reference.Importance[0]) || !bytes.Equal(b, encode(t, back)) {
		t.Errorf("%+v, %v", back, err)
	}
	for name, spoil := range map[string]func(r *models.Reference){
		"a column is missing":   func(r *models.Reference) { r.Features = r.Features[1:] },
		"no importance":         func(r *models.Reference) { r.Importance = nil },
		"a bin is missing":      func(r *models.Reference) { r.Features[0].Counts = r.Features[0].Counts[1:] },
		"cuts that do not rise": func(r *models.Reference) { r.Features[0].Cuts = []float64{2, 2} },
		"a margin without bins": func(r *models.Reference) { r.Margin = &models.Histogram{} },
	} {
		a.Reference = fits()
		spoil(a.Reference)
		if _, err := a.Encode(); err == nil {
			t.Errorf("%s: encoded", name)
		}
	}
}
