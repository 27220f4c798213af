package mle

import (
	"bytes"
	"net/netip"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// networkKey and what follows from it: a network of Pymesh's engine, with a Parent Request that was recorded there.
var (
	networkKey = [16]byte{0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f}

	sealedExt         = ieee802154.ExtAddr{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, 1}
	sealedSource      = netip.MustParseAddr("fe80::72b3:d549:9000:1")
	sealedDestination = netip.MustParseAddr("ff02::2")
)

const (
	sealedHex    = "0015000000000000000001b59e4eb7a825b1c775115e34123c6126468e225dcf3390f49c"
	plaintextHex = "0901010f03082948386f9ed34a280e018012020002"
)

func mleCCM(seq keys.Sequence) *ieee802154.CCM {
	return ieee802154.NewCCM(keys.Derive(networkKey, seq).MLE)
}

func TestSealedMessage(t *testing.T) {
	sealed, plaintext := unhex(t, sealedHex), unhex(t, plaintextHex)

	h, err := ParseHeader(sealed)
	if err != nil || h != (Header{Suite: SuiteIEEE802154}) || h.Size() != 11 {
		t.Fatalf("ParseHeader: %+v, %v", h, err)
	}
	got, err := h.Open([]byte{0xee}, sealed, sealedSource, sealedDestination, sealedExt, mleCCM(0))
	if err != nil || !bytes.Equal(got, append([]byte{0xee}, plaintext...)) {
		t.Errorf("Open: %x, %v", got, err)
	}
	if got := AppendSealed(nil, sealedSource, sealedDestination, sealedExt, 0, 0, mleCCM(0), plaintext); !bytes.Equal(got, sealed) {
		t.Errorf("AppendSealed: %x\nwant %x", got, sealed)
	}
	if len(sealed) != len(plaintext)+SecuredOverhead {
		t.Errorf("overhead %d", len(sealed)-len(plaintext))
	}
}

func TestOpenInPlace(t *testing.T) {
	sealed := unhex(t, sealedHex)
	h, _ := ParseHeader(sealed)
	got, err := h.Open(sealed[h.Size():][:0], sealed, sealedSource, sealedDestination, sealedExt, mleCCM(0))
	if err != nil || !bytes.Equal(got, unhex(t, plaintextHex)) {
		t.Errorf("%x, %v", got, err)
	}
}

func TestHeaderOfLaterSequence(t *testing.T) {
	const seq, counter = keys.Sequence(0x0102_0380), uint32(0x0a0b0c0d)
	b := AppendSealed(nil, sealedSource, sealedDestination, sealedExt, seq, counter, mleCCM(seq), []byte{byte(Advertisement)})
	if want := unhex(t, "00150d0c0b0a0102038001"); !bytes.Equal(b[:11], want) {
		t.Errorf("header %x, want %x", b[:11], want)
	}
	h, err := ParseHeader(b)
	if err != nil || h.KeySequence != seq || h.FrameCounter != counter {
		t.Fatalf("%+v, %v", h, err)
	}
	if got, err := h.Open(nil, b, sealedSource, sealedDestination, sealedExt, mleCCM(seq)); err != nil || len(got) != 1 {
		t.Errorf("%x, %v", got, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	sealed := unhex(t, sealedHex)
	h, _ := ParseHeader(sealed)
	open := func(payload []byte, source, destination netip.Addr, ext ieee802154.ExtAddr, seq keys.Sequence) {
		t.Helper()
		dst := []byte{1, 2}
		got, err := h.Open(dst, payload, source, destination, ext, mleCCM(seq))
		if err != ErrAuth || !bytes.Equal(got, dst) {
			t.Errorf("%x, %v", got, err)
		}
	}
	open(sealed, sealedDestination, sealedSource, sealedExt, 0)
	open(sealed, sealedSource, sealedDestination, ieee802154.ExtAddr{}, 0)
	open(sealed, sealedSource, sealedDestination, sealedExt, 1)
	open(sealed, netip.Addr{}, netip.Addr{}, sealedExt, 0)
	for i := range sealed {
		if i == 0 {
			continue // the suite is not covered, but selects what is done at all
		}
		bad := bytes.Clone(sealed)
		bad[i] ^= 0x80
		open(bad, sealedSource, sealedDestination, sealedExt, 0)
	}
	for n := range len(sealed) {
		open(sealed[:n], sealedSource, sealedDestination, sealedExt, 0)
	}
}

func TestParseHeaderRefuses(t *testing.T) {
	sealed := unhex(t, sealedHex)
	for n := range SecuredOverhead + 1 {
		if _, err := ParseHeader(sealed[:n]); err != ErrHeader {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	for _, s := range []string{"0014", "0016", "000d", "001d", "0110", "fe15"} { // level, key id mode, suite
		bad := append(unhex(t, s), sealed[2:]...)
		if _, err := ParseHeader(bad); err != ErrHeader {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestUnsecuredMessage(t *testing.T) {
	b := AppendUnsecured(nil, AppendTLV(AppendCommand(nil, DiscoveryRequest), TLVThreadDiscovery, unhex(t, "80022000")))
	if want := unhex(t, "ff101a0480022000"); !bytes.Equal(b, want) {
		t.Fatalf("%x, want %x", b, want)
	}
	h, err := ParseHeader(b)
	if err != nil || h.Suite != SuiteNone || h.Size() != 1 {
		t.Fatalf("%+v, %v", h, err)
	}
	m, err := ParseMessage(b[h.Size():])
	if err != nil || m.Command != DiscoveryRequest || !m.Has(TLVThreadDiscovery) {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := h.Open(nil, b, sealedSource, sealedDestination, sealedExt, mleCCM(0)); err != ErrAuth {
		t.Errorf("Open: %v", err)
	}
}

// appendAdvertisement builds what routers send most, on b.
func appendAdvertisement(b []byte, r Route64) []byte {
	b = AppendCommand(b, Advertisement)
	b = AppendSourceAddress(b, 0x4000)
	b = AppendLeaderData(b, LeaderData{PartitionID: 1, Weighting: 64, LeaderRouterID: 16})
	return AppendRoute64(b, r)
}

// receive opens and reads an Advertisement.
func receive(dst, payload []byte, ccm *ieee802154.CCM) error {
	h, err := ParseHeader(payload)
	if err != nil {
		return err
	}
	plaintext, err := h.Open(dst, payload, sealedSource, sealedDestination, sealedExt, ccm)
	if err != nil {
		return err
	}
	m, err := ParseMessage(plaintext)
	if err != nil {
		return err
	}
	if _, err := m.SourceAddress(); err != nil {
		return err
	}
	if _, err := m.LeaderData(); err != nil {
		return err
	}
	_, err = m.Route64()
	return err
}

func TestNoAllocations(t *testing.T) {
	ccm := mleCCM(0)
	routes := route64(1, map[RouterID]Route{16: {Cost: 1}, 3: {LinkQualityIn: 3, LinkQualityOut: 2, Cost: 1}})
	plaintext, payload, opened := make([]byte, 0, 128), make([]byte, 0, 128), make([]byte, 0, 128)
	if n := testing.AllocsPerRun(100, func() {
		plaintext = appendAdvertisement(plaintext[:0], routes)
		payload = AppendSealed(payload[:0], sealedSource, sealedDestination, sealedExt, 0, 1, ccm, plaintext)
		if err := receive(opened, payload, ccm); err != nil {
			t.Fatal(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSend(b *testing.B) {
	ccm := mleCCM(0)
	routes := route64(1, map[RouterID]Route{16: {Cost: 1}, 3: {LinkQualityIn: 3, LinkQualityOut: 2, Cost: 1}})
	plaintext, payload := make([]byte, 0, 128), make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		plaintext = appendAdvertisement(plaintext[:0], routes)
		payload = AppendSealed(payload[:0], sealedSource, sealedDestination, sealedExt, 0, 1, ccm, plaintext)
	}
}

func BenchmarkReceive(b *testing.B) {
	ccm := mleCCM(0)
	payload := AppendSealed(nil, sealedSource, sealedDestination, sealedExt, 0, 1, ccm,
		appendAdvertisement(nil, route64(1, map[RouterID]Route{16: {Cost: 1}})))
	opened := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if err := receive(opened, payload, ccm); err != nil {
			b.Fatal(err)
		}
	}
}

// The beginning of a message is what Open finds there, however much of it is asked for.
func TestPeek(t *testing.T) {
	sealed, plaintext := unhex(t, sealedHex), unhex(t, plaintextHex)
	h, err := ParseHeader(sealed)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := ParseMessage(plaintext)
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(plaintext) + 5 {
		got := h.Peek(make([]byte, n), sealed, sealedExt, mleCCM(0))
		if !bytes.Equal(got, plaintext[:min(n, len(plaintext))]) {
			t.Fatalf("%d bytes: %x", n, got)
		}
		m, err := ParseBeginning(got)
		if (err == nil) != (n > 0) || err == nil && (m.Command != whole.Command || !bytes.HasPrefix(whole.TLVs, m.TLVs)) {
			t.Errorf("%d bytes: %+v, %v", n, m, err)
		}
		for typ, value := range m.All() {
			if want, ok := whole.Find(typ); !ok || !bytes.Equal(value, want) {
				t.Errorf("%d bytes: TLV %v is %x", n, typ, value)
			}
		}
	}
	if got := h.Peek(make([]byte, 9), sealed[:SecuredOverhead], sealedExt, mleCCM(0)); len(got) > 0 {
		t.Errorf("%x of a message without a command", got)
	}
}
