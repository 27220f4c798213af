package mac

import (
	"bytes"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// announcement is a frame to all networks.
func announcement(level ieee802154.SecurityLevel) ieee802154.Frame {
	return ieee802154.Frame{
		Type: ieee802154.Data, DstPAN: ieee802154.BroadcastPAN, SrcPAN: pan, Dst: broadcast, Src: ieee802154.ExtAddress(stranger),
		Security: ieee802154.SecurityHeader{Level: level, KeyIDMode: ieee802154.KeyIDModeSource4}, Payload: []byte("announcement"),
	}
}

// Thread 1.1 §7.2.2: an Announcement is secured under the key that everybody knows, and leaves on its channel alone.
func TestSendAnnouncement(t *testing.T) {
	n := newNode(t, timing)
	n.Listen = 11
	for _, channel := range []uint8{20, 0} {
		f := announcement(ieee802154.SecurityENCMIC32)
		f.Src = ieee802154.ExtAddress(own)
		if err := n.SendOn(channel, f); err != nil {
			t.Fatal(err)
		}
		if n.Channel() != 11 {
			t.Error("on channel", n.Channel(), "before it sends")
		}
		n.core.Advance(n.timer)
		n.HandleTimeout()
		psdu, ok := n.PollTransmit()
		want := channel
		if channel == 0 {
			want = 11
		}
		if !ok || n.Channel() != want {
			t.Error(ok, "sends on channel", n.Channel())
		}
		got, err := ieee802154.ParseFrame(append(psdu, 0, 0)[:len(psdu)])
		if err != nil {
			t.Fatal(err)
		}
		plain, err := got.Open(nil, psdu, ieee802154.NewCCM(keys.Mode2Key), keys.Mode2ExtAddr)
		if err != nil || !bytes.Equal(plain, f.Payload) || got.Security.KeySource != announceSource || got.Security.KeyIndex != announceIndex {
			t.Errorf("%+v, %q, %v", got.Security, plain, err)
		}
		n.HandleTransmitDone(nil)
		if n.Channel() != 11 {
			t.Error("on channel", n.Channel(), "after it has sent")
		}
	}
}

// What is secured so is as good as not secured: whoever it is from, it proves nothing.
func TestReceiveAnnouncement(t *testing.T) {
	n := newNode(t, timing)
	seal := func(level ieee802154.SecurityLevel, source [8]byte, index uint8) []byte {
		f := announcement(level)
		f.Version, f.Security.KeySource, f.Security.KeyIndex, f.Security.FrameCounter = ieee802154.Version2006, source, index, 7
		return must(f.AppendSealed(nil, ieee802154.NewCCM(keys.Mode2Key), keys.Mode2ExtAddr))
	}
	right := seal(ieee802154.SecurityENCMIC32, announceSource, announceIndex)
	for range 2 { // nothing tells a recording from it
		got, ok := n.HandleFrame(right, -70)
		if !ok || got.Secured || got.Type != ieee802154.Data || string(got.Payload) != "announcement" || got.Src.Ext != stranger || n.SourcePAN() != pan {
			t.Fatalf("%+v, %v", got, ok)
		}
	}
	wrong := [][]byte{
		seal(ieee802154.SecurityENCMIC64, announceSource, announceIndex), seal(ieee802154.SecurityENCMIC32, [8]byte{1, 2, 3, 4}, announceIndex),
		seal(ieee802154.SecurityENCMIC32, announceSource, 1), bytes.Clone(right),
	}
	wrong[3][len(right)-3] ^= 1
	for i, psdu := range wrong {
		if got, ok := n.HandleFrame(psdu, -70); ok || n.Counters.RxSecurity != uint64(i+1) {
			t.Errorf("%d: %+v, %v", i, got, ok)
		}
	}
}

// IEEE 802.15.4-2006 §7.2.2.1, §7.3.7: beacons and requests for them are frames of 2003, not secured, and go up as they came.
func TestBeacons(t *testing.T) {
	n := newNode(t, timing)
	request := ieee802154.Frame{Type: ieee802154.Command, Command: ieee802154.BeaconRequest, DstPAN: ieee802154.BroadcastPAN, Dst: broadcast}
	beacon := ieee802154.Frame{Type: ieee802154.Beacon, SrcPAN: 0x4321, Src: ieee802154.ExtAddress(own), Payload: []byte("beacon")}
	for _, f := range []ieee802154.Frame{request, beacon} {
		if err := n.Send(f); err != nil {
			t.Fatal(err)
		}
		n.core.Advance(n.timer)
		n.HandleTimeout()
		psdu, ok := n.PollTransmit()
		got, err := ieee802154.ParseFrame(psdu)
		if !ok || err != nil || got.Version != ieee802154.Version2003 || got.Type != f.Type || got.Security.Level != ieee802154.SecurityNone {
			t.Fatalf("%+v, %v, %v", got, ok, err)
		}
		n.HandleTransmitDone(nil)
	}
	if n.Counters.TxBeacons != 1 || n.Counters.TxBeaconRequests != 1 {
		t.Errorf("%+v", n.Counters)
	}
	beacon.Src = ieee802154.ExtAddress(stranger)
	got, ok := n.HandleFrame(must(beacon.AppendBinary(nil)), -70)
	if !ok || got.Type != ieee802154.Beacon || string(got.Payload) != "beacon" || got.PAN != 0x4321 || got.Src.Ext != stranger || got.RSSI != -70 {
		t.Errorf("%+v, %v", got, ok)
	}
	if got, ok := n.HandleFrame(must(request.AppendBinary(nil)), -70); !ok || got.Type != ieee802154.Command || n.Counters.RxBeaconRequests != 1 {
		t.Errorf("%+v, %v", got, ok)
	}
	n.Filter.SetMode(FilterWhitelist)
	if got, ok := n.HandleFrame(must(beacon.AppendBinary(nil)), -70); ok || n.Counters.RxFiltered != 1 {
		t.Errorf("a beacon that the filter holds back: %+v, %v", got, ok)
	}
}
