package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
)

// A lock is a file that is locked as long as it is open: the system unlocks it when the process ends, however it does. The file stays.
type lock struct {
	name string
	file *os.File
}

// errLocked says that somebody else has the lock.
var errLocked = errors.New("locked")

// takeLock locks a file, or fails with ErrInUse. The number of the process is in it, for that message.
func takeLock(name string) (*lock, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("the directory of the store must be writable, for its files are replaced as a whole: %w", err)
	case err != nil:
		return nil, fmt.Errorf("the directory of the store: %w", err)
	}
	switch err := lockFile(f); {
	case errors.Is(err, errLocked):
		const digits = 20
		b, _ := io.ReadAll(io.LimitReader(f, digits)) // who it is would be nice to know
		f.Close()
		return nil, fmt.Errorf("store %s is %w by process %s: two nodes with one store would use the same frame counters",
			strings.TrimSuffix(name, ".lock"), ErrInUse, strings.TrimSpace(string(b)))
	case err != nil:
		f.Close()
		return nil, fmt.Errorf("%s cannot be locked: %w", name, err)
	}
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return &lock{name, f}, nil
}

// valid reports whether the file of the lock is still the one that others would try to lock.
func (l *lock) valid() bool {
	own, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.name)
	return err == nil && os.SameFile(own, there)
}

func (l *lock) release() error { return l.file.Close() }
