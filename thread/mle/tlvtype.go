package mle

import "strconv"

// TLVType is the type of an MLE TLV (Thread 1.1 §4.5).
type TLVType uint8

// The TLV types of Thread 1.1. LinkQuality and NetworkParameter come from draft-kelsey-intarea-mesh-link-establishment;
// Thread assigns them no use, so this package carries them as bytes. The values of NetworkData are package netdata's,
// those of the timestamps, datasets and ThreadDiscovery are package meshcop's.
const (
	TLVSourceAddress             TLVType = 0
	TLVMode                      TLVType = 1
	TLVTimeout                   TLVType = 2
	TLVChallenge                 TLVType = 3
	TLVResponse                  TLVType = 4
	TLVLinkLayerFrameCounter     TLVType = 5
	TLVLinkQuality               TLVType = 6
	TLVNetworkParameter          TLVType = 7
	TLVMLEFrameCounter           TLVType = 8
	TLVRoute64                   TLVType = 9
	TLVAddress16                 TLVType = 10
	TLVLeaderData                TLVType = 11
	TLVNetworkData               TLVType = 12
	TLVTLVRequest                TLVType = 13
	TLVScanMask                  TLVType = 14
	TLVConnectivity              TLVType = 15
	TLVLinkMargin                TLVType = 16
	TLVStatus                    TLVType = 17
	TLVVersion                   TLVType = 18
	TLVAddressRegistration       TLVType = 19
	TLVChannel                   TLVType = 20
	TLVPANID                     TLVType = 21
	TLVActiveTimestamp           TLVType = 22
	TLVPendingTimestamp          TLVType = 23
	TLVActiveOperationalDataset  TLVType = 24
	TLVPendingOperationalDataset TLVType = 25
	TLVThreadDiscovery           TLVType = 26
)

// Sizes of TLV values, in bytes.
const (
	rloc16Size           = 2
	modeSize             = 1
	timeoutSize          = 4
	minChallengeSize     = 4
	maxChallengeSize     = 8
	frameCounterSize     = 4
	leaderDataSize       = 8
	scanMaskSize         = 1
	connectivitySize     = 7
	connectivitySEDSize  = 10 // with the buffer of sleepy end devices
	linkMarginSize       = 1
	statusSize           = 1
	versionSize          = 2
	channelSize          = 3
	panIDSize            = 2
	timestampSize        = 8
	route64HeaderSize    = 9 // ID Sequence and Router ID Mask
	maxTLVSize           = 254
	unboundedSize        = 0xffff
	maxRoute64Size       = route64HeaderSize + NumRouterIDs
	compressedEntrySize  = 9  // control and interface identifier
	fullAddressEntrySize = 17 // control and IPv6 address
)

// tlvSpecs says for each type its name and the shortest and longest value.
var tlvSpecs = [...]struct {
	name     string
	min, max int
}{
	TLVSourceAddress:             {"Source Address", rloc16Size, rloc16Size},
	TLVMode:                      {"Mode", modeSize, modeSize},
	TLVTimeout:                   {"Timeout", timeoutSize, timeoutSize},
	TLVChallenge:                 {"Challenge", minChallengeSize, maxChallengeSize},
	TLVResponse:                  {"Response", minChallengeSize, maxChallengeSize},
	TLVLinkLayerFrameCounter:     {"Link-layer Frame Counter", frameCounterSize, frameCounterSize},
	TLVLinkQuality:               {"Link Quality", 0, maxTLVSize},
	TLVNetworkParameter:          {"Network Parameter", 0, maxTLVSize},
	TLVMLEFrameCounter:           {"MLE Frame Counter", frameCounterSize, frameCounterSize},
	TLVRoute64:                   {"Route64", route64HeaderSize, maxRoute64Size},
	TLVAddress16:                 {"Address16", rloc16Size, rloc16Size},
	TLVLeaderData:                {"Leader Data", leaderDataSize, leaderDataSize},
	TLVNetworkData:               {"Network Data", 0, unboundedSize},
	TLVTLVRequest:                {"TLV Request", 0, maxTLVSize},
	TLVScanMask:                  {"Scan Mask", scanMaskSize, scanMaskSize},
	TLVConnectivity:              {"Connectivity", connectivitySize, maxTLVSize},
	TLVLinkMargin:                {"Link Margin", linkMarginSize, linkMarginSize},
	TLVStatus:                    {"Status", statusSize, statusSize},
	TLVVersion:                   {"Version", versionSize, versionSize},
	TLVAddressRegistration:       {"Address Registration", 0, maxTLVSize},
	TLVChannel:                   {"Channel", channelSize, channelSize},
	TLVPANID:                     {"PAN ID", panIDSize, panIDSize},
	TLVActiveTimestamp:           {"Active Timestamp", timestampSize, timestampSize},
	TLVPendingTimestamp:          {"Pending Timestamp", timestampSize, timestampSize},
	TLVActiveOperationalDataset:  {"Active Operational Dataset", 0, unboundedSize},
	TLVPendingOperationalDataset: {"Pending Operational Dataset", 0, unboundedSize},
	TLVThreadDiscovery:           {"Thread Discovery", 0, unboundedSize},
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t TLVType) Known() bool { return int(t) < len(tlvSpecs) }

// ValidLength reports whether a value of n bytes is one that type t allows. An unknown type allows any.
func (t TLVType) ValidLength(n int) bool {
	return !t.Known() || n >= tlvSpecs[t].min && n <= tlvSpecs[t].max
}

// String returns the standard's name of the type.
func (t TLVType) String() string {
	if t.Known() {
		return tlvSpecs[t].name
	}
	return "TLV " + decimal(uint8(t))
}

func decimal(v uint8) string { return strconv.Itoa(int(v)) }
