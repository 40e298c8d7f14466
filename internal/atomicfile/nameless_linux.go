package atomicfile

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// nameless opens a file without a name on the file system of folder; see open(2), O_TMPFILE. An error says no more than that it has none.
func nameless(folder string) (*os.File, error) {
	f, err := os.OpenFile(folder, os.O_WRONLY|unix.O_TMPFILE, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(through(f)); err != nil { // without /proc it could never be named
		f.Close()
		return nil, err
	}
	return f, nil
}

// nameIt gives such a file a passing name in the folder. A link cannot replace a file, the renaming that follows can.
func nameIt(f *os.File, folder string) (string, error) {
	name := filepath.Join(folder, ".retain-"+rand.Text())
	return name, unix.Linkat(unix.AT_FDCWD, through(f), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
}

// through is the path that leads to an open file.
func through(f *os.File) string { return fmt.Sprintf("/proc/self/fd/%d", f.Fd()) }
