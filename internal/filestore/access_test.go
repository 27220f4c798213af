//go:build unix

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/gopymesh/pymesh/thread"
)

// TestMode: a file that others may read or write is refused, and so is a thing that is no file but would block.
func TestMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	s := open(t, path)
	save(t, s, 1)
	s.Close()
	for _, mode := range []fs.FileMode{0o644, 0o640, 0o620, 0o602, 0o777} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		refused(t, path, fs.ErrPermission, "chmod 600")
	}
	for _, mode := range []fs.FileMode{0o600, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		open(t, path).Close()
	}
	if err := syscall.Mkfifo(path+".fifo", 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path+".fifo", Options{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("FIFO: %v", err)
	}
}

// nobody is a user who owns nothing.
const nobody = 65534

const inChild = "FILESTORE_TEST_CHILD"

// TestNotPermitted: the file of another user, and a directory in which nothing may be written. It takes a process that is not root's.
func TestNotPermitted(t *testing.T) {
	if dir := os.Getenv(inChild); dir != "" {
		notPermitted(t, dir)
		return
	}
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "node"))
	save(t, s, 1)
	s.Close()
	if os.Geteuid() != 0 {
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
		defer os.Chmod(dir, 0o700)
		_, err := Open(filepath.Join(dir, "other"), Options{})
		expectReadOnly(t, err)
		t.Skip("the file of another user: for root only")
	}
	open := filepath.Join(dir, "open")
	for _, d := range []string{dir, open} {
		if d == open {
			if err := os.Mkdir(open, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		for ; len(d) > 1; d = filepath.Dir(d) {
			if info, err := os.Stat(d); err == nil && info.Mode().Perm()&0o001 == 0 {
				if err := os.Chmod(d, info.Mode().Perm()|0o755); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "node"), filepath.Join(open, "node")); err != nil {
		t.Fatal(err)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run=^TestNotPermitted$", "-test.v")
	cmd.Env = append(os.Environ(), inChild+"="+dir)
	if b, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(b), "--- PASS") {
		t.Errorf("%v\n%s", err, b)
	}
}

func expectReadOnly(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "must be writable") {
		t.Errorf("read-only directory: %v", err)
	}
}

// notPermitted runs in a process of root's, which it makes nobody's.
func notPermitted(t *testing.T, dir string) {
	if err := syscall.Setuid(nobody); err != nil {
		t.Skip(err)
	}
	_, err := Open(filepath.Join(dir, "node"), Options{})
	expectReadOnly(t, err)
	refused(t, filepath.Join(dir, "open", "node"), fs.ErrPermission, "belongs to user 0")
	// A directory that becomes so while the store is in use: the node cannot save, and says so.
	s := open(t, filepath.Join(dir, "open", "other"))
	save(t, s, 1)
	own := filepath.Join(dir, "open", "own")
	if err := os.Mkdir(own, 0o700); err != nil {
		t.Fatal(err)
	}
	s = open(t, filepath.Join(own, "node"))
	save(t, s, 1)
	if err := os.Chmod(own, 0o500); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(thread.Settings{}); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Save: %v", err)
	}
	os.Chmod(own, 0o700)
	save(t, s, 2)
	os.RemoveAll(own)
}
