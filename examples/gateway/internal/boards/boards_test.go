package boards

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
)

type mesh struct{}

var neighbor = pycom.Neighbor{MAC: 8, RLOC16: 0x5800, Role: 3, RSSI: -70, Age: 7}

func (mesh) MAC() uint64 { return 0x70b3d54990000001 }
func (mesh) Describe() pycom.Info {
	return pycom.Info{RLOC16: 0x5400, Latitude: 52.1, Longitude: 5.125, Neighbors: []pycom.Neighbor{neighbor}}
}
func (mesh) Nodes() []uint16     { return make([]uint16, 300) }
func (mesh) Pairs() []pycom.Pair { return []pycom.Pair{{A: 1, B: 8, RSSI: -70}} }

// TestAnswers asks all that a board asks.
func TestAnswers(t *testing.T) {
	now := time.Unix(1000, 0)
	b := New(mesh{}, 7)
	own := pycom.Info{Role: pycom.RoleRouter, MAC: 1, RLOC16: 0x5400, Latitude: 52.1, Longitude: 5.125, Neighbors: []pycom.Neighbor{neighbor}}
	for _, tt := range []struct {
		ask    pycom.Packet
		answer pycom.Packet
		ok     bool
	}{
		{pycom.Packet{Kind: pycom.KindText, Text: pycom.Text{MAC: 5, ID: 12345, Text: "hi"}},
			pycom.Packet{Kind: pycom.KindReceived, Received: pycom.Received{MAC: 0x70b3d54990000001, ID: 12345}}, true},
		{pycom.Packet{Kind: pycom.KindAskInfo, About: 1}, pycom.Packet{Kind: pycom.KindInfo, Info: own}, true},
		{pycom.Packet{Kind: pycom.KindAskInfo, About: 8},
			pycom.Packet{Kind: pycom.KindInfo, Info: pycom.Info{Role: pycom.RoleChild, MAC: 8, RLOC16: 0x5800, Link: neighbor}}, true},
		{pycom.Packet{Kind: pycom.KindAskInfo, About: 77}, pycom.Packet{}, false},
		{pycom.Packet{Kind: pycom.KindAskNeighbors}, pycom.Packet{Kind: pycom.KindNeighbors, Info: own}, true},
		{pycom.Packet{Kind: pycom.KindAskNodes}, pycom.Packet{Kind: pycom.KindNodes, Nodes: make([]uint16, pycom.MaxNodes)}, true},
		{pycom.Packet{Kind: pycom.KindAskPairs}, pycom.Packet{Kind: pycom.KindPairs, Pairs: mesh{}.Pairs()}, true},
		{pycom.Packet{Kind: pycom.KindNodes}, pycom.Packet{}, false},
	} {
		got, ok := b.Heard(now, 5, tt.ask)
		if ok != tt.ok || !reflect.DeepEqual(got, tt.answer) {
			t.Errorf("%v: %+v, %v", tt.ask.Kind, got, ok)
		}
		if !ok {
			continue
		}
		if _, err := got.AppendBinary(nil); err != nil {
			t.Errorf("%v: %v", tt.ask.Kind, err)
		}
	}
}

// TestText has texts come, and not come.
func TestText(t *testing.T) {
	b := New(mesh{}, 0xffff)
	_, first, forget, err := b.Text(5, "one")
	if err != nil {
		t.Fatal(err)
	}
	p, second, _, err := b.Text(8, "two")
	if err != nil || p.Text != (pycom.Text{MAC: mesh{}.MAC(), ID: 0, Text: "two"}) {
		t.Fatalf("%+v, %v", p, err)
	}
	has := func(c <-chan struct{}) bool {
		select {
		case <-c:
			return true
		default:
			return false
		}
	}
	heard := func(mac uint64, id uint16) {
		b.Heard(time.Time{}, uint16(mac), pycom.Packet{Kind: pycom.KindReceived, Received: pycom.Received{MAC: mac, ID: id}})
	}
	heard(5, 0)      // of the other text
	heard(8, 0xffff) // by another board
	if has(first) || has(second) {
		t.Error("texts have come to others")
	}
	heard(0x70b3d54999990008, 0)
	heard(0x70b3d54999990008, 0) // once more
	if !has(second) || has(first) {
		t.Error("a text has not come, or another one has")
	}
	forget()
	heard(5, 0xffff)
	if has(first) {
		t.Error("one that nobody waits for has come")
	}
	for range maxWaiting {
		if _, _, _, err = b.Text(5, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, _, err = b.Text(5, "x"); !errors.Is(err, ErrBusy) {
		t.Errorf("%v", err)
	}
	if _, _, _, err = New(mesh{}, 0).Text(5, strings.Repeat("x", pycom.MaxText+1)); !errors.Is(err, pycom.ErrTooLong) {
		t.Errorf("%v", err)
	}
}

// TestKnown keeps what boards tell, the latest of them.
func TestKnown(t *testing.T) {
	b := New(mesh{}, 0)
	now := time.Unix(1000, 0)
	tell := func(from uint16, i pycom.Info) { b.Heard(now, from, pycom.Packet{Kind: pycom.KindInfo, Info: i}) }
	tell(5, pycom.Info{Role: pycom.RoleChild, MAC: 9, Link: pycom.Neighbor{MAC: 9, RSSI: -101}})
	tell(9, pycom.Info{Role: pycom.RoleRouter, MAC: 9, Latitude: 52, Longitude: 5})
	tell(5, pycom.Info{Role: pycom.RoleChild, MAC: 9, Link: pycom.Neighbor{MAC: 9, RSSI: -101}}) // less than it has told of itself
	tell(5, pycom.Info{Role: pycom.RoleRouter, MAC: 1})                                          // of this node
	if k := b.Known(); len(k) != 1 || k[0].MAC != 9 || !k[0].Info.Positioned() || k[0].Seen != now {
		t.Errorf("%+v", k)
	}
	for i := range 2 * maxBoards {
		now = now.Add(time.Second)
		b.Heard(now, 0, pycom.Packet{Kind: pycom.KindText, Text: pycom.Text{MAC: uint64(100 + i)}})
	}
	if k := b.Known(); len(k) != maxBoards || k[0].MAC != 100+maxBoards {
		t.Errorf("%d boards, the first %d", len(k), k[0].MAC)
	}
}

func FuzzHeard(f *testing.F) {
	b, _ := pycom.Packet{Kind: pycom.KindReceived, Received: pycom.Received{MAC: 5, ID: 0}}.AppendBinary(nil)
	f.Add(b, uint16(5))
	f.Fuzz(func(t *testing.T, datagram []byte, from uint16) {
		p, err := pycom.Parse(datagram)
		if err != nil {
			return
		}
		b := New(mesh{}, 0)
		_, _, _, _ = b.Text(5, "x")
		if answer, ok := b.Heard(time.Unix(1, 0), from, p); ok {
			if _, err := answer.AppendBinary(nil); err != nil {
				t.Errorf("%+v: %v", answer, err)
			}
		}
		if len(b.Known()) > 1 {
			t.Errorf("%+v", b.Known())
		}
	})
}
