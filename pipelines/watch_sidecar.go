package pipelines

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v3"
)

// sidecarBytes bounds a file SOURCE.map.yaml: a mapping has a line a column.
const sidecarBytes = 1 << 20

// Sidecar is SOURCE.map.yaml in a watched folder: how the files of that source are to be read, as the flags of `retain import` say it.
type Sidecar struct {
	Map        map[string]string `yaml:"map"`
	Set        map[string]string `yaml:"set"`
	TimeFormat string            `yaml:"time_format"`
	Comma      bool              `yaml:"decimal_comma"`
	Timezone   string            `yaml:"timezone"`
	Null       []string          `yaml:"null"`
	SkipBad    int               `yaml:"skip_bad"`
}

// sidecar reads the options of a file: those of the watch and of SOURCE.map.yaml, whose bytes it returns.
func (w *Watch) sidecar(f candidate) (o ImportOptions, text []byte, err error) {
	o = w.Options
	o.Source, o.Path = f.source, filepath.Join(w.Folder, f.name)
	name := f.source + ".map.yaml"
	file, err := os.Open(filepath.Join(w.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return o, nil, nil
	}
	if err != nil {
		return o, nil, err
	}
	defer file.Close()
	if text, err = io.ReadAll(io.LimitReader(file, sidecarBytes+1)); err != nil {
		return o, nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > sidecarBytes {
		return o, nil, fmt.Errorf("%w: %s is larger than %d bytes", ErrImportOptions, name, sidecarBytes)
	}
	var s Sidecar
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&s); err != nil && !errors.Is(err, io.EOF) {
		return o, nil, fmt.Errorf("%w: %s: %v; it knows map, set, time_format, decimal_comma, timezone, null and skip_bad", ErrImportOptions, name, err) //nolint:errorlint // the kind is ErrImportOptions
	}
	if s.SkipBad < 0 {
		return o, nil, fmt.Errorf("%w: %s: skip_bad: %d is negative", ErrImportOptions, name, s.SkipBad)
	}
	o.Map, o.Set, o.TimeFormat, o.Comma, o.Timezone, o.Null, o.SkipBad = s.Map, s.Set, s.TimeFormat, s.Comma, s.Timezone, s.Null, s.SkipBad
	return o, text, nil
}
