package ieee802154_test

import (
	"bytes"
	"testing"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// TestCaptures takes every recorded frame apart and puts it together again:
// parsed and encoded it is the same bytes, and so is a secured frame that is
// opened and sealed.
func TestCaptures(t *testing.T) {
	for _, name := range captures.Names() {
		t.Run(name, func(t *testing.T) {
			records, err := captures.Frames(name)
			if err != nil {
				t.Fatal(err)
			}
			secured := 0
			for i, r := range records {
				f, err := ieee802154.ParseFrame(r.PSDU)
				if err != nil {
					t.Fatalf("frame %d: %v\n%x", i, err, r.PSDU)
				}
				if !ieee802154.FCSValid(r.PSDU) {
					t.Errorf("frame %d: FCS is invalid", i)
				}
				got, err := f.AppendBinary(nil)
				if err != nil || !bytes.Equal(got, r.PSDU) {
					t.Errorf("frame %d: AppendBinary: %v\n got %x\nwant %x", i, err, got, r.PSDU)
				}
				if f.Type == ieee802154.Ack {
					checkAck(t, i, &f, r.PSDU)
				}
				if f.Security.Level != ieee802154.SecurityNone {
					secured++
					checkSecured(t, i, &f, r.PSDU)
				}
			}
			if secured == 0 {
				t.Error("no frame was secured")
			}
		})
	}
}

// checkAck compares an acknowledgment of version 2003 with AppendAck.
func checkAck(t *testing.T, i int, f *ieee802154.Frame, psdu []byte) {
	t.Helper()
	if f.Version != ieee802154.Version2003 {
		return
	}
	if got := ieee802154.AppendAck(nil, f.Seq, f.FramePending); !bytes.Equal(got, psdu) {
		t.Errorf("frame %d: AppendAck = %x, want %x", i, got, psdu)
	}
}

// checkSecured opens a frame with the key of its index and the extended address
// of its sender, seals the plaintext, and compares.
func checkSecured(t *testing.T, i int, f *ieee802154.Frame, psdu []byte) {
	t.Helper()
	if f.Security.Level != ieee802154.SecurityENCMIC32 || f.Security.KeyIDMode != ieee802154.KeyIDModeIndex {
		t.Errorf("frame %d: level %v, key id mode %v", i, f.Security.Level, f.Security.KeyIDMode)
		return
	}
	seq, ok := keys.FromIndex(0, f.Security.KeyIndex)
	if !ok {
		t.Errorf("frame %d: key index %d", i, f.Security.KeyIndex)
		return
	}
	ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, seq).MAC)

	plain, src, ok := openAny(f, psdu, ccm)
	if !ok {
		t.Errorf("frame %d: no node has sent it\n%x", i, psdu)
		return
	}
	if f.Type == ieee802154.Command && (f.Command != ieee802154.DataRequest || len(plain) != 0) {
		t.Errorf("frame %d: command %v with payload %x", i, f.Command, plain)
	}
	if f.Overhead()+len(plain) != len(psdu) {
		t.Errorf("frame %d: overhead %d + payload %d is not %d", i, f.Overhead(), len(plain), len(psdu))
	}
	f.Payload = plain
	got, err := f.AppendSealed(nil, ccm, src)
	if err != nil || !bytes.Equal(got, psdu) {
		t.Errorf("frame %d: AppendSealed: %v\n got %x\nwant %x", i, err, got, psdu)
	}
}

// openAny opens a frame from an extended address with that address, and one
// from a short address with the extended address of each node in turn.
func openAny(f *ieee802154.Frame, psdu []byte, ccm *ieee802154.CCM) ([]byte, ieee802154.ExtAddr, bool) {
	candidates := []ieee802154.ExtAddr{f.Src.Ext}
	if f.Src.Mode == ieee802154.AddrModeShort {
		candidates = nil
		for n := range uint8(captures.NumNodes) {
			candidates = append(candidates, captures.NodeExtAddr(n+1))
		}
	}
	for _, src := range candidates {
		if plain, err := f.Open(nil, psdu, ccm, src); err == nil {
			return plain, src, true
		}
	}
	return nil, ieee802154.ExtAddr{}, false
}
