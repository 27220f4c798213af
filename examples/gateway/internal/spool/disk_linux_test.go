package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// disk is a file system of its own, of so many bytes; without the right to make one the test is skipped.
func disk(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("skipped: only root makes file systems: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir
}

// TestFullDisk: where the disk has less room than the queue may take, the oldest records give way, and each is counted; where others have
// taken all of it, a record is refused, and those that are there stay.
func TestFullDisk(t *testing.T) {
	const most, record = 2 << 20, 1000
	dir := disk(t, most)
	q := open(t, dir, Options{})
	put := func(n int) error { return q.Put(fmt.Appendf(nil, "%0*d", record, n)) }
	for n := range 5000 {
		if err := put(n); err != nil {
			t.Fatalf("record %d: %v", n, err)
		}
	}
	s := q.Stats()
	if s.Records+int(s.Lost) != 5000 || s.Lost == 0 || s.Bytes < most/2 {
		t.Errorf("%+v", s)
	}
	if got := drain(t, q); len(got) != s.Records || strings.TrimLeft(got[len(got)-1], "0") != "4999" {
		t.Errorf("%d records of %d, the last %q", len(got), s.Records, got[len(got)-1])
	}

	others, err := os.Create(filepath.Join(dir, "others"))
	if err != nil {
		t.Fatal(err)
	}
	for block := make([]byte, 4096); err == nil; _, err = others.Write(block) {
	}
	refused, taken := 0, 0
	for n := range 200 {
		if err := put(n); errors.Is(err, syscall.ENOSPC) {
			refused++
		} else if err == nil {
			taken++
		} else {
			t.Fatal(err)
		}
	}
	if refused < 100 || q.Stats().Records != taken {
		t.Errorf("%d refused, %d taken, %+v", refused, taken, q.Stats())
	}
	_ = errors.Join(others.Truncate(0), others.Close())
	if err := put(200); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if got := drain(t, q); len(got) != taken+1 || strings.TrimLeft(got[len(got)-1], "0") != "200" {
		t.Errorf("%d records of %d", len(got), taken+1)
	}
	_ = q.Close()
	q = open(t, dir, Options{})
	if s := q.Stats(); s.Records != 0 || s.Damaged != 0 {
		t.Errorf("after a restart: %+v", s)
	}
}

// TestInUse: a queue is one process's.
func TestInUse(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("twice: %v", err)
	}
	_ = q.Close()
	open(t, dir, Options{})
	if _, err := Open(filepath.Join(dir, lockName), Options{}); err == nil {
		t.Error("a file is no directory")
	}
}
