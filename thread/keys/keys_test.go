package keys

import (
	"encoding/hex"
	"errors"
	"testing"
)

func TestDerive(t *testing.T) {
	key := [Size]byte{
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
		0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff,
	}
	for _, tt := range []struct {
		seq      Sequence
		mle, mac string
	}{
		{0, "5445f4158fd75912175809f8b57a66a4", "de89c53af382b421e0fde5a9bae3bef0"},
		{1, "8f4cd1a27d95c07d12db8974bd615c13", "9be0d1af7bd87350deabcdd07febb9d5"},
		{0x12345678, "39410c3f5b978d8e35e0e61c885cbd86", "7cea13a3b2cb947cf2fbbe3338c23677"},
	} {
		p := Derive(key, tt.seq)
		if got := hex.EncodeToString(p.MLE[:]); got != tt.mle {
			t.Errorf("sequence %d: MLE key %s, want %s", tt.seq, got, tt.mle)
		}
		if got := hex.EncodeToString(p.MAC[:]); got != tt.mac {
			t.Errorf("sequence %d: MAC key %s, want %s", tt.seq, got, tt.mac)
		}
	}
}

func TestIndex(t *testing.T) {
	for _, tt := range []struct {
		seq  Sequence
		want uint8
	}{{0, 1}, {1, 2}, {126, 127}, {127, 128}, {128, 1}, {0xffffffff, 128}} {
		if got := tt.seq.Index(); got != tt.want {
			t.Errorf("index of %d = %d, want %d", tt.seq, got, tt.want)
		}
	}
}

func TestFromIndex(t *testing.T) {
	for _, tt := range []struct {
		current Sequence
		index   uint8
		want    Sequence
		ok      bool
	}{
		{0, 1, 0, true},
		{0, 2, 1, true},
		{0, 128, 0, false}, // no sequence precedes 0
		{0xffffffff, 128, 0xffffffff, true},
		{0xffffffff, 1, 0, false},
		{0, 3, 0, false},
		{0, 0, 0, false},
		{0, 129, 0, false},
		{1, 1, 0, true},
		{127, 128, 127, true},
		{127, 127, 126, true},
		{127, 1, 128, true},
		{128, 128, 127, true},
		{1000, 1000&0x7f + 1, 1000, true},
		{1000, 1000&0x7f + 3, 0, false},
	} {
		got, ok := FromIndex(tt.current, tt.index)
		if got != tt.want || ok != tt.ok {
			t.Errorf("FromIndex(%d, %d) = %d, %v, want %d, %v", tt.current, tt.index, got, ok, tt.want, tt.ok)
		}
	}
}

func TestReplay(t *testing.T) {
	fresh := Replay{}
	seen := Replay{}
	seen.Accept(5, 100)
	for _, tt := range []struct {
		name    string
		replay  Replay
		seq     Sequence
		counter uint32
		want    error
	}{
		{"first frame", fresh, 0, 0, nil},
		{"first frame, any counter", fresh, 3, 1000, nil},
		{"next counter", seen, 5, 101, nil},
		{"counter ahead", seen, 5, 5000, nil},
		{"same counter", seen, 5, 100, ErrDuplicate},
		{"older counter", seen, 5, 99, ErrReplay},
		{"later sequence", seen, 6, 0, nil},
		{"earlier sequence", seen, 4, 101, ErrReplay},
		{"last counter", seen, 5, 0xfffffffe, nil},
		{"counter used up", seen, 5, 0xffffffff, ErrReplay},
		{"counter used up, later sequence", seen, 6, 0xffffffff, ErrReplay},
		{"from a link's frame counter", ReplayFrom(5, 100), 5, 100, nil},
		{"before a link's frame counter", ReplayFrom(5, 100), 5, 98, ErrReplay},
	} {
		if err := tt.replay.Check(tt.seq, tt.counter); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
	}
	if seen.Sequence() != 5 || seen.Next() != 101 {
		t.Errorf("sequence %d, next %d, want 5 and 101", seen.Sequence(), seen.Next())
	}

	r := ReplayFrom(0, 0)
	for _, counter := range []uint32{0, 1, 7, 0xfffffffe} {
		if err := r.Check(0, counter); err != nil {
			t.Errorf("counter %d: %v", counter, err)
		}
		r.Accept(0, counter)
		if err := r.Check(0, counter); !errors.Is(err, ErrDuplicate) {
			t.Errorf("counter %d again: %v, want %v", counter, err, ErrDuplicate)
		}
	}
}
