package captures

import "testing"

func TestFrames(t *testing.T) {
	want := map[string]int{
		"ot-s1": 423, "ot-s2": 810, "ot-s4": 425,
		"pycom-s1": 438, "pycom-s2": 818, "pycom-s3": 168, "pycom-s4": 415, "pycom-s6": 86,
	}
	names := Names()
	if len(names) != len(want) {
		t.Fatalf("Names() = %q, want %d names", names, len(want))
	}
	for _, name := range names {
		records, err := Frames(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(records) != want[name] {
			t.Errorf("%s: %d frames, want %d", name, len(records), want[name])
		}
		for i, r := range records {
			if r.Time < 0 || len(r.PSDU) < 5 || len(r.PSDU) > 127 {
				t.Errorf("%s: frame %d: time %v, %d bytes", name, i, r.Time, len(r.PSDU))
			}
		}
	}
}

func TestFramesUnknown(t *testing.T) {
	if _, err := Frames("nosuch"); err == nil {
		t.Error("Frames of an unknown capture did not fail")
	}
}
