package mle

import (
	"bytes"
	"testing"
)

// FuzzParseMessage calls every getter, and holds what Append writes of a parsed value against it.
func FuzzParseMessage(f *testing.F) {
	f.Add(unhex(f, plaintextHex))
	for _, tt := range tlvTests(f) {
		f.Add(append([]byte{byte(Advertisement)}, unhex(f, tt.hex)...))
	}
	f.Add(AppendAddressRegistration(AppendCommand(nil, ChildIDRequest), AddressEntry{ContextID: 1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		beginning, _ := ParseBeginning(b)
		m, err := ParseMessage(b)
		if err != nil {
			return
		}
		if beginning.Command != m.Command || !bytes.Equal(beginning.TLVs, m.TLVs) {
			t.Fatalf("all of %x begins with %x", b, beginning.TLVs)
		}
		if again, _ := m.AppendBinary(nil); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
		survives(t, m.SourceAddress, AppendSourceAddress, ParseSourceAddress)
		survives(t, m.Mode, AppendMode, ParseMode)
		survives(t, m.Timeout, AppendTimeout, ParseTimeout)
		survives(t, m.Challenge, AppendChallenge, ParseChallenge)
		survives(t, m.Response, AppendResponse, ParseChallenge)
		survives(t, m.LinkLayerFrameCounter, AppendLinkLayerFrameCounter, ParseFrameCounter)
		survives(t, m.MLEFrameCounter, AppendMLEFrameCounter, ParseFrameCounter)
		survives(t, m.Route64, AppendRoute64, ParseRoute64)
		survives(t, m.Address16, AppendAddress16, ParseAddress16)
		survives(t, m.LeaderData, AppendLeaderData, ParseLeaderData)
		survives(t, m.ScanMask, AppendScanMask, ParseScanMask)
		survives(t, m.Connectivity, AppendConnectivity, ParseConnectivity)
		survives(t, m.LinkMargin, AppendLinkMargin, ParseLinkMargin)
		survives(t, m.Status, AppendStatus, ParseStatus)
		survives(t, m.Version, AppendVersion, ParseVersion)
		survives(t, m.Channel, AppendChannel, ParseChannel)
		survives(t, m.PANID, AppendPANID, ParsePANID)
		if r, err := m.TLVRequest(); err == nil {
			for typ := range r.All() {
				if !r.Contains(typ) {
					t.Errorf("%v is not contained", typ)
				}
			}
		}
		if r, err := m.AddressRegistration(); err == nil {
			for e := range r.All() {
				if e.Compressed() != !e.Addr.IsValid() {
					t.Errorf("entry %+v", e)
				}
			}
		}
	})
}

// survives checks that a value which was read is read again from what Append makes of it.
func survives[T comparable](t *testing.T, get func() (T, error), appendTLV func([]byte, T) []byte, parse func([]byte) (T, error)) {
	t.Helper()
	v, err := get()
	if err != nil {
		return
	}
	encoded := appendTLV(nil, v)
	again, err := parse(encoded[2:])
	if err != nil || again != v {
		t.Errorf("%+v became %+v, %v (%x)", v, again, err, encoded)
	}
}

func FuzzParseHeader(f *testing.F) {
	f.Add(unhex(f, sealedHex))
	f.Add(AppendUnsecured(nil, AppendCommand(nil, DiscoveryRequest)))
	ccm := mleCCM(0)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := ParseHeader(b)
		if err != nil {
			return
		}
		if h.Size() >= len(b) {
			t.Fatalf("no command behind %+v", h)
		}
		if plaintext, err := h.Open(nil, b, sealedSource, sealedDestination, sealedExt, ccm); err == nil {
			_, _ = ParseMessage(plaintext)
		}
	})
}
