package warehouse

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// LockedError tells that another process holds an embedded directory and does not answer on a socket.
type LockedError struct {
	Dir     string
	PID     int    // 0 when it has not yet said
	Command string // as in its Options
}

func (e *LockedError) Error() string {
	who := "another process"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d", e.PID)
	}
	if e.Command != "" {
		who += " (" + e.Command + ")"
	}
	return fmt.Sprintf("the warehouse %s is in use by %s; wait for it (--wait), or stop it", e.Dir, who)
}

// lock is a flock on DIR/lock. The kernel drops it when the process dies, however it dies.
type lock struct {
	dir  string
	file *os.File
}

// holding is what the lock's file says about its holder.
type holding struct {
	pid     int
	command string
	socket  string // written down, because the holder's environment may differ from the reader's
}

// tryLock takes the lock of dir, or tells who has it.
func tryLock(dir string) (*lock, holding, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, holding{}, fmt.Errorf("lock the warehouse: %w", err)
	}
	err = unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return &lock{dir: dir, file: file}, holding{}, nil
	}
	defer func() { _ = file.Close() }()
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return nil, holding{}, fmt.Errorf("lock the warehouse %s: %w", dir, err)
	}
	text, err := io.ReadAll(io.LimitReader(file, 1<<16))
	if err != nil {
		return nil, holding{}, fmt.Errorf("read who locks the warehouse: %w", err)
	}
	return nil, parseHolding(string(text)), nil
}

// tell writes into the lock's file who holds it.
func (l *lock) tell(h holding) error {
	line := func(s string) string { return strings.NewReplacer("\n", " ", "\r", " ").Replace(s) + "\n" }
	text := strconv.Itoa(h.pid) + "\n" + line(h.command) + h.socket + "\n"
	if err := l.file.Truncate(0); err != nil {
		return err
	}
	_, err := l.file.WriteAt([]byte(text), 0)
	return err
}

// parseHolding reads what tell wrote, or the part of it that is there already.
func parseHolding(text string) holding {
	lines := strings.Split(text, "\n")
	if len(lines) < 4 { // three lines, each ended
		return holding{}
	}
	pid, err := strconv.Atoi(lines[0])
	if err != nil {
		return holding{}
	}
	return holding{pid: pid, command: lines[1], socket: lines[2]}
}

// release lets others have the directory. The file stays: to remove it would let two processes lock two files.
func (l *lock) release() error {
	return errors.Join(l.file.Truncate(0), l.file.Close())
}
