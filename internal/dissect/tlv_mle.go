package dissect

import (
	"fmt"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
)

func mleTLVs(b []byte) []TLV {
	return readTLVs(b, FamilyMLE, func(t *TLV) decoder {
		typ := mle.TLVType(t.Type)
		t.Name, t.Known = typ.String(), typ.Known()
		if name, ok := laterMLENames[typ]; ok {
			t.Name = name
		}
		return mleDecoders[typ]
	})
}

// laterMLENames are TLV types of Thread 1.2 that current nodes send to any other.
var laterMLENames = map[mle.TLVType]string{
	27: "Supervision Interval",
	86: "CSL Clock Accuracy",
}

var mleDecoders = map[mle.TLVType]decoder{
	mle.TLVSourceAddress:             text(mle.ParseSourceAddress),
	mle.TLVMode:                      textf(mle.ParseMode, modeText),
	mle.TLVTimeout:                   textf(mle.ParseTimeout, seconds),
	mle.TLVChallenge:                 text(mle.ParseChallenge),
	mle.TLVResponse:                  text(mle.ParseChallenge),
	mle.TLVLinkLayerFrameCounter:     text(mle.ParseFrameCounter),
	mle.TLVMLEFrameCounter:           text(mle.ParseFrameCounter),
	mle.TLVRoute64:                   textf(mle.ParseRoute64, routeText),
	mle.TLVAddress16:                 text(mle.ParseAddress16),
	mle.TLVLeaderData:                textf(mle.ParseLeaderData, leaderDataText),
	mle.TLVNetworkData:               sub(networkDataTLVs),
	mle.TLVTLVRequest:                textf(mle.ParseTLVRequest, tlvRequestText),
	mle.TLVScanMask:                  textf(mle.ParseScanMask, scanMaskText),
	mle.TLVConnectivity:              textf(mle.ParseConnectivity, connectivityText),
	mle.TLVLinkMargin:                textf(mle.ParseLinkMargin, func(dB uint8) string { return fmt.Sprintf("%d dB", dB) }),
	mle.TLVStatus:                    textf(mle.ParseStatus, mleStatusText),
	mle.TLVVersion:                   textf(mle.ParseVersion, versionText),
	mle.TLVAddressRegistration:       textf(mle.ParseAddressRegistration, registrationText),
	mle.TLVChannel:                   textf(mle.ParseChannel, channelText),
	mle.TLVPANID:                     text(mle.ParsePANID),
	mle.TLVActiveTimestamp:           text(meshcop.ParseTimestamp),
	mle.TLVPendingTimestamp:          text(meshcop.ParseTimestamp),
	mle.TLVActiveOperationalDataset:  sub(meshcopTLVs),
	mle.TLVPendingOperationalDataset: sub(meshcopTLVs),
	mle.TLVThreadDiscovery:           sub(meshcopTLVs),
}

func modeText(m mle.Mode) string {
	var words []string
	for _, f := range [...]struct {
		flag    mle.Mode
		on, off string
	}{
		{mle.ModeRxOnWhenIdle, "always listening", "sleepy"},
		{mle.ModeSecureDataRequests, "secure data requests", ""},
		{mle.ModeFullThreadDevice, "full device", "minimal device"},
		{mle.ModeFullNetworkData, "full network data", "stable network data"},
	} {
		word := f.off
		if m.Has(f.flag) {
			word = f.on
		}
		if word != "" {
			words = append(words, word)
		}
	}
	return fmt.Sprintf("%v (%s)", m, strings.Join(words, ", "))
}

func routeText(r mle.Route64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "sequence %d", r.IDSequence)
	for id := range r.Routers.All() {
		e := r.Routes[id]
		fmt.Fprintf(&b, "; router %d: quality out %d, in %d, cost %d", id, e.LinkQualityOut, e.LinkQualityIn, e.Cost)
	}
	return b.String()
}

func leaderDataText(d mle.LeaderData) string {
	return fmt.Sprintf("partition %08x, weight %d, leader is router %d, data version %d, stable %d",
		d.PartitionID, d.Weighting, d.LeaderRouterID, d.DataVersion, d.StableDataVersion)
}

func tlvRequestText(r mle.TLVRequest) string {
	var names []string
	for t := range r.All() {
		names = append(names, t.String())
	}
	return strings.Join(names, ", ")
}

func scanMaskText(s mle.ScanMask) string {
	var words []string
	if s.Has(mle.ScanRouters) {
		words = append(words, "routers")
	}
	if s.Has(mle.ScanEndDevices) {
		words = append(words, "end devices")
	}
	return strings.Join(words, " and ")
}

func connectivityText(c mle.Connectivity) string {
	s := fmt.Sprintf("priority %d; %d, %d and %d links of quality 3, 2 and 1; cost to leader %d; sequence %d, %d routers",
		c.ParentPriority, c.LinkQuality3, c.LinkQuality2, c.LinkQuality1, c.LeaderCost, c.IDSequence, c.ActiveRouters)
	if c.SEDBuffers {
		s += fmt.Sprintf("; buffers %d bytes and %d datagrams for a sleepy child", c.SEDBufferSize, c.SEDDatagramCount)
	}
	return s
}

func mleStatusText(s mle.Status) string {
	if s == mle.StatusError {
		return "error"
	}
	return fmt.Sprint(uint8(s))
}

// versionText names the version: 2 stands for Thread 1.1, 3 for 1.2 and so on.
func versionText(v mle.Version) string {
	const minorOffset = 1
	if v <= minorOffset {
		return fmt.Sprint(uint16(v))
	}
	return fmt.Sprintf("%d (Thread 1.%d)", v, v-minorOffset)
}

func registrationText(r mle.AddressRegistration) string {
	var addrs []string
	for e := range r.All() {
		if e.Compressed() {
			addrs = append(addrs, fmt.Sprintf("context %d, %x", e.ContextID, e.IID))
		} else {
			addrs = append(addrs, e.Addr.String())
		}
	}
	return strings.Join(addrs, "; ")
}

func channelText(c mle.Channel) string {
	if c.Page == 0 {
		return fmt.Sprint(c.Number)
	}
	return fmt.Sprintf("%d of page %d", c.Number, c.Page)
}

// seconds prints whole seconds.
func seconds(d time.Duration) string { return fmt.Sprintf("%d s", d/time.Second) }
