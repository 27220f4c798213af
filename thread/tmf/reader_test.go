package tmf

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// A readFunc is a method of Reader: what it returns, and whether that was there.
type readFunc func(*Reader) (any, bool)

// must makes a readFunc of a method that demands its TLV, may of one that does not.
func must[T any](read func(*Reader) T) readFunc {
	return func(r *Reader) (any, bool) { return read(r), r.Err() == nil }
}

func may[T any](read func(*Reader) (T, bool)) readFunc {
	return func(r *Reader) (any, bool) { return read(r) }
}

// readerTests holds a TLV a line, what its value stands for, and the methods that read it.
func readerTests() []struct {
	tlv                []byte
	want               any
	required, optional readFunc
} {
	eid := netip.MustParseAddr("fdde:ad00:beef:0:473a:3e31:dac3:3a16")
	ext := ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 2}
	iid := [8]byte{0x47, 0x3a, 0x3e, 0x31, 0xda, 0xc3, 0x3a, 0x16}
	mask := RouterMask{IDSequence: 0xd3, Routers: mle.RouterIDSet(0).Add(15)}
	return []struct {
		tlv                []byte
		want               any
		required, optional readFunc
	}{
		{AppendTargetEID(nil, eid), eid, must((*Reader).TargetEID), nil},
		{AppendExtendedMACAddress(nil, ext), ext, must((*Reader).ExtendedMACAddress), nil},
		{AppendRLOC16(nil, 0x3c00), mle.RLOC16(0x3c00), must((*Reader).RLOC16), may((*Reader).OptionalRLOC16)},
		{AppendMLEID(nil, iid), iid, must((*Reader).MLEID), nil},
		{AppendStatus(nil, ReasonTooFewRouters), ReasonTooFewRouters, must((*Reader).Status), nil},
		{AppendRouterMask(nil, mask), mask, must((*Reader).RouterMask), nil},
		{AppendTimeSinceLastTransaction(nil, 17*time.Second), 17 * time.Second, nil, may((*Reader).OptionalTimeSinceLastTransaction)},
	}
}

// read reads a payload by one method.
func read(t *testing.T, b []byte, f readFunc) (v any, ok bool, err error) {
	t.Helper()
	p, err := ParsePayload(b)
	if err != nil {
		t.Fatal(err)
	}
	r := p.Read()
	v, ok = f(&r)
	return v, ok, r.Err()
}

// isZero reports whether v is the zero value of its type.
func isZero(v any) bool { return reflect.ValueOf(v).IsZero() }

func TestReader(t *testing.T) {
	for _, tt := range readerTests() {
		behind := append([]byte{0x63, 1, 1}, tt.tlv...) // a TLV of a later version
		if tt.required != nil {
			if got, ok, err := read(t, behind, tt.required); !ok || err != nil || got != tt.want {
				t.Errorf("%x demanded: %v, %v, want %v", tt.tlv, got, err, tt.want)
			}
			if got, _, err := read(t, nil, tt.required); err != ErrAbsent || !isZero(got) {
				t.Errorf("%x demanded and absent: %v, %v", tt.tlv, got, err)
			}
		}
		if tt.optional != nil {
			if got, ok, err := read(t, behind, tt.optional); !ok || err != nil || got != tt.want {
				t.Errorf("%x optional: %v, %v, %v, want %v", tt.tlv, got, ok, err, tt.want)
			}
			if got, ok, err := read(t, nil, tt.optional); ok || err != nil || !isZero(got) {
				t.Errorf("%x optional and absent: %v, %v, %v", tt.tlv, got, ok, err)
			}
		}
	}
}

// TestReaderTruncationLadder cuts each value to every length and makes it longer. Both kinds of methods find an error.
func TestReaderTruncationLadder(t *testing.T) {
	for _, tt := range readerTests() {
		typ, size := TLVType(tt.tlv[0]), len(tt.tlv)-2
		for n := range size + 2 {
			if n == size {
				continue
			}
			wrong := tlv.Append(nil, typ, append(tt.tlv[2:len(tt.tlv):len(tt.tlv)], 0)[:n])
			for _, f := range []readFunc{tt.required, tt.optional} {
				if f == nil {
					continue
				}
				if got, ok, err := read(t, wrong, f); ok || err != ErrTLVLength || !isZero(got) {
					t.Errorf("%v of %d bytes: %v, %v, %v", typ, n, got, ok, err)
				}
			}
		}
	}
}

// TestReaderKeepsTheFirstError checks that nothing is read after an error, which stays.
func TestReaderKeepsTheFirstError(t *testing.T) {
	for _, tt := range readerTests() {
		for _, f := range []readFunc{tt.required, tt.optional} {
			if f == nil {
				continue
			}
			r := Payload(tt.tlv).Read()
			_, r.err = required(r.p, nil, Payload.ThreadNetworkData)
			if got, ok := f(&r); ok || !isZero(got) || r.Err() != ErrAbsent {
				t.Errorf("%x: %v, %v, %v", tt.tlv, got, ok, r.Err())
			}
		}
	}
}

// addressNotify is a payload that a Reader is measured with.
var addressNotify = Payload(AppendTimeSinceLastTransaction(AppendRLOC16(AppendMLEID(AppendTargetEID(nil,
	netip.MustParseAddr("fdde:ad00:beef::1")), [8]byte{1}), 0x3c00), time.Minute))

func readAddressNotify(p Payload) error {
	r := p.Read()
	target, iid, rloc := r.TargetEID(), r.MLEID(), r.RLOC16()
	age, ok := r.OptionalTimeSinceLastTransaction()
	if err := r.Err(); err != nil {
		return err
	}
	if !target.IsValid() || iid[0] != 1 || rloc != 0x3c00 || !ok || age != time.Minute {
		return ErrAbsent
	}
	return nil
}

func TestReaderDoesNotAllocate(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		if err := readAddressNotify(addressNotify); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkReader(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := readAddressNotify(addressNotify); err != nil {
			b.Fatal(err)
		}
	}
}
