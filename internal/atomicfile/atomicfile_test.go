package atomicfile

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// dying is set in the process that TestKilled kills.
const dying = "RETAIN_ATOMICFILE_DYING"

func TestMain(m *testing.M) {
	if os.Getenv(dying) != "" {
		f, err := Create("f", 0o600)
		if err != nil {
			panic(err)
		}
		f.Write(bytes.Repeat([]byte("half"), 1<<16))
		os.Stdout.WriteString("writing\n")
		select {}
	}
	os.Exit(m.Run())
}

func TestAppearsWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a folder with spaces", "scores.csv")
	folder := filepath.Dir(path)
	if err := os.Mkdir(folder, 0o750); err != nil {
		t.Fatal(err)
	}
	f, err := Create(path, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789"), buffered/5) // twice the buffer
	for part := range bytes.Lines(bytes.ReplaceAll(content, []byte("9"), []byte("\n"))) {
		if _, err := f.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Sync(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("before it is published: %v", err)
	}
	f.Write([]byte("end"))
	if err := f.Publish(); err != nil {
		t.Fatal(err)
	}
	if err := f.Discard(); err != nil {
		t.Errorf("discarded after it was published: %v", err)
	}
	if err := f.Publish(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("published twice: %v", err)
	}
	got, err := os.ReadFile(path)
	if want := string(bytes.ReplaceAll(content, []byte("9"), []byte("\n"))) + "end"; err != nil || string(got) != want {
		t.Errorf("%d bytes, want %d; %v", len(got), len(want), err)
	}
	if there, err := os.Stat(path); err != nil || there.Mode().Perm() != 0o644 {
		t.Errorf("mode %v, %v", there.Mode(), err)
	}
	only(t, folder, "scores.csv")
}

func TestReplaces(t *testing.T) {
	for name, mode := range map[string]fs.FileMode{"readable": 0o644, "private": 0o600} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, "f")
			for _, content := range []string{"old and long", "new"} {
				if err := Write(path, mode, []byte(content)); err != nil {
					t.Fatal(err)
				}
				if got := read(t, path); got != content {
					t.Errorf("%q, want %q", got, content)
				}
			}
			if there, err := os.Stat(path); err != nil || there.Mode().Perm() != mode {
				t.Errorf("mode %v, %v", there.Mode(), err)
			}
			only(t, folder, "f")
		})
	}
}

func TestFollowsALink(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "f"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("f", filepath.Join(folder, "link")); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(folder, "link"), 0o600, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := read(t, filepath.Join(folder, "f")); got != "new" {
		t.Errorf("behind the link: %q", got)
	}
	if there, err := os.Lstat(filepath.Join(folder, "link")); err != nil || there.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", there.Mode(), err)
	}
}

func TestAfterAnErrorAllIsAsBefore(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	if err := Write(path, 0o600, []byte("old")); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("no more rows")
	err := WriteFunc(path, 0o600, func(w io.Writer) error {
		if _, err := w.Write(make([]byte, 3*buffered)); err != nil {
			return err
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if got := read(t, path); got != "old" {
		t.Errorf("%q", got)
	}
	only(t, folder, "f")
}

func TestRefuses(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, part string }{
		{"a folder", folder, "it is a folder: name a file in it"},
		{"a device", os.DevNull, "it is no ordinary file: name another"}, // root would replace it for the whole system
		{"no such folder", filepath.Join(folder, "none", "f"), "there is no folder " + filepath.Join(folder, "none") + ": make it"},
		{"a file as a folder", filepath.Join(file, "f"), "not a directory"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Write(c.path, 0o600, []byte("x"))
			var place *fs.PathError
			if !errors.As(err, &place) || place.Path != c.path || !strings.Contains(err.Error(), c.part) || strings.Count(err.Error(), "write ") != 1 {
				t.Errorf("%v, want %q", err, c.part)
			}
		})
	}
	only(t, folder, "file")
}

// TestErrorsNameThePath: not the passing name. The file is closed under the writer, as no disk can be filled here.
func TestErrorsNameThePath(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	f, err := Create(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	f.f.Close()
	_, err = f.Write(make([]byte, 2*buffered))
	for _, err := range []error{err, f.Publish()} {
		var place *fs.PathError
		if !errors.As(err, &place) || place.Path != path || !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
	only(t, folder)
}

// TestWithoutNamelessFiles goes the way of other systems.
func TestWithoutNamelessFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "f")
	for _, end := range []func(*File) error{(*File).Discard, (*File).Publish} {
		hidden, err := os.CreateTemp(folder, ".retain-*")
		if err != nil {
			t.Fatal(err)
		}
		f := &File{path: path, to: path, mode: 0o600, f: hidden, w: bufio.NewWriter(hidden), name: hidden.Name()}
		if _, err := f.Write([]byte("text")); err != nil {
			t.Fatal(err)
		}
		if err := end(f); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, path); got != "text" {
		t.Errorf("%q", got)
	}
	only(t, folder, "f")
}

func TestKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	child := exec.CommandContext(t.Context(), self)
	child.Dir, child.Env = folder, append(os.Environ(), dying+"=yes")
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "writing\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	f, err := nameless(folder)
	if err == nil {
		f.Close()
		only(t, folder)
		return
	}
	if runtime.GOOS == "linux" {
		t.Logf("%s has no nameless files: %v", folder, err)
	}
	if _, err := os.Lstat(filepath.Join(folder, "f")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a file bears the name: %v", err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// only checks that a folder holds just these files.
func only(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if d := cmp.Diff(want, names); d != "" {
		t.Errorf("the folder (-want +got):\n%s", d)
	}
}
