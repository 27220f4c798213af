package tlv_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"github.com/gopymesh/pymesh/thread/tlv"
)

type element struct {
	typ   uint8
	value []byte
}

var sequences = []struct {
	name     string
	hex      string
	elements []element
}{
	{"empty", "", nil},
	{"no value", "0d00", []element{{13, []byte{}}}},
	{"two", "00024000" + "01010f", []element{{0, []byte{0x40, 0x00}}, {1, []byte{0x0f}}}},
	{"extended", "0cff0100" + hex.EncodeToString(make([]byte, 256)), []element{{12, make([]byte, 256)}}},
	{"longest short form", "0cfe" + hex.EncodeToString(make([]byte, 254)), []element{{12, make([]byte, 254)}}},
	{"shortest extended form", "0cff00ff" + hex.EncodeToString(make([]byte, 255)), []element{{12, make([]byte, 255)}}},
}

func TestBothDirections(t *testing.T) {
	for _, tt := range sequences {
		t.Run(tt.name, func(t *testing.T) {
			wire, err := hex.DecodeString(tt.hex)
			if err != nil {
				t.Fatal(err)
			}
			var encoded []byte
			for _, e := range tt.elements {
				encoded = tlv.Append(encoded, e.typ, e.value)
			}
			if !bytes.Equal(encoded, wire) {
				t.Errorf("Append: %x, want %x", encoded, wire)
			}
			i := 0
			for typ, value := range tlv.All[uint8](wire) {
				if i >= len(tt.elements) || typ != tt.elements[i].typ || !bytes.Equal(value, tt.elements[i].value) {
					t.Fatalf("element %d: type %d, value %x", i, typ, value)
				}
				i++
			}
			if i != len(tt.elements) {
				t.Errorf("%d elements, want %d", i, len(tt.elements))
			}
			if err := tlv.Validate(wire); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestTruncationLadder(t *testing.T) {
	for _, tt := range sequences {
		wire, _ := hex.DecodeString(tt.hex)
		boundaries := map[int]bool{0: true}
		n := 0
		for _, e := range tt.elements {
			n += len(tlv.Append(nil, e.typ, e.value))
			boundaries[n] = true
		}
		for n := range len(wire) {
			if err := tlv.Validate(wire[:n]); (err == nil) != boundaries[n] {
				t.Errorf("%s cut to %d bytes: %v", tt.name, n, err)
			}
		}
	}
}

func TestFind(t *testing.T) {
	b := []byte{1, 1, 0xaa, 2, 0, 1, 1, 0xbb, 3, 9, 0}
	if v, ok := tlv.Find(b, uint8(1)); !ok || !bytes.Equal(v, []byte{0xaa}) {
		t.Errorf("first of two: %x, %v", v, ok)
	}
	if v, ok := tlv.Find(b, uint8(2)); !ok || len(v) != 0 {
		t.Errorf("empty value: %x, %v", v, ok)
	}
	for _, typ := range []uint8{3, 4} {
		if v, ok := tlv.Find(b, typ); ok {
			t.Errorf("type %d: %x", typ, v)
		}
	}
}

func TestAppendCutsWhatCannotFit(t *testing.T) {
	b := tlv.Append(nil, uint8(1), make([]byte, tlv.MaxLength+1))
	if err := tlv.Validate(b); err != nil || len(b) != 4+tlv.MaxLength {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

func TestValueCannotGrowIntoTheNext(t *testing.T) {
	b := []byte{1, 1, 0xaa, 2, 1, 0xbb}
	v, _ := tlv.Find(b, uint8(1))
	_ = append(v, 0xff)
	if b[3] != 2 {
		t.Error("append to a value changed the next element")
	}
}

func TestNoAllocations(t *testing.T) {
	b := make([]byte, 0, 64)
	value := []byte{1, 2, 3}
	if n := testing.AllocsPerRun(100, func() {
		b = tlv.Append(b[:0], uint8(1), value)
		b = tlv.Append(b, uint8(2), value)
		for typ, v := range tlv.All[uint8](b) {
			_, _ = typ, v
		}
		tlv.Find(b, uint8(2))
		_ = tlv.Validate(b)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzNext(f *testing.F) {
	for _, tt := range sequences {
		wire, _ := hex.DecodeString(tt.hex)
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		valid := tlv.Validate(b) == nil
		rest, size := b, 0
		for len(rest) > 0 {
			typ, value, next, err := tlv.Next[uint8](rest)
			if err != nil {
				if valid {
					t.Fatal("Validate accepts what Next refuses")
				}
				return
			}
			size += len(rest) - len(next)
			if size > len(b) || len(next) >= len(rest) {
				t.Fatal("no progress")
			}
			again, v, tail, err := tlv.Next[uint8](tlv.Append(nil, typ, value))
			if err != nil || again != typ || !bytes.Equal(v, value) || len(tail) != 0 {
				t.Fatalf("%d %x does not survive: %d %x %v", typ, value, again, v, err)
			}
			rest = next
		}
		if !valid {
			t.Fatal("Validate refuses what Next accepts")
		}
	})
}
