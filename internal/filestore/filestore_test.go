package filestore

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// refused expects that a store does not open, for a reason, and that the file stays as it is.
func refused(t *testing.T, path string, want error, text string) {
	t.Helper()
	before, _ := os.ReadFile(path)
	s, err := Open(path, Options{})
	if err == nil {
		s.Close()
	}
	if !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
		t.Errorf("%v, want %v with %q", err, want, text)
	}
	if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
		t.Errorf("%s has changed", path)
	}
}

func save(t *testing.T, s *Store, counters ...uint32) {
	t.Helper()
	for _, c := range counters {
		if err := s.Save(thread.Settings{NetworkKey: [16]byte{1}, MACFrameCounter: c, MLEFrameCounter: c}); err != nil {
			t.Fatal(err)
		}
	}
}

func counter(t *testing.T, s *Store) uint32 {
	t.Helper()
	got, _, err := s.Load()
	if err != nil || got.MACFrameCounter != got.MLEFrameCounter {
		t.Errorf("%+v, %v", got, err)
	}
	return got.MACFrameCounter
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}

// TestStore: what was saved last is there when the store is opened again, readable for its owner alone, and the generation before it.
func TestStore(t *testing.T) {
	for _, volatile := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "node")
		s, err := Open(path, Options{Volatile: volatile})
		if err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Load(); ok || err != nil {
			t.Errorf("new: %v, %v", ok, err)
		}
		want := filled(t)
		for range 3 {
			want.MACFrameCounter += 10
			if err := s.Save(want); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			if got, ok, err := s.Load(); !ok || err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, %v, %v\nwant %+v", got, ok, err, want)
			}
			s.Close()
			s = open(t, path)
		}
		previous, err := s.read(path + ".previous")
		if want.MACFrameCounter -= 10; err != nil || !reflect.DeepEqual(previous.settings, want) {
			t.Errorf("previous %+v, %v", previous, err)
		}
		entries, _ := os.ReadDir(filepath.Dir(path))
		for _, e := range entries {
			if info, err := e.Info(); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
				t.Errorf("%s: %v, %v", e.Name(), info.Mode(), err)
			}
		}
		if len(entries) != 3 { // and the lock
			t.Errorf("%v", entries)
		}
	}
}

// TestClosed: a closed store does nothing, and is free for another.
func TestClosed(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "node"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	_, _, err := s.Load()
	_, airErr := s.LoadAirtime()
	for _, err := range []error{err, airErr, s.Save(thread.Settings{}), s.SaveAirtime(nil), s.Erase()} {
		if !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%v", err)
		}
	}
}

// TestLock: one at a time. Who has removed the lock file has not removed the lock of a store that goes on to save.
func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	s := open(t, path)
	save(t, s, 1)
	refused(t, path, ErrInUse, "by process ")
	if _, err := Recover(path, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("Recover: %v", err)
	}
	if runtime.GOOS == "windows" {
		return // where an open file is not removed
	}
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	save(t, s, 2)
	refused(t, path, ErrInUse, "by process ")
	if err := os.Remove(path + ".lock"); err != nil {
		t.Fatal(err)
	}
	other := open(t, path)
	if err := s.Save(thread.Settings{}); !errors.Is(err, ErrInUse) {
		t.Errorf("two stores save: %v", err)
	}
	save(t, other, 3)
}

// TestErase: nothing is left but the airtime.
func TestErase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	s := open(t, path)
	save(t, s, 1, 2)
	if err := s.SaveAirtime([]lora.SentAirtime{{SubBand: "M"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Erase(); err != nil {
			t.Fatal(err)
		}
		s.Close()
		s = open(t, path)
		if _, ok, err := s.Load(); ok || err != nil {
			t.Errorf("%v, %v", ok, err)
		}
	}
	if sent, err := s.LoadAirtime(); len(sent) != 1 || err != nil {
		t.Errorf("%v, %v", sent, err)
	}
	save(t, s, 1)
}

// TestRefuseDamaged: a file that is damaged or foreign, or gone, is refused again and again, and left alone. Recover puts it aside and goes
// on from the generation before, with counters that were never used.
func TestRefuseDamaged(t *testing.T) {
	for what, damage := range map[string]func(name string){
		"empty":   func(name string) { write(t, name, "") },
		"foreign": func(name string) { write(t, name, "#!/bin/sh\n") },
		"cut":     func(name string) { write(t, name, read(t, name)[:300]) },
		"changed": func(name string) { write(t, name, strings.Replace(read(t, name), "5000", "4000", 1)) },
		"large":   func(name string) { write(t, name, strings.Repeat(" ", maxSize+1)) },
		"gone":    func(name string) { os.Remove(name) },
	} {
		path := filepath.Join(t.TempDir(), "node")
		s := open(t, path)
		save(t, s, 3000, 4000, 5000)
		s.Close()
		if _, err := Recover(path, Options{}); err == nil || !strings.Contains(err.Error(), "intact") {
			t.Errorf("%s: Recover of an intact store: %v", what, err)
		}
		os.Rename(path, path+".x") // not in place: the previous generation may be the same file
		if what != "gone" {
			write(t, path, read(t, path+".x"))
			damage(path)
		}
		damaged, _ := os.ReadFile(path)
		for range 2 {
			refused(t, path, ErrDamaged, "RecoverFileStore goes on from that one")
		}
		aside, err := Recover(path, Options{})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if what == "gone" != (aside == "") || aside != "" && read(t, aside) != string(damaged) {
			t.Errorf("%s: put aside as %q", what, aside)
		}
		s = open(t, path)
		if got := counter(t, s); got != 4000+leap {
			t.Errorf("%s: counter %d", what, got)
		}
		// Again, before anything is saved: from where it has gone on.
		s.Close()
		write(t, path, "again")
		if again, err := Recover(path, Options{}); err != nil || again == aside {
			t.Errorf("%s: %q, %v", what, again, err)
		}
		if got := counter(t, open(t, path)); got != 4000+2*leap {
			t.Errorf("%s: counter %d after two recoveries", what, got)
		}
	}
}

// TestRefuseAllDamaged: without an intact generation there is nothing to recover.
func TestRefuseAllDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	write(t, path, "x")
	for _, previous := range []string{"", "x"} {
		if previous != "" {
			write(t, path+".previous", previous)
		}
		refused(t, path, ErrDamaged, "begin as another node")
		if _, err := Recover(path, Options{}); !errors.Is(err, ErrDamaged) || read(t, path) != "x" {
			t.Errorf("%v", err)
		}
	}
	later := strings.Replace(string(file(t, generation{})), `"version":2`, `"version":3`, 1)
	write(t, path, later)
	if _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "later version") {
		t.Errorf("%v", err)
	}
	if _, err := Recover(path, Options{}); err == nil || !strings.Contains(err.Error(), "later version") || read(t, path) != later {
		t.Errorf("%v", err)
	}
}

// TestPreviousDamaged: the present generation alone is enough.
func TestPreviousDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	s := open(t, path)
	save(t, s, 1, 2)
	s.Close()
	os.Remove(path + ".previous")
	write(t, path+".previous", "x")
	s = open(t, path)
	if counter(t, s) != 2 {
		t.Error("not the present one")
	}
	save(t, s, 3)
	if g, err := s.read(path + ".previous"); err != nil || g.settings.MACFrameCounter != 2 {
		t.Errorf("%+v, %v", g, err)
	}
}

// TestUpgrade: a file of the example programs is the previous generation after the first Save.
func TestUpgrade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node.json")
	write(t, path, version1)
	write(t, path+".new", "what a crash has left")
	s := open(t, path)
	got, ok, err := s.Load()
	if !ok || err != nil || got.MACFrameCounter != 3000 {
		t.Fatalf("%+v, %v", got, err)
	}
	got.MACFrameCounter = 4000
	if err := s.Save(got); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if again, _, err := open(t, path).Load(); err != nil || !reflect.DeepEqual(again, got) || !strings.HasPrefix(read(t, path), `{"format"`) {
		t.Errorf("%+v, %v", again, err)
	}
	write(t, path+".cut", version1[:200])
	refused(t, path+".cut", ErrDamaged, "")
}

// TestPlaces: a directory that is not there, things that are no file, links.
func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	refused(t, filepath.Join(dir, "no", "node"), fs.ErrNotExist, "mkdir")
	write(t, filepath.Join(dir, "file"), "x")
	if _, err := Open(filepath.Join(dir, "file", "node"), Options{}); err == nil {
		t.Error("opened below a file")
	}
	if _, err := Open("", Options{}); err == nil {
		t.Error("opened nowhere")
	}
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(filepath.Join(dir, "directory"), Options{}); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("directory: %v", err)
	}
	if runtime.GOOS == "windows" {
		return
	}
	// A link stays one: the file that it leads to is replaced, and locked.
	link, target := filepath.Join(dir, "link"), filepath.Join(dir, "directory", "node")
	if err := os.Symlink(filepath.Join("directory", "node"), link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, fs.ErrNotExist, "leads nowhere")
	s := open(t, target)
	save(t, s, 1)
	refused(t, link, ErrInUse, "")
	s.Close()
	s = open(t, link)
	save(t, s, 2)
	s.Close()
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("%v, %v", info, err)
	}
	if counter(t, open(t, target)) != 2 {
		t.Error("the target was not replaced")
	}
	// One in the way of the new file is replaced, and not followed.
	victim := filepath.Join(dir, "victim")
	write(t, victim, "x")
	s = open(t, filepath.Join(dir, "node"))
	for _, suffix := range []string{".new", ".previous.new", ".previous"} {
		if err := os.Symlink(victim, filepath.Join(dir, "node"+suffix)); err != nil {
			t.Fatal(err)
		}
	}
	save(t, s, 3)
	if read(t, victim) != "x" {
		t.Error("a link was followed")
	}
}

// TestAirtime: kept beside the settings. A damaged file is an error once, and put aside when there is something to save.
func TestAirtime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "node")
	s := open(t, path)
	if sent, err := s.LoadAirtime(); len(sent) > 0 || err != nil {
		t.Fatalf("no file: %v, %v", sent, err)
	}
	for n := range time.Duration(3) {
		want := []lora.SentAirtime{{SubBand: "M", Time: time.Unix(int64(n), 0).UTC(), Used: [12]time.Duration{n, 11: 7}, Ahead: n}}
		if err := s.SaveAirtime(want); err != nil {
			t.Fatal(err)
		}
		if got, err := s.LoadAirtime(); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	name := path + ".airtime"
	for i, damaged := range []string{"", "{", strings.Replace(read(t, name), `"version":2`, `"version":3`, 1)} {
		write(t, name, damaged)
		if _, err := s.LoadAirtime(); err == nil {
			t.Errorf("%q accepted", damaged)
		}
		if err := s.SaveAirtime(nil); err != nil {
			t.Fatal(err)
		}
		aside := name + ".damaged" + []string{"", ".2", ".3"}[i]
		if read(t, aside) != damaged {
			t.Errorf("not put aside as %s", aside)
		}
		if _, err := s.LoadAirtime(); err != nil {
			t.Error(err)
		}
	}
	if _, ok, err := s.Load(); ok || err != nil {
		t.Errorf("settings %v, %v", ok, err)
	}
}
