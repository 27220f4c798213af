package main

import (
	"path/filepath"
	"testing"

	"github.com/gopymesh/pymesh/thread"
)

// TestStore: the directory is made, the settings are kept, and gone after a factory reset. One node at a time has them.
func TestStore(t *testing.T) {
	for _, virtual := range []bool{false, true} {
		o := options{dir: filepath.Join(t.TempDir(), "tmp"), virtual: virtual}
		for want := range uint32(3) {
			s, err := o.openStore("0_1.json")
			if err != nil {
				t.Fatal(err)
			}
			if got, _, err := s.Load(); err != nil || got.MACFrameCounter != want {
				t.Fatalf("%+v, %v", got, err)
			}
			if other, err := o.openStore("0_1.json"); err == nil {
				other.Close()
				t.Error("opened twice")
			}
			if err := s.Save(thread.Settings{MACFrameCounter: want + 1}); err != nil {
				t.Fatal(err)
			}
			s.Close()
		}
		s, err := o.openStore("0_1.json")
		if err != nil {
			t.Fatal(err)
		}
		var d eraser = s
		if err := d.Erase(); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Load(); ok || err != nil {
			t.Errorf("after Erase: %v, %v", ok, err)
		}
		s.Close()
	}
}
