package mle

import "github.com/gopymesh/pymesh/thread/tlv"

// TLVType is the type of an MLE TLV (Thread 1.1 §4.5, which describes them in the order of their numbers: 24 and 25 in
// §4.5.25 and §4.5.26).
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

// TLVCompany is no TLV of Thread, but one of this project, which others skip. Its value is a byte: how long ago a node was heard of in the
// partition that does not send it, in units of 8 s, 127 for never; and in the highest bit, that the leader of the partition is lost. In
// Advertisements, and in answers to children, four more follow: the numbers of the sender's children (255: it has no place for another one), of the routers in its partition, of those that it hears well, and of
// the children that it has ever dropped, which goes on from 255 to 0.
const TLVCompany TLVType = 0xe1

// TLVPlaces is another one: where nodes are, as the sender of an Advertisement knows it. Each takes seven bytes: the last four of its ML-EID,
// its RLOC16, and how long ago that was so, in units of 2 s, 255 for that and longer.
const TLVPlaces TLVType = 0xe2

// TLVChildren is another one: the children for which a router vouches in an Advertisement. Each takes fourteen bytes: its RLOC16, its extended
// address, and the least MAC frame counter of its next frame, under the key sequence of the message.
const TLVChildren TLVType = 0xe3

// TLVDatasetDigest is another one: in a Child ID Request, four bytes that tell the active dataset without time that the sender has, or would make of
// its configuration. A parent that has the same one does not send it.
const TLVDatasetDigest TLVType = 0xe4

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
	maxRoute64Size       = route64HeaderSize + NumRouterIDs
	compressedEntrySize  = 9  // control and interface identifier
	fullAddressEntrySize = 17 // control and IPv6 address
)

var tlvTypes = tlv.Table[TLVType]{
	TLVSourceAddress:             tlv.Fixed("Source Address", rloc16Size),
	TLVMode:                      tlv.Fixed("Mode", modeSize),
	TLVTimeout:                   tlv.Fixed("Timeout", timeoutSize),
	TLVChallenge:                 tlv.Between("Challenge", minChallengeSize, maxChallengeSize),
	TLVResponse:                  tlv.Between("Response", minChallengeSize, maxChallengeSize),
	TLVLinkLayerFrameCounter:     tlv.Fixed("Link-layer Frame Counter", frameCounterSize),
	TLVLinkQuality:               tlv.Between("Link Quality", 0, maxTLVSize),
	TLVNetworkParameter:          tlv.Between("Network Parameter", 0, maxTLVSize),
	TLVMLEFrameCounter:           tlv.Fixed("MLE Frame Counter", frameCounterSize),
	TLVRoute64:                   tlv.Between("Route64", route64HeaderSize, maxRoute64Size),
	TLVAddress16:                 tlv.Fixed("Address16", rloc16Size),
	TLVLeaderData:                tlv.Fixed("Leader Data", leaderDataSize),
	TLVNetworkData:               tlv.AnyLength("Network Data"),
	TLVTLVRequest:                tlv.Between("TLV Request", 0, maxTLVSize),
	TLVScanMask:                  tlv.Fixed("Scan Mask", scanMaskSize),
	TLVConnectivity:              tlv.Between("Connectivity", connectivitySize, maxTLVSize),
	TLVLinkMargin:                tlv.Fixed("Link Margin", linkMarginSize),
	TLVStatus:                    tlv.Fixed("Status", statusSize),
	TLVVersion:                   tlv.Fixed("Version", versionSize),
	TLVAddressRegistration:       tlv.Between("Address Registration", 0, maxTLVSize),
	TLVChannel:                   tlv.Fixed("Channel", channelSize),
	TLVPANID:                     tlv.Fixed("PAN ID", panIDSize),
	TLVActiveTimestamp:           tlv.Fixed("Active Timestamp", timestampSize),
	TLVPendingTimestamp:          tlv.Fixed("Pending Timestamp", timestampSize),
	TLVActiveOperationalDataset:  tlv.AnyLength("Active Operational Dataset"),
	TLVPendingOperationalDataset: tlv.AnyLength("Pending Operational Dataset"),
	TLVThreadDiscovery:           tlv.AnyLength("Thread Discovery"),
}

// Known reports whether t is a TLV type of Thread 1.1.
func (t TLVType) Known() bool { return tlvTypes.Known(t) }

// ValidLength reports whether a value of n bytes is one that type t allows. An unknown type allows any.
func (t TLVType) ValidLength(n int) bool { return tlvTypes.ValidLength(t, n) }

// String returns the standard's name of the type.
func (t TLVType) String() string { return tlvTypes.Name(t) }
