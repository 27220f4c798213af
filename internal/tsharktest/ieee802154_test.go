package tsharktest_test

import (
	"fmt"
	"testing"

	"github.com/gopymesh/pymesh/internal/tsharktest"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
)

func TestMACAcks(t *testing.T) {
	frames := tsharktest.Verify(t, recorded, [][]byte{
		ieee802154.AppendAck(nil, 0x17, false),
		ieee802154.AppendAck(nil, 0xff, true),
	})
	fields{"wpan.fcf": "0x0002", "wpan.seq_no": "23", "wpan.pending": "0"}.check(t, frames[0])
	fields{"wpan.fcf": "0x0012", "wpan.seq_no": "255", "wpan.pending": "1"}.check(t, frames[1])
}

// TestMACFrames sends one frame of each frame control that nodes use.
func TestMACFrames(t *testing.T) {
	ours, theirs := ieee802154.ExtAddress(ourExt), ieee802154.ExtAddress(theirExt)
	echo := func(t *testing.T) []byte {
		s := newSender(t, 0)
		datagram := udp(t, ip6.Header{HopLimit: 64, Src: ourLinkLocal, Dst: theirLinkLocal}, 1234, 4321, []byte("hello"))
		s.datagram(datagram, ours, theirs, ieee802154.SecurityNone)
		f, err := ieee802154.ParseFrame(s.psdus[0])
		if err != nil {
			t.Fatal(err)
		}
		return f.Payload
	}
	data := ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true,
		DstPAN: pan, Dst: theirs, Src: ours, Payload: echo(t),
	}
	secured := ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32}
	poll := ieee802154.Frame{
		Type: ieee802154.Command, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true,
		DstPAN: pan, Dst: theirAddr, Src: ourAddr, Security: secured, Command: ieee802154.DataRequest,
	}
	with := func(f ieee802154.Frame, change func(*ieee802154.Frame)) ieee802154.Frame {
		change(&f)
		return f
	}
	beaconPayload, err := ieee802154.BeaconPayload{
		Version: ieee802154.ThreadProtocolVersion, JoiningPermitted: true, NetworkName: "OpenThread",
		ExtPANID: [8]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe},
	}.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		frame ieee802154.Frame
		want  fields
	}{
		{"extended to extended", data, fields{
			"wpan.fcf": "0xdc61", "wpan.dst64": "70:b3:d5:49:90:00:00:02", "wpan.src64": "70:b3:d5:49:90:00:00:01",
			"wpan.dst_pan": "0x1234", "ipv6.src": "fe80::72b3:d549:9000:1", "udp.payload": "68:65:6c:6c:6f",
		}},
		{"secured", with(data, func(f *ieee802154.Frame) { f.Security = secured }), fields{
			"wpan.fcf": "0xdc69", "wpan.aux_sec.sec_level": "0x05", "wpan.aux_sec.key_id_mode": "0x01",
			"wpan.aux_sec.key_index": "0x01", "udp.payload": "68:65:6c:6c:6f",
		}},
		{"frame pending", with(data, func(f *ieee802154.Frame) { f.Security, f.FramePending = secured, true }), fields{
			"wpan.fcf": "0xdc79", "wpan.pending": "1",
		}},
		{"data request", poll, fields{
			"wpan.fcf": "0x986b", "wpan.cmd": "0x04", "wpan.src16": "0x5800", "wpan.dst16": "0x5803",
			"wpan.aux_sec.frame_counter": "2",
		}},
		{"data request from an extended address", with(poll, func(f *ieee802154.Frame) { f.Dst, f.Src = theirs, ours }), fields{
			"wpan.fcf": "0xdc6b", "wpan.cmd": "0x04",
		}},
		{"beacon request", ieee802154.Frame{
			Type: ieee802154.Command, DstPAN: ieee802154.BroadcastPAN, Dst: everyone, Command: ieee802154.BeaconRequest,
		}, fields{"wpan.fcf": "0x0803", "wpan.cmd": "0x07", "wpan.dst_pan": "0xffff", "wpan.dst16": "0xffff"}},
		{"beacon", ieee802154.Frame{Type: ieee802154.Beacon, SrcPAN: pan, Src: ours, Payload: beaconPayload}, fields{
			"wpan.fcf": "0xc000", "wpan.src_pan": "0x1234", "thread_bcn.protocol": "3", "thread_bcn.joining": "1",
			"thread_bcn.native": "0", "thread_bcn.version": "2", "thread_bcn.network_name": "OpenThread",
			"thread_bcn.epid": "de:ad:00:be:ef:00:ca:fe",
		}},
	}
	s := newSender(t, 0)
	for _, tt := range tests {
		s.frame(tt.frame)
	}
	for i, f := range s.verify() {
		t.Run(tests[i].name, func(t *testing.T) { tests[i].want.check(t, f) })
	}
}

// TestMACKeySequences seals frames with keys of sequences of which the index, a number
// from 1 to 128, is all that a frame shows.
func TestMACKeySequences(t *testing.T) {
	for _, sequence := range []keys.Sequence{0, 1, 127, 128, 129, 1000, 1<<32 - 1} {
		t.Run(fmt.Sprint(sequence), func(t *testing.T) {
			s := newSender(t, sequence)
			src := ip6.Header{HopLimit: 64, Src: ourRLOC16.Addr(meshLocal), Dst: theirRLOC16.Addr(meshLocal)}
			s.datagram(udp(t, src, 1, 2, []byte("x")), ourAddr, theirAddr, ieee802154.SecurityENCMIC32)
			fields{
				"wpan.aux_sec.key_index": fmt.Sprintf("0x%02x", uint32(sequence)%128+1), "udp.payload": "78",
			}.check(t, s.verify()[0])
		})
	}
}
