package chdb

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestCandidatesInOrder(t *testing.T) {
	t.Setenv("RETAIN_CHDB_LIB", "")
	t.Setenv("XDG_CACHE_HOME", "/cache")
	t.Chdir(t.TempDir())
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		filepath.Join(filepath.Dir(exe), "libchdb.so"),
		"/cache/retain/libchdb.so",
		"/usr/local/lib/libchdb.so",
		"/usr/lib/libchdb.so",
	}
	if got := Candidates(); !slices.Equal(got, want) {
		t.Errorf("looked for in %q, want %q", got, want)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "/home/x")
	if got := Candidates()[1]; got != "/home/x/.cache/retain/libchdb.so" {
		t.Errorf("without XDG_CACHE_HOME looked for in %q", got)
	}
	t.Setenv("XDG_CACHE_HOME", "relative") // the XDG specification says to ignore it; it would be the working directory
	if got := Candidates()[1]; got != "/home/x/.cache/retain/libchdb.so" {
		t.Errorf("with a relative XDG_CACHE_HOME looked for in %q", got)
	}
}

func TestExplicitLibraryIsNeverReplaced(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "none.so")
	t.Setenv("RETAIN_CHDB_LIB", missing)
	_, err := Find()
	var notFound *NotFoundError
	if !errors.As(err, &notFound) || !slices.Equal(notFound.Tried, []string{missing}) {
		t.Fatalf("got %v, want a NotFoundError that tried only %s", err, missing)
	}
	for _, part := range []string{missing, "make engine", "RETAIN_CHDB_LIB"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not name %s", err, part)
		}
	}
}

func TestWorkingDirectoryIsNotSearched(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.WriteFile("libchdb.so", []byte("not ours"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, p := range Candidates() {
		if strings.HasPrefix(p, dir) || !filepath.IsAbs(p) {
			t.Errorf("looks for %s", p)
		}
	}
}

func TestWrongLibrary(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libchdb.so")
	if err := os.WriteFile(path, []byte("text"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("loading a text file gave %v", err)
	}
}
