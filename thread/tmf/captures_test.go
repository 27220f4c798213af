package tmf_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gopymesh/pymesh/internal/captures"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// later says whether a capture is of OpenThread of November 2025, which uses TLVs of Thread 1.2 and later.
func later(capture string) bool { return strings.HasPrefix(capture, "ot-") }

// again appends what get reads from a message; nothing if it fails.
func again[T any](get func() (T, error), appendTLV func([]byte, T) []byte) []byte {
	v, err := get()
	if err != nil {
		return nil
	}
	return appendTLV(nil, v)
}

// mleAgain encodes what the typed getters read from the TLV of type typ in m; ok is false for types that have no getter.
func mleAgain(m mle.Message, typ mle.TLVType) (encoded []byte, ok bool) {
	switch typ {
	case mle.TLVSourceAddress:
		return again(m.SourceAddress, mle.AppendSourceAddress), true
	case mle.TLVMode:
		return again(m.Mode, mle.AppendMode), true
	case mle.TLVTimeout:
		return again(m.Timeout, mle.AppendTimeout), true
	case mle.TLVChallenge:
		return again(m.Challenge, mle.AppendChallenge), true
	case mle.TLVResponse:
		return again(m.Response, mle.AppendResponse), true
	case mle.TLVLinkLayerFrameCounter:
		return again(m.LinkLayerFrameCounter, mle.AppendLinkLayerFrameCounter), true
	case mle.TLVMLEFrameCounter:
		return again(m.MLEFrameCounter, mle.AppendMLEFrameCounter), true
	case mle.TLVRoute64:
		return again(m.Route64, mle.AppendRoute64), true
	case mle.TLVAddress16:
		return again(m.Address16, mle.AppendAddress16), true
	case mle.TLVLeaderData:
		return again(m.LeaderData, mle.AppendLeaderData), true
	case mle.TLVScanMask:
		return again(m.ScanMask, mle.AppendScanMask), true
	case mle.TLVConnectivity:
		return again(m.Connectivity, mle.AppendConnectivity), true
	case mle.TLVLinkMargin:
		return again(m.LinkMargin, mle.AppendLinkMargin), true
	case mle.TLVVersion:
		return again(m.Version, mle.AppendVersion), true
	case mle.TLVTLVRequest:
		return again(m.TLVRequest, func(b []byte, r mle.TLVRequest) []byte {
			return mle.AppendTLVRequest(b, slices.Collect(r.All())...)
		}), true
	case mle.TLVAddressRegistration:
		return again(m.AddressRegistration, func(b []byte, r mle.AddressRegistration) []byte {
			return mle.AppendAddressRegistration(b, slices.Collect(r.All())...)
		}), true
	}
	value, _ := m.Find(typ)
	return otherAgain(typ, value)
}

// otherAgain is mleAgain for the TLVs whose values other packages know.
func otherAgain(typ mle.TLVType, value []byte) (encoded []byte, ok bool) {
	switch typ {
	case mle.TLVActiveTimestamp, mle.TLVPendingTimestamp:
		timestamp, err := meshcop.ParseTimestamp(value)
		if err != nil {
			return nil, true
		}
		value, _ = timestamp.AppendBinary(nil)
	case mle.TLVActiveOperationalDataset, mle.TLVPendingOperationalDataset:
		dataset, err := meshcop.ParseDataset(value)
		if err != nil || len(dataset.Unknown) != 0 {
			return nil, true
		}
		value, _ = dataset.AppendBinary(nil)
	case mle.TLVNetworkData:
		if netdata.Validate(value) != nil {
			return nil, true
		}
		var data []byte
		for e := range netdata.All(value) {
			data, _ = e.AppendBinary(data)
		}
		value = data
	default:
		return nil, false
	}
	return mle.AppendTLV(nil, typ, value), true
}

// TestCapturedMLE opens every recorded MLE message, reads every TLV, writes it again, seals the message, and compares.
func TestCapturedMLE(t *testing.T) {
	commands := map[mle.Command]int{}
	for _, capture := range captures.Names() {
		for _, d := range datagrams(t, capture) {
			if d.udp.DstPort != mle.UDPPort {
				continue
			}
			if d.ip.HopLimit != mle.HopLimit || d.udp.SrcPort != mle.UDPPort {
				t.Errorf("%s %v: hop limit %d, source port %d", capture, d.time, d.ip.HopLimit, d.udp.SrcPort)
			}
			h, err := mle.ParseHeader(d.payload)
			if err != nil || h.Suite != mle.SuiteIEEE802154 {
				t.Fatalf("%s %v: %+v, %v", capture, d.time, h, err)
			}
			ext := ieee802154.ExtAddr(ip6.InterfaceIDOf(d.ip.Src))
			ext[0] ^= 1 << 1 // the universal/local bit
			ccm := ieee802154.NewCCM(keys.Derive(captures.NetworkKey, h.KeySequence).MLE)
			plaintext, err := h.Open(nil, d.payload, d.ip.Src, d.ip.Dst, ext, ccm)
			if err != nil {
				t.Fatalf("%s %v: %v", capture, d.time, err)
			}
			m, err := mle.ParseMessage(plaintext)
			if err != nil {
				t.Fatalf("%s %v: %v", capture, d.time, err)
			}
			commands[m.Command]++

			built := mle.AppendCommand(nil, m.Command)
			for typ, value := range m.All() {
				if !typ.Known() && later(capture) {
					built = mle.AppendTLV(built, typ, value)
					continue
				}
				encoded, ok := mleAgain(m, typ)
				if !ok {
					t.Errorf("%s %v: %v holds %v", capture, d.time, m.Command, typ)
				}
				built = append(built, encoded...)
			}
			sealed := mle.AppendSealed(nil, d.ip.Src, d.ip.Dst, ext, h.KeySequence, h.FrameCounter, ccm, built)
			if !bytes.Equal(sealed, d.payload) {
				t.Errorf("%s %v: %v\n got %x\nwant %x", capture, d.time, m.Command, built, plaintext)
			}
		}
	}
	for _, c := range []mle.Command{
		mle.LinkRequest, mle.LinkAccept, mle.LinkAcceptAndRequest, mle.Advertisement, mle.DataResponse,
		mle.ParentRequest, mle.ParentResponse, mle.ChildIDRequest, mle.ChildIDResponse,
	} {
		if commands[c] == 0 {
			t.Errorf("no %v was seen", c)
		}
	}
}

// tmfAgain encodes what the typed getters read from the TLV of type typ in p.
func tmfAgain(p tmf.Payload, typ tmf.TLVType) []byte {
	switch typ {
	case tmf.TLVTargetEID:
		return again(p.TargetEID, tmf.AppendTargetEID)
	case tmf.TLVExtendedMACAddress:
		return again(p.ExtendedMACAddress, tmf.AppendExtendedMACAddress)
	case tmf.TLVRLOC16:
		return again(p.RLOC16, tmf.AppendRLOC16)
	case tmf.TLVMLEID:
		return again(p.MLEID, tmf.AppendMLEID)
	case tmf.TLVStatus:
		return again(p.Status, tmf.AppendStatus)
	case tmf.TLVTimeSinceLastTransaction:
		return again(p.TimeSinceLastTransaction, tmf.AppendTimeSinceLastTransaction)
	case tmf.TLVRouterMask:
		return again(p.RouterMask, tmf.AppendRouterMask)
	case tmf.TLVThreadNetworkData:
		return again(p.ThreadNetworkData, tmf.AppendThreadNetworkData)
	default:
		return nil
	}
}

// TestCapturedTMF takes every recorded TMF message apart and puts it together again. A response belongs to the latest
// request of its message ID.
func TestCapturedTMF(t *testing.T) {
	paths := map[string]int{}
	for _, capture := range captures.Names() {
		requests := map[uint16]string{}
		for _, d := range datagrams(t, capture) {
			if d.udp.DstPort != tmf.UDPPort {
				continue
			}
			m, err := coap.ParseMessage(d.payload)
			if err != nil {
				t.Fatalf("%s %v: %v", capture, d.time, err)
			}
			path := m.Options.URIPath()
			if m.Code.IsRequest() {
				requests[m.MessageID] = path
			} else {
				path = requests[m.MessageID]
			}
			paths[path]++
			options, err := coap.Options(nil).AppendURIPath(m.Options.URIPath())
			if err != nil {
				t.Fatal(err)
			}
			var payload []byte
			switch {
			case strings.HasPrefix(path, "a/"):
				p, err := tmf.ParsePayload(m.Payload)
				if err != nil {
					t.Fatalf("%s %v: %v", capture, d.time, err)
				}
				for typ := range p.All() {
					payload = append(payload, tmfAgain(p, typ)...)
				}
				if data, err := p.ThreadNetworkData(); err == nil && netdata.Validate(data) != nil {
					t.Errorf("%s %v: network data %x", capture, d.time, data)
				}
			case strings.HasPrefix(path, "d/"):
				for typ, value := range tlv.All[tmf.DiagnosticType](m.Payload) {
					payload = tlv.Append(payload, typ, value)
				}
			}
			built, _ := coap.Message{
				Type: m.Type, Code: m.Code, MessageID: m.MessageID, Token: m.Token, Options: options, Payload: payload,
			}.AppendBinary(nil)
			if !bytes.Equal(built, d.payload) {
				t.Errorf("%s %v: %s\n got %x\nwant %x", capture, d.time, path, built, d.payload)
			}
		}
	}
	want := []string{
		tmf.URIAddressNotify, tmf.URIAddressQuery, tmf.URIAddressSolicit, tmf.URIServerData, tmf.URIDiagnosticGetRequest,
	}
	if got := slices.Sorted(maps.Keys(paths)); !slices.Equal(got, want) {
		t.Errorf("seen %v, want %v", got, want)
	}
}
