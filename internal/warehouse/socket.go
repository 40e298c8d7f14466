package warehouse

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxSocketPath is the longest path a Unix socket can have (sun_path of unix(7), less its final NUL).
const maxSocketPath = 107

// socketPath is where the holder of dir answers: in dir, or, where that path is too long, under a hashed name in
// $XDG_RUNTIME_DIR, else in a directory of the user's own below the temporary one.
func socketPath(dir string) (string, error) {
	if path := filepath.Join(dir, socketName); len(path) <= maxSocketPath {
		return path, nil
	}
	sum := sha256.Sum256([]byte(dir))
	name := "retain-" + hex.EncodeToString(sum[:8]) + ".sock"
	home := os.Getenv("XDG_RUNTIME_DIR")
	if home == "" || !filepath.IsAbs(home) {
		home = filepath.Join(os.TempDir(), fmt.Sprintf("retain-%d", os.Getuid()))
		if err := ownDir(home); err != nil {
			return "", err
		}
	}
	path := filepath.Join(home, name)
	if len(path) > maxSocketPath {
		return "", fmt.Errorf("the warehouse's path %s is too long for a socket, and so is %s: choose a shorter one, or set XDG_RUNTIME_DIR", dir, path)
	}
	return path, nil
}

// ownDir creates a directory that only this user can enter, or sees to it that it is one: anybody can create it first.
func ownDir(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	at, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := at.Sys().(*syscall.Stat_t)
	if !ok || !at.IsDir() || int(owner.Uid) != os.Getuid() || at.Mode().Perm() != 0o700 {
		return fmt.Errorf("%s is not a directory of mode 0700 owned by this user: remove it", dir)
	}
	return nil
}

// socketPath is where the process behind h answers, if it does.
func (h holding) socketPath(dir string) string {
	if h.socket != "" {
		return h.socket
	}
	return filepath.Join(dir, socketName)
}

// removeStale removes what a killed holder left. Only the holder of the lock may call it.
func removeStale(path string) error {
	err := os.Remove(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// answers tells whether somebody listens on the socket at path.
func answers(ctx context.Context, path string) bool {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return false
	}
	_ = c.Close()
	return true
}

// serve begins to answer other processes of this user on the socket at path.
func (h *holder) serve(path string) error {
	listener, err := net.Listen("unix", path)
	if err != nil {
		return fmt.Errorf("answer other processes: %w", err)
	}
	// Between bind and here the directory keeps others out.
	if err := os.Chmod(path, 0o600); err != nil {
		return errors.Join(err, listener.Close())
	}
	h.socket = path
	h.server = &http.Server{Handler: h.engine, ReadHeaderTimeout: time.Minute}
	h.served = make(chan error, 1)
	go func() { h.served <- h.server.Serve(listener) }()
	return nil
}

// drain is how long a holder that closes lets running statements go on.
const drain = 10 * time.Second

// close stops answering, lets statements end for at most drain, closes the engine and gives up the directory.
func (h *holder) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	var errs []error
	if h.server != nil {
		// Shutdown also removes the socket. Its error is that time is up; the engine then stops the rest.
		_ = h.server.Shutdown(ctx)
	}
	if h.engine != nil {
		errs = append(errs, h.engine.Close(ctx))
	}
	if h.server != nil {
		errs = append(errs, h.server.Close())
		if err := <-h.served; !errors.Is(err, http.ErrServerClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(append(errs, h.lock.release())...)
}

// ErrWarehouseGone tells that the process that held the embedded warehouse ended while this one used it. What was under
// way has not been finished; it can be run again, and then finds another holder or becomes it.
var ErrWarehouseGone = errors.New("the process that held the warehouse is gone; run this again")

// clientTransport is a client's way to its holder, which knows what a lost holder looks like.
type clientTransport struct{ *http.Transport }

func (t *clientTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := t.Transport.RoundTrip(r)
	if err != nil {
		return nil, gone(r.Context(), err)
	}
	if response.StatusCode == http.StatusServiceUnavailable {
		_ = response.Body.Close()
		return nil, ErrWarehouseGone
	}
	response.Body = &clientBody{ReadCloser: response.Body, ctx: r.Context()}
	return response, nil
}

// clientBody is an answer that may be cut off.
type clientBody struct {
	io.ReadCloser
	ctx context.Context // of the request whose answer this is
}

func (b *clientBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = gone(b.ctx, err)
	}
	return n, err
}

// gone makes ErrWarehouseGone of a transport's error, unless the caller itself ended the request. The cause is told but
// not wrapped: clickhouse-go would take a wrapped io.EOF for the good end of a result.
func gone(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("%w (%v)", ErrWarehouseGone, err) //nolint:errorlint // as said above
}
