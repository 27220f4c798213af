package ip6

import (
	"bytes"
	"errors"
	"testing"
)

func TestUDPHeader(t *testing.T) {
	b := unhex(t, "4d4c f0b1 000a 1234 abcd")
	want := UDPHeader{SrcPort: 0x4d4c, DstPort: 0xf0b1, Length: 10, Checksum: 0x1234}
	got, err := ParseUDPHeader(b)
	if err != nil || got != want {
		t.Errorf("ParseUDPHeader = %+v, %v, want %+v", got, err, want)
	}
	again, err := want.AppendBinary(nil)
	if err != nil || !bytes.Equal(again, b[:UDPHeaderSize]) {
		t.Errorf("AppendBinary = %x, %v", again, err)
	}
	for n := range b {
		if _, err := ParseUDPHeader(b[:n]); err == nil {
			t.Errorf("%d bytes parsed", n)
		}
	}
	b[5] = 7
	if _, err := ParseUDPHeader(b); !errors.Is(err, ErrLength) {
		t.Errorf("length 7: %v", err)
	}
	for _, n := range []int{7, 65536, -1} {
		if _, err := (UDPHeader{Length: n}).AppendBinary(nil); !errors.Is(err, ErrRange) {
			t.Errorf("length %d: %v", n, err)
		}
	}
}

func TestAppendUDP(t *testing.T) {
	hdr := Header{HopLimit: 64, Src: rloc0, Dst: rloc1}
	for n := 0; n <= 1232; n++ {
		b, err := AppendUDP(nil, hdr, 19788, 61631, bytes.Repeat([]byte{0xa5}, n))
		if err != nil {
			t.Fatal(err)
		}
		d, err := ParseDatagram(b)
		if err != nil || d.Protocol != ProtocolUDP || d.PayloadLength != UDPHeaderSize+n {
			t.Fatalf("%+v, %v", d, err)
		}
		if err := VerifyUDP(d.Src, d.Dst, d.Payload); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := AppendUDP([]byte{1}, hdr, 1, 2, make([]byte, 65528)); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("65528 bytes: %d, %v", len(b), err)
	}
	if b, err := AppendUDP([]byte{1}, Header{}, 1, 2, nil); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("without addresses: %d, %v", len(b), err)
	}
}

// TestUDPChecksumZero finds a payload whose checksum would be zero.
func TestUDPChecksumZero(t *testing.T) {
	hdr := Header{HopLimit: 64, Src: rloc0, Dst: rloc1}
	b, err := AppendUDP(nil, hdr, 1, 2, []byte{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	// The payload takes over the checksum, so that the sum of all words becomes all ones.
	b, err = AppendUDP(nil, hdr, 1, 2, b[HeaderSize+6:HeaderSize+8])
	if err != nil {
		t.Fatal(err)
	}
	if h, err := ParseUDPHeader(b[HeaderSize:]); err != nil || h.Checksum != 0xffff {
		t.Errorf("%+v, %v", h, err)
	}
	if err := VerifyUDP(hdr.Src, hdr.Dst, b[HeaderSize:]); err != nil {
		t.Error(err)
	}
	b[HeaderSize+6], b[HeaderSize+7] = 0, 0
	if err := VerifyUDP(hdr.Src, hdr.Dst, b[HeaderSize:]); !errors.Is(err, ErrChecksum) {
		t.Errorf("checksum 0: %v", err)
	}
	if err := VerifyUDP(hdr.Src, hdr.Dst, b[HeaderSize:HeaderSize+7]); !errors.Is(err, ErrTruncated) {
		t.Error(err)
	}
}

func TestICMPv6(t *testing.T) {
	b := unhex(t, "01 04 1234 00000000 abcd")
	m, err := ParseICMPv6(b)
	if err != nil || m.Type != ICMPv6DestinationUnreachable || m.Code != 4 || m.Checksum != 0x1234 || len(m.Body) != 6 {
		t.Errorf("%+v, %v", m, err)
	}
	if again, err := m.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
		t.Errorf("AppendBinary = %x, %v", again, err)
	}
	if invoking, err := ParseDestinationUnreachable(m.Body); err != nil || !bytes.Equal(invoking, []byte{0xab, 0xcd}) {
		t.Errorf("invoking packet %x, %v", invoking, err)
	}
	for n := range 4 {
		if _, err := ParseICMPv6(b[:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("ParseICMPv6 of %d bytes: %v", n, err)
		}
		if _, err := ParseDestinationUnreachable(b[:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("ParseDestinationUnreachable of %d bytes: %v", n, err)
		}
		if _, err := ParseEcho(b[:n]); !errors.Is(err, ErrTruncated) {
			t.Errorf("ParseEcho of %d bytes: %v", n, err)
		}
	}
	for typ, want := range map[ICMPv6Type]string{1: "Destination Unreachable", 128: "Echo Request", 129: "Echo Reply", 130: "ICMPv6Type(130)"} {
		if typ.String() != want || typ.IsError() != (typ < 128) {
			t.Errorf("type %d: %v", uint8(typ), typ)
		}
	}
	if UnreachablePort.String() != "port unreachable" || UnreachableCode(7).String() != "UnreachableCode(7)" {
		t.Error("names of codes")
	}
}

func TestAppendEcho(t *testing.T) {
	hdr := Header{HopLimit: 64, Src: rloc0, Dst: rloc1}
	want := Echo{Identifier: 0x1234, Sequence: 5, Data: []byte("ping")}
	b, err := AppendEcho([]byte{0xaa}, hdr, ICMPv6EchoRequest, want)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseDatagram(b[1:])
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyICMPv6(d.Src, d.Dst, d.Payload); err != nil {
		t.Error(err)
	}
	m, err := ParseICMPv6(d.Payload)
	if err != nil || m.Type != ICMPv6EchoRequest || m.Code != 0 {
		t.Errorf("%+v, %v", m, err)
	}
	got, err := ParseEcho(m.Body)
	if err != nil || got.Identifier != want.Identifier || got.Sequence != want.Sequence || !bytes.Equal(got.Data, want.Data) {
		t.Errorf("%+v, %v", got, err)
	}
	if b, err := AppendEcho([]byte{0xaa}, Header{}, ICMPv6EchoReply, want); !errors.Is(err, ErrRange) || len(b) != 1 {
		t.Errorf("without addresses: %x, %v", b, err)
	}
}

func TestAppendDestinationUnreachable(t *testing.T) {
	hdr := Header{HopLimit: 64, Src: rloc0, Dst: rloc1}
	for _, n := range []int{0, 40, 1231, 1232, 1233, 5000} {
		invoking := bytes.Repeat([]byte{0x60}, n)
		b, err := AppendDestinationUnreachable(nil, hdr, UnreachableNoRoute, invoking)
		if err != nil || len(b) > MinMTU {
			t.Fatalf("%d bytes, %v", len(b), err)
		}
		d, err := ParseDatagram(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := VerifyICMPv6(d.Src, d.Dst, d.Payload); err != nil {
			t.Error(err)
		}
		m, _ := ParseICMPv6(d.Payload)
		got, err := ParseDestinationUnreachable(m.Body)
		if err != nil || m.Type != ICMPv6DestinationUnreachable || !bytes.Equal(got, invoking[:min(n, 1232)]) {
			t.Errorf("%v, %d of %d bytes, %v", m.Type, len(got), n, err)
		}
	}
	if b, err := AppendDestinationUnreachable(nil, Header{}, 0, nil); !errors.Is(err, ErrRange) || len(b) != 0 {
		t.Errorf("without addresses: %x, %v", b, err)
	}
}

func FuzzParseUDPHeader(f *testing.F) {
	b, _ := UDPHeader{SrcPort: 1, DstPort: 2, Length: 8}.AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseUDPHeader(b)
		if err != nil {
			return
		}
		if again, err := h.AppendBinary(nil); err != nil || !bytes.Equal(again, b[:UDPHeaderSize]) || h.Length > len(b) {
			t.Errorf("%x made again: %x, %v", b, again, err)
		}
		_ = VerifyUDP(rloc0, rloc1, b)
	})
}

func FuzzParseICMPv6(f *testing.F) {
	body, _ := Echo{Identifier: 1, Sequence: 2, Data: []byte("ping")}.AppendBinary(nil)
	b, _ := ICMPv6{Type: ICMPv6EchoRequest, Body: body}.AppendBinary(nil)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseICMPv6(b)
		if err != nil {
			return
		}
		if again, err := m.AppendBinary(nil); err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x made again: %x, %v", b, again, err)
		}
		e, err := ParseEcho(m.Body)
		if err != nil {
			return
		}
		if again, err := e.AppendBinary(nil); err != nil || !bytes.Equal(again, m.Body) {
			t.Errorf("%x made again: %x, %v", m.Body, again, err)
		}
	})
}
