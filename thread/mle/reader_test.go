package mle

import (
	"bytes"
	"reflect"
	"slices"
	"testing"
	"time"

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

// counters are both frame counters.
type counters struct{ linkLayer, mle uint32 }

func mustCounters(r *Reader) (any, bool) {
	linkLayer, mle := r.FrameCounters()
	return counters{linkLayer, mle}, r.Err() == nil
}

func mayCounters(r *Reader) (any, bool) {
	linkLayer, mle, ok := r.OptionalFrameCounters()
	return counters{linkLayer, mle}, ok
}

// readerTests holds a TLV a line, what its value stands for, and the methods that read it: nil where handlers always, or
// never, demand it.
func readerTests(t testing.TB) []struct {
	hex                string
	want               any
	required, optional readFunc
} {
	leader := LeaderData{PartitionID: 0x7faf64de, Weighting: 64, DataVersion: 0xa3, StableDataVersion: 3, LeaderRouterID: 16}
	route := route64(0xd3, map[RouterID]Route{15: {LinkQualityOut: 3, LinkQualityIn: 3, Cost: 1}, 16: {Cost: 1}})
	connectivity := Connectivity{IDSequence: 0xd0, ActiveRouters: 1, SEDBufferSize: 1280, SEDDatagramCount: 1}
	registration := AddressRegistration(unhex(t, "800102030405060708"))
	return []struct {
		hex                string
		want               any
		required, optional readFunc
	}{
		{"00024000", RLOC16(0x4000), must((*Reader).SourceAddress), may((*Reader).OptionalSourceAddress)},
		{"010109", Mode(9), must((*Reader).Mode), nil},
		{"0204000000f0", 240 * time.Second, must((*Reader).Timeout), may((*Reader).OptionalTimeout)},
		{"030401020304", challenge(t, "01020304"), must((*Reader).Challenge), may((*Reader).OptionalChallenge)},
		{"040401020304", challenge(t, "01020304"), must((*Reader).Response), may((*Reader).OptionalResponse)},
		{"05040000000a", counters{10, 10}, mustCounters, mayCounters},
		{"090bd30001800000000000f101", route, must((*Reader).Route64), may((*Reader).OptionalRoute64)},
		{"0a024001", RLOC16(0x4001), must((*Reader).Address16), nil},
		{"0b087faf64de40a30310", leader, must((*Reader).LeaderData), may((*Reader).OptionalLeaderData)},
		{"0c020102", []byte{1, 2}, must((*Reader).NetworkData), may((*Reader).OptionalNetworkData)},
		{"0d020a0c", TLVRequest{10, 12}, must((*Reader).TLVRequest), may((*Reader).OptionalTLVRequest)},
		{"0e01c0", ScanRouters | ScanEndDevices, must((*Reader).ScanMask), nil},
		{"0f070000000000d001", connectivity, must((*Reader).Connectivity), nil},
		{"100150", uint8(80), must((*Reader).LinkMargin), may((*Reader).OptionalLinkMargin)},
		{"110101", StatusError, nil, may((*Reader).OptionalStatus)},
		{"12020002", Version1_1, must((*Reader).Version), nil},
		{"1309800102030405060708", registration, must((*Reader).AddressRegistration), may((*Reader).OptionalAddressRegistration)},
		{"16080000000000010000", unhex(t, "0000000000010000"), nil, may((*Reader).OptionalActiveTimestamp)},
		{"180401021234", unhex(t, "01021234"), nil, may((*Reader).OptionalActiveOperationalDataset)},
	}
}

// read reads a message of the given TLVs by one method.
func read(t *testing.T, tlvs []byte, f readFunc) (v any, ok bool, err error) {
	t.Helper()
	m, err := ParseMessage(append(AppendCommand(nil, Advertisement), tlvs...))
	if err != nil {
		t.Fatal(err)
	}
	r := m.Read()
	v, ok = f(&r)
	return v, ok, r.Err()
}

// isZero reports whether v is the zero value of its type.
func isZero(v any) bool { return reflect.ValueOf(v).IsZero() }

func TestReaderFindsTLVs(t *testing.T) {
	for _, tt := range readerTests(t) {
		wire := append(unhex(t, "630101"), unhex(t, tt.hex)...) // behind a TLV of a later version
		for _, f := range []readFunc{tt.required, tt.optional} {
			if f == nil {
				continue
			}
			if got, ok, err := read(t, wire, f); !ok || err != nil || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%s: %+v, %v, %v, want %+v", tt.hex, got, ok, err, tt.want)
			}
		}
	}
}

func TestReaderMissesTLVs(t *testing.T) {
	for _, tt := range readerTests(t) {
		if tt.required != nil {
			if got, _, err := read(t, nil, tt.required); err != ErrAbsent || !isZero(got) {
				t.Errorf("%s demanded: %+v, %v", tt.hex, got, err)
			}
		}
		if tt.optional != nil {
			if got, ok, err := read(t, nil, tt.optional); ok || err != nil || !isZero(got) {
				t.Errorf("%s optional: %+v, %v, %v", tt.hex, got, ok, err)
			}
		}
	}
}

// TestReaderTruncationLadder cuts each value to every length. What is malformed is an error to both kinds of methods.
func TestReaderTruncationLadder(t *testing.T) {
	valid := map[TLVType][]int{
		TLVNetworkData:              {0, 1},
		TLVTLVRequest:               {0, 1},
		TLVAddressRegistration:      {0},
		TLVActiveOperationalDataset: {0, 1, 2, 3},
	}
	for _, tt := range readerTests(t) {
		wire := unhex(t, tt.hex)
		typ, value := TLVType(wire[0]), wire[2:]
		for n := range len(value) {
			whole := slices.Contains(valid[typ], n)
			for _, f := range []readFunc{tt.required, tt.optional} {
				if f == nil {
					continue
				}
				got, ok, err := read(t, tlv.Append(nil, typ, value[:n]), f)
				if ok != whole || !whole && (err != ErrTLVLength || !isZero(got)) {
					t.Errorf("%v of %d bytes: %+v, %v, %v", typ, n, got, ok, err)
				}
			}
		}
	}
}

func TestReaderMalformed(t *testing.T) {
	for _, tt := range []struct {
		name string
		tlvs []byte
		read readFunc
		want error
	}{
		{"routes of Router ID 63", unhex(t, "0909000000000000000001"), must((*Reader).Route64), ErrTLVValue},
		{"and optional", unhex(t, "0909000000000000000001"), may((*Reader).OptionalRoute64), ErrTLVValue},
		{"request of too many", tlv.Append(nil, TLVTLVRequest, make([]byte, 255)), must((*Reader).TLVRequest), ErrTLVLength},
		{"and optional", tlv.Append(nil, TLVTLVRequest, make([]byte, 255)), may((*Reader).OptionalTLVRequest), ErrTLVLength},
		{"MLE frame counter", unhex(t, "05040000000a0803000000"), mustCounters, ErrTLVLength},
		{"and optional", unhex(t, "05040000000a0803000000"), mayCounters, ErrTLVLength},
		{"the first of two", unhex(t, "010201020101ff"), must((*Reader).Mode), ErrTLVLength},
	} {
		if got, ok, err := read(t, tt.tlvs, tt.read); ok || err != tt.want || !isZero(got) {
			t.Errorf("%s: %+v, %v, %v, want %v", tt.name, got, ok, err, tt.want)
		}
	}
}

// TestReaderFrameCounters checks that the MLE Frame Counter TLV is omitted where it equals the link-layer one.
func TestReaderFrameCounters(t *testing.T) {
	for _, tt := range []struct {
		hex      string
		want     counters
		required error
		optional bool
	}{
		{"05040000000a080400000009", counters{10, 9}, nil, true},
		{"08040000000905040000000a", counters{10, 9}, nil, true},
		{"05040000000a080400000000", counters{10, 0}, nil, true},
		{"05040000000a", counters{10, 10}, nil, true},
		{"080400000009", counters{}, ErrAbsent, false},
		{"", counters{}, ErrAbsent, false},
	} {
		if got, _, err := read(t, unhex(t, tt.hex), mustCounters); got != tt.want || err != tt.required {
			t.Errorf("%s demanded: %+v, %v", tt.hex, got, err)
		}
		if got, ok, err := read(t, unhex(t, tt.hex), mayCounters); got != tt.want || ok != tt.optional || err != nil {
			t.Errorf("%s optional: %+v, %v, %v", tt.hex, got, ok, err)
		}
	}
}

// TestReaderKeepsTheFirstError checks that nothing is read after an error, which stays.
func TestReaderKeepsTheFirstError(t *testing.T) {
	malformed := []byte{byte(TLVPANID), 0}
	for _, tt := range readerTests(t) {
		m, err := ParseMessage(append(append(AppendCommand(nil, Advertisement), malformed...), unhex(t, tt.hex)...))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range []readFunc{tt.required, tt.optional} {
			if f == nil {
				continue
			}
			r := m.Read()
			_, r.err = required(r.m, nil, Message.PANID)
			if got, ok := f(&r); ok || !isZero(got) || r.Err() != ErrTLVLength {
				t.Errorf("%s: %+v, %v, %v", tt.hex, got, ok, r.Err())
			}
		}
	}
}

func childIDRequest() Message {
	b := AppendResponse(AppendCommand(nil, ChildIDRequest), NewChallenge([8]byte{1}))
	b = AppendMLEFrameCounter(AppendLinkLayerFrameCounter(b, 10), 9)
	b = AppendVersion(AppendTimeout(AppendMode(b, ModeRxOnWhenIdle), time.Minute), Version1_1)
	b = AppendAddressRegistration(b, AddressEntry{IID: [8]byte{1}})
	b = AppendTLVRequest(b, TLVAddress16, TLVNetworkData)
	m, err := ParseMessage(b)
	if err != nil {
		panic(err)
	}
	return m
}

// readChildIDRequest reads what a parent wants to know, and more that is not there.
func readChildIDRequest(m Message) (sum int, err error) {
	r := m.Read()
	response, mode, timeout, requested := r.Response(), r.Mode(), r.Timeout(), r.TLVRequest()
	linkLayer, mle := r.FrameCounters()
	addresses := r.AddressRegistration()
	_, hasRoute := r.OptionalRoute64()
	_, hasData := r.OptionalNetworkData()
	if err := r.Err(); err != nil {
		return 0, err
	}
	if hasRoute || hasData || response.IsZero() {
		return 0, ErrTLVValue
	}
	return int(mode) + int(timeout) + len(requested) + int(linkLayer) + int(mle) + len(addresses), nil
}

func TestReaderDoesNotAllocate(t *testing.T) {
	m := childIDRequest()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := readChildIDRequest(m); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if !bytes.Equal(m.TLVs, childIDRequest().TLVs) {
		t.Error("reading changed the message")
	}
}

func BenchmarkReader(b *testing.B) {
	m := childIDRequest()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readChildIDRequest(m); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkGetters is what BenchmarkReader does, without a Reader.
func BenchmarkGetters(b *testing.B) {
	m := childIDRequest()
	b.ReportAllocs()
	for b.Loop() {
		response, err := m.Response()
		if err != nil {
			b.Fatal(err)
		}
		mode, _ := m.Mode()
		timeout, _ := m.Timeout()
		requested, _ := m.TLVRequest()
		linkLayer, _ := m.LinkLayerFrameCounter()
		mle, _ := m.MLEFrameCounter()
		addresses, _ := m.AddressRegistration()
		if response.IsZero() || m.Has(TLVRoute64) || m.Has(TLVNetworkData) ||
			int(mode)+int(timeout)+len(requested)+int(linkLayer)+int(mle)+len(addresses) == 0 {
			b.Fatal("not the message")
		}
	}
}
