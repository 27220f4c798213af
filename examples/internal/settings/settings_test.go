package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

func TestFile(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "node.json")}
	if _, ok, err := f.Load(); ok || err != nil {
		t.Fatalf("no file: %v, %v", ok, err)
	}
	for counter := range uint32(3) {
		want := thread.Settings{NetworkKey: [16]byte{1, 2}, MACFrameCounter: 1000 * counter, Role: thread.RoleRouter}
		if err := f.Save(want); err != nil {
			t.Fatal(err)
		}
		got, ok, err := f.Load()
		if !ok || err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v, %v", got, ok, err)
		}
	}
	info, err := os.Stat(f.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	for _, damaged := range []string{"", "{", `{"Version":99}`} {
		if err := os.WriteFile(f.Path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.Load(); err == nil {
			t.Errorf("%q accepted", damaged)
		}
	}
	if err := (File{Path: filepath.Join(t.TempDir(), "no", "node.json")}).Save(thread.Settings{}); err == nil {
		t.Error("saved in a directory that is not there")
	}
}

func TestAirtime(t *testing.T) {
	a := AirtimeBeside(filepath.Join(t.TempDir(), "node.json"))
	if sent, err := a.LoadAirtime(); len(sent) > 0 || err != nil {
		t.Fatalf("no file: %v, %v", sent, err)
	}
	for n := range time.Duration(3) {
		want := []lora.SentAirtime{{SubBand: "M", Time: time.Unix(int64(n), 0).UTC(), Used: [12]time.Duration{n, 11: 7}, Ahead: n}}
		if err := a.SaveAirtime(want); err != nil {
			t.Fatal(err)
		}
		if got, err := a.LoadAirtime(); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, %v", got, err)
		}
	}
	for _, damaged := range []string{"", "{", `{"Version":99}`} {
		if err := os.WriteFile(a.file.Path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := a.LoadAirtime(); err == nil {
			t.Errorf("%q accepted", damaged)
		}
	}
}

// A file of an earlier version, without key sequences of old and without a dataset, loads.
func TestEarlierFile(t *testing.T) {
	f := File{Path: filepath.Join(t.TempDir(), "node.json")}
	const earlier = `{"Version":1,"Settings":{"NetworkKey":[1,2,0,0,0,0,0,0,0,0,0,0,0,0,0,0],"ExtAddr":[9,0,0,0,0,0,0,0],
		"KeySequence":7,"MACFrameCounter":3000,"MLEFrameCounter":2000,"MPLSequence":5,"Role":4,"RLOC16":1024,"Mode":15,"PartitionID":77,
		"MeshLocalIID":[1,2,3,4,5,6,7,8],"Parent":[0,0,0,0,0,0,0,0],"Children":null,"Network":null,"AutoStart":true}}`
	if err := os.WriteFile(f.Path, []byte(earlier), 0o600); err != nil {
		t.Fatal(err)
	}
	s, ok, err := f.Load()
	if !ok || err != nil || s.KeySequence != 7 || s.MACFrameCounter != 3000 || s.HighestKeySequence != 0 || s.Dataset != nil || !s.AutoStart {
		t.Errorf("%+v, %v, %v", s, ok, err)
	}
	s.Dataset = &thread.DatasetSettings{Timestamp: [8]byte{7: 1}, TLVs: []byte{3, 1, 'x'}}
	s.Children = []thread.ChildSettings{{RLOC16: 1025}}
	if err := f.Save(s); err != nil {
		t.Fatal(err)
	}
	if again, ok, err := f.Load(); !ok || err != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("%+v, %v, %v", again, ok, err)
	}
}
