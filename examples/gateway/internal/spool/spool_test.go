package spool

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

func open(t testing.TB, dir string, o Options) *Queue {
	t.Helper()
	q, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = q.Close() })
	return q
}

func drain(t testing.TB, q *Queue) (all []string) {
	t.Helper()
	for {
		r, ok := q.Peek()
		if !ok {
			return all
		}
		all = append(all, string(r))
		if err := q.Ack(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOrder(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Options{})
	for i := range 20000 {
		if err := q.Put(fmt.Appendf(nil, "record %d %s", i, strings.Repeat("x", i%90))); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5000 {
		r, ok := q.Peek()
		if !ok || !strings.HasPrefix(string(r), fmt.Sprintf("record %d ", i)) {
			t.Fatalf("%d: %q, %v", i, r, ok)
		}
		if again, _ := q.Peek(); string(again) != string(r) {
			t.Fatalf("%d: another record at the second look", i)
		}
		if err := q.Ack(); err != nil {
			t.Fatal(err)
		}
	}
	if s := q.Stats(); s.Records != 15000 || s.Lost != 0 || s.Damaged != 0 {
		t.Errorf("%+v", s)
	}
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	q = open(t, dir, Options{})
	rest := drain(t, q)
	if len(rest) != 15000 || !strings.HasPrefix(rest[0], "record 5000 ") {
		t.Errorf("%d records, the first %q", len(rest), rest[0])
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*"+suffix)); len(files) != 1 {
		t.Errorf("%d segments are left", len(files))
	}
}

func TestBounds(t *testing.T) {
	now := time.Unix(1e9, 0)
	q := open(t, t.TempDir(), Options{MaxBytes: 1 << 20, MaxAge: time.Hour, Now: func() time.Time { return now }})
	for i := range 40000 {
		if err := q.Put(fmt.Appendf(nil, "%0100d", i)); err != nil {
			t.Fatal(err)
		}
	}
	s := q.Stats()
	if s.Bytes > 1<<20+segmentSize || s.Records+int(s.Lost) != 40000 || s.Lost == 0 {
		t.Errorf("%+v", s)
	}
	now = now.Add(2 * time.Hour)
	if err := q.Put([]byte("the next day")); err != nil {
		t.Fatal(err)
	}
	s = q.Stats()
	if got := drain(t, q); got[len(got)-1] != "the next day" || s.Bytes > segmentSize {
		t.Errorf("%+v", s)
	}
	if err := q.Put(nil); !errors.Is(err, ErrEmpty) {
		t.Error(err)
	}
	if err := q.Put(make([]byte, MaxRecord+1)); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
	if err := q.Put(make([]byte, MaxRecord)); err != nil {
		t.Error(err)
	}
}

func TestDamage(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, Options{})
	for i := range 10 {
		_ = q.Put(fmt.Appendf(nil, "record %d", i))
	}
	_ = q.Close()
	name := filepath.Join(dir, fmt.Sprintf("%016x%s", 0, suffix))
	whole, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; n < len(whole); n += 5 { // torn anywhere
		if err := os.WriteFile(name, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		_ = os.Remove(filepath.Join(dir, cursorName))
		q := open(t, dir, Options{})
		if err := q.Put([]byte("more")); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, q); len(got) != n/(headerSize+8)+1 || got[len(got)-1] != "more" {
			t.Fatalf("torn at %d: %q", n, got)
		}
		_ = q.Close()
		_ = os.RemoveAll(dir)
		_ = os.MkdirAll(dir, 0o700)
	}
}

// TestKill kills a writer and a reader again and again: nothing is lost, and what comes twice is the same.
func TestKill(t *testing.T) {
	if dir := os.Getenv("SPOOL_TEST_DIR"); dir != "" {
		worker(dir)
		return
	}
	dir := t.TempDir()
	seen := make(map[string]int)
	next := 0
	for round := range 20 {
		c := exec.Command(os.Args[0], "-test.run=^TestKill$")
		c.Env = append(os.Environ(), "SPOOL_TEST_DIR="+dir, "SPOOL_TEST_NEXT="+strconv.Itoa(next))
		out, err := c.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		lines, limit := bufio.NewScanner(out), 50+round*37
		for range limit {
			if !lines.Scan() {
				break
			}
			switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
			case "put":
				next++
			case "got":
				seen[rest]++
			}
		}
		_ = c.Process.Kill()
		for lines.Scan() { // what it has said before it died
			switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
			case "put":
				next++
			case "got":
				seen[rest]++
			}
		}
		_ = c.Wait()
	}
	q := open(t, dir, Options{})
	for _, r := range drain(t, q) {
		seen[r]++
	}
	for i := range next {
		if seen[strconv.Itoa(i)] == 0 {
			t.Errorf("record %d of %d is lost", i, next)
		}
	}
}

// worker puts records and takes some, and says so.
func worker(dir string) {
	q, err := Open(dir, Options{})
	if err != nil {
		panic(err)
	}
	n, _ := strconv.Atoi(os.Getenv("SPOOL_TEST_NEXT"))
	for ; ; n++ {
		if err := q.Put([]byte(strconv.Itoa(n))); err != nil {
			panic(err)
		}
		fmt.Println("put", n)
		if n%3 == 0 {
			if r, ok := q.Peek(); ok {
				fmt.Println("got", string(r))
				_ = q.Ack()
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 'x'}, []byte{})
	f.Fuzz(func(t *testing.T, file, cursor []byte) {
		dir := t.TempDir()
		_ = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%016x%s", 0, suffix)), file, 0o600)
		_ = os.WriteFile(filepath.Join(dir, cursorName), cursor, 0o600)
		q, err := Open(dir, Options{})
		if err != nil {
			return
		}
		defer q.Close()
		if err := q.Put([]byte("last")); err != nil {
			t.Fatal(err)
		}
		if got := drain(t, q); len(got) == 0 || got[len(got)-1] != "last" {
			t.Errorf("%q", got)
		}
	})
}
