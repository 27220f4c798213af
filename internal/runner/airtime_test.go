package runner

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// TestAirtime: each packet is counted in one kind.
func TestAirtime(t *testing.T) {
	frame := func(f ieee802154.Frame) []byte {
		f.Version, f.PANIDCompression, f.DstPAN, f.SrcPAN = ieee802154.Version2006, true, 1, 1
		f.Dst, f.Src = ieee802154.ShortAddress(1), ieee802154.ShortAddress(2)
		b, err := f.AppendBinary(nil)
		if f.Security.Level != ieee802154.SecurityNone {
			b, err = f.AppendSealed(nil, ieee802154.NewCCM([16]byte{1}), ieee802154.ExtAddr{2})
		}
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var a Airtime
	a.add(ieee802154.AppendAck(nil, 1, false), time.Second)
	a.add(frame(ieee802154.Frame{Type: ieee802154.Data, Payload: []byte{1}}), 2*time.Second)
	a.add(frame(ieee802154.Frame{Type: ieee802154.Data, Payload: []byte{1}, Security: ieee802154.SecurityHeader{
		Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex, KeyIndex: 1,
	}}), 4*time.Second)
	a.add(frame(ieee802154.Frame{Type: ieee802154.Command, Command: ieee802154.DataRequest}), 8*time.Second)
	a.add([]byte{1}, 16*time.Second)
	if want := (Airtime{time.Second, 2 * time.Second, 4 * time.Second, 24 * time.Second}); a != want {
		t.Errorf("%+v, want %+v", a, want)
	}
}
