// Package atomicfile writes files that appear whole or not at all: whoever opens one by its name sees the old content or the new, never half of it.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that is being written. Nothing bears its name before Publish. It belongs to one goroutine.
//
// Where the system has files without a name (Linux, most file systems), a process that is killed leaves nothing behind; elsewhere
// it leaves a hidden file .retain-* beside the path.
type File struct {
	path string // as it was asked for
	to   string // path with its links resolved
	mode fs.FileMode
	f    *os.File
	w    *bufio.Writer
	name string // beside to; "" while the file has no name
	over bool
}

// buffered bytes are written at a time.
const buffered = 1 << 16

// Create begins a file that Publish puts at path, with these permissions whatever the umask, in place of one that is there. A link is followed.
// Every error of this package has a *fs.PathError with the path.
func Create(path string, mode fs.FileMode) (*File, error) {
	to := path
	there, err := os.Stat(path)
	switch {
	case err == nil && there.IsDir():
		return nil, fault(path, errors.New("it is a folder: name a file in it"))
	case err == nil && !there.Mode().IsRegular():
		return nil, fault(path, errors.New("it is no ordinary file: name another")) // a device must not be replaced by a file
	case err == nil:
		if to, err = filepath.EvalSymlinks(path); err != nil {
			return nil, fault(path, err)
		}
	}
	file := &File{path: path, to: to, mode: mode}
	if file.f, err = nameless(filepath.Dir(to)); err != nil {
		file.f, err = os.CreateTemp(filepath.Dir(to), ".retain-*")
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no folder %s: make it", filepath.Dir(to))
		}
		if err != nil {
			return nil, fault(path, err)
		}
		file.name = file.f.Name()
	}
	file.w = bufio.NewWriterSize(file.f, buffered)
	return file, nil
}

// Write appends p. An error stays: Publish returns it, too.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.w.Write(p)
	if err != nil {
		return n, fault(f.path, err)
	}
	return n, nil
}

// Sync brings everything written so far to the disk, so that little is left that Publish could fail at.
func (f *File) Sync() error {
	if err := errors.Join(f.w.Flush(), f.f.Chmod(f.mode), f.f.Sync()); err != nil {
		return fault(f.path, err)
	}
	return nil
}

// Publish brings the file to the disk and gives it its name. After an error what was at the path is there still, unless only the last step failed: to bring
// the name to the disk.
func (f *File) Publish() error {
	if f.over {
		return fault(f.path, fs.ErrClosed)
	}
	if err := f.publish(); err != nil {
		return errors.Join(err, f.Discard())
	}
	f.over = true
	if err := f.f.Close(); err != nil {
		return fault(f.path, err)
	}
	return nil
}

func (f *File) publish() error {
	if err := f.Sync(); err != nil {
		return err
	}
	if f.name == "" {
		name, err := nameIt(f.f, filepath.Dir(f.to))
		if err != nil {
			return fault(f.path, err)
		}
		f.name = name
	}
	if err := os.Rename(f.name, f.to); err != nil {
		return fault(f.path, err)
	}
	if err := syncFolder(filepath.Dir(f.to)); err != nil {
		return fault(f.path, err)
	}
	return nil
}

// syncFolder makes the names in a folder survive a loss of power.
func syncFolder(folder string) error {
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err // some network file systems know no sync of a folder
	}
	return nil
}

// Discard gives the file up. After Publish or Discard it does nothing.
func (f *File) Discard() error {
	if f.over {
		return nil
	}
	f.over = true
	err := f.f.Close()
	if f.name != "" {
		if gone := os.Remove(f.name); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		return fault(f.path, err)
	}
	return nil
}

// WriteFunc writes a file by write, and leaves no trace of it after an error.
func WriteFunc(path string, mode fs.FileMode, write func(io.Writer) error) error {
	f, err := Create(path, mode)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		return errors.Join(err, f.Discard())
	}
	return f.Publish()
}

// Write writes a file of this content.
func Write(path string, mode fs.FileMode, content []byte) error {
	return WriteFunc(path, mode, func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
}

// fault tells an error of the path instead of the passing name, once.
func fault(path string, err error) error {
	var inner *fs.PathError
	if errors.As(err, &inner) {
		if inner.Op == "write" && inner.Path == path {
			return inner
		}
		err = inner.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		err = link.Err
	}
	return &fs.PathError{Op: "write", Path: path, Err: err}
}
