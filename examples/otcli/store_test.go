package main

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/examples/internal/settings"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

func TestFileStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tmp")
	s := fileStore{settings.File{Path: filepath.Join(dir, "0_1.json")}}
	if _, ok, err := s.Load(); ok || err != nil {
		t.Fatalf("empty store: %v, %v", ok, err)
	}
	want := thread.Settings{
		NetworkKey:      [16]byte{1, 2, 3},
		ExtAddr:         ieee802154.ExtAddr{4, 5, 6},
		KeySequence:     7,
		MACFrameCounter: 1000, MLEFrameCounter: 2000,
		Role: thread.RoleRouter, RLOC16: 0x5800, Mode: thread.ModeFullThreadDevice, PartitionID: 0xdeadbeef,
		Children: []thread.ChildSettings{{ExtAddr: ieee802154.ExtAddr{8}, RLOC16: 0x5801, Timeout: 240 * time.Second}},
	}
	for _, counter := range []uint32{1000, 3000} {
		want.MACFrameCounter = counter
		if err := s.Save(want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := (fileStore{settings.File{Path: filepath.Join(dir, "0_1.json"), Volatile: true}}).Load()
		if err != nil || !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("loaded %+v, %v, %v\nwant %+v", got, ok, err, want)
		}
	}
	info, err := os.Stat(s.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file mode %v, %v: it holds the network key", info.Mode(), err)
	}
	for range 2 {
		if err := s.Erase(); err != nil {
			t.Errorf("erase: %v", err)
		}
	}
	if _, ok, err := s.Load(); ok || err != nil {
		t.Errorf("after Erase: %v, %v", ok, err)
	}
}

func TestFileStoreDamaged(t *testing.T) {
	s := fileStore{settings.File{Path: filepath.Join(t.TempDir(), "x.json"), Volatile: true}}
	for _, content := range []string{"", "{", `{"Version":99,"Settings":{}}`} {
		if err := os.WriteFile(s.Path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Load(); ok || err == nil {
			t.Errorf("%q: no error", content)
		}
	}
	// A node that cannot store must not send: the error must reach the engine.
	blocked := fileStore{settings.File{Path: filepath.Join(s.Path, "y.json"), Volatile: true}} // below a file
	if err := blocked.Save(thread.Settings{}); err == nil {
		t.Error("saved below a file")
	}
}
