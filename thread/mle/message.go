package mle

import (
	"errors"
	"iter"
	"strconv"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Errors of this package. They are returned as they are, so == and errors.Is both work.
var (
	// ErrMessage says that an MLE message has no command or that its TLVs exceed it.
	ErrMessage = errors.New("mle: malformed message")
	// ErrAbsent says that a message does not hold the wanted TLV.
	ErrAbsent = errors.New("mle: TLV not present")
	// ErrTLVLength says that a TLV's value has a length its type forbids.
	ErrTLVLength = errors.New("mle: TLV of a wrong length")
	// ErrTLVValue says that a TLV's value is one its type forbids.
	ErrTLVValue = errors.New("mle: TLV of a forbidden value")
)

// UDPPort is the UDP port of MLE, source and destination.
const UDPPort = 19788

// HopLimit is the IPv6 hop limit of every MLE message; a message with another one has crossed a router and is
// dropped (draft-kelsey-intarea-mesh-link-establishment-06).
const HopLimit = 255

// Command is the type of an MLE message.
type Command uint8

// The commands of Thread 1.1. Up to UpdateRequest they are those of draft-kelsey-intarea-mesh-link-establishment-06.
const (
	LinkRequest          Command = 0
	LinkAccept           Command = 1
	LinkAcceptAndRequest Command = 2
	LinkReject           Command = 3
	Advertisement        Command = 4
	Update               Command = 5
	UpdateRequest        Command = 6
	DataRequest          Command = 7
	DataResponse         Command = 8
	ParentRequest        Command = 9
	ParentResponse       Command = 10
	ChildIDRequest       Command = 11
	ChildIDResponse      Command = 12
	ChildUpdateRequest   Command = 13
	ChildUpdateResponse  Command = 14
	Announce             Command = 15
	DiscoveryRequest     Command = 16
	DiscoveryResponse    Command = 17
)

var commandNames = [...]string{
	LinkRequest:          "Link Request",
	LinkAccept:           "Link Accept",
	LinkAcceptAndRequest: "Link Accept and Request",
	LinkReject:           "Link Reject",
	Advertisement:        "Advertisement",
	Update:               "Update",
	UpdateRequest:        "Update Request",
	DataRequest:          "Data Request",
	DataResponse:         "Data Response",
	ParentRequest:        "Parent Request",
	ParentResponse:       "Parent Response",
	ChildIDRequest:       "Child ID Request",
	ChildIDResponse:      "Child ID Response",
	ChildUpdateRequest:   "Child Update Request",
	ChildUpdateResponse:  "Child Update Response",
	Announce:             "Announce",
	DiscoveryRequest:     "Discovery Request",
	DiscoveryResponse:    "Discovery Response",
}

// String returns the standard's name of the command.
func (c Command) String() string {
	if int(c) < len(commandNames) {
		return commandNames[c]
	}
	return "Command " + strconv.Itoa(int(c))
}

// Message is an MLE message without its security: a command and a sequence of TLVs. Build one with AppendCommand and
// the Append functions of the TLVs, in the order in which they shall go out.
type Message struct {
	Command Command
	// TLVs are the encoded TLVs. In a parsed message they alias the input and are a whole number of elements.
	TLVs []byte
}

// ParseMessage parses the command and TLVs of an MLE message whose security is already off. It checks that the TLVs fit
// but not what they hold: each typed getter does that. The result aliases b.
func ParseMessage(b []byte) (Message, error) {
	if len(b) == 0 {
		return Message{}, ErrMessage
	}
	m := Message{Command: Command(b[0]), TLVs: b[1:]}
	if tlv.Validate(m.TLVs) != nil {
		return Message{}, ErrMessage
	}
	return m, nil
}

// ParseBeginning parses the beginning of a message: the command, and those TLVs that are whole. The result aliases b.
func ParseBeginning(b []byte) (Message, error) {
	if len(b) == 0 {
		return Message{}, ErrMessage
	}
	m := Message{Command: Command(b[0])}
	for rest := b[1:]; ; {
		_, _, next, err := tlv.Next[TLVType](rest)
		if err != nil {
			m.TLVs = b[1 : len(b)-len(rest)]
			return m, nil
		}
		rest = next
	}
}

// AppendCommand starts a message: it appends c to b. Append TLVs after it.
func AppendCommand(b []byte, c Command) []byte { return append(b, byte(c)) }

// AppendBinary appends m to b. It never fails.
func (m Message) AppendBinary(b []byte) ([]byte, error) {
	return append(AppendCommand(b, m.Command), m.TLVs...), nil
}

// All yields the TLVs of m in their order, known or not. The values alias m.
func (m Message) All() iter.Seq2[TLVType, []byte] { return tlv.All[TLVType](m.TLVs) }

// Find returns the value of the first TLV of type t in m, and whether there is one. The value aliases m.
func (m Message) Find(t TLVType) ([]byte, bool) { return tlv.Find(m.TLVs, t) }

// Has reports whether m holds a TLV of type t.
func (m Message) Has(t TLVType) bool {
	_, ok := m.Find(t)
	return ok
}

// get finds and parses a TLV: ErrAbsent if there is none, parse's error if it is malformed.
func get[T any](m Message, t TLVType, parse func([]byte) (T, error)) (T, error) {
	value, ok := m.Find(t)
	if !ok {
		var zero T
		return zero, ErrAbsent
	}
	return parse(value)
}

// bytes finds a TLV whose value another package parses.
func (m Message) bytes(t TLVType) ([]byte, error) {
	value, ok := m.Find(t)
	if !ok {
		return nil, ErrAbsent
	}
	if checkLength(t, value) != nil {
		return nil, ErrTLVLength
	}
	return value, nil
}

// The getters below return ErrAbsent if the message does not hold the TLV, ErrTLVLength or ErrTLVValue if it is
// malformed.

// SourceAddress returns the Source Address TLV.
func (m Message) SourceAddress() (RLOC16, error) {
	return get(m, TLVSourceAddress, ParseSourceAddress)
}

// Mode returns the Mode TLV.
func (m Message) Mode() (Mode, error) { return get(m, TLVMode, ParseMode) }

// Timeout returns the Timeout TLV.
func (m Message) Timeout() (time.Duration, error) { return get(m, TLVTimeout, ParseTimeout) }

// Challenge returns the Challenge TLV.
func (m Message) Challenge() (Challenge, error) { return get(m, TLVChallenge, ParseChallenge) }

// Response returns the Response TLV; it equals (==) the Challenge it answers.
func (m Message) Response() (Challenge, error) { return get(m, TLVResponse, ParseChallenge) }

// LinkLayerFrameCounter returns the Link-layer Frame Counter TLV.
func (m Message) LinkLayerFrameCounter() (uint32, error) {
	return get(m, TLVLinkLayerFrameCounter, ParseFrameCounter)
}

// MLEFrameCounter returns the MLE Frame Counter TLV.
func (m Message) MLEFrameCounter() (uint32, error) {
	return get(m, TLVMLEFrameCounter, ParseFrameCounter)
}

// Route64 returns the Route64 TLV.
func (m Message) Route64() (Route64, error) { return get(m, TLVRoute64, ParseRoute64) }

// Address16 returns the Address16 TLV.
func (m Message) Address16() (RLOC16, error) { return get(m, TLVAddress16, ParseAddress16) }

// LeaderData returns the Leader Data TLV.
func (m Message) LeaderData() (LeaderData, error) { return get(m, TLVLeaderData, ParseLeaderData) }

// NetworkData returns the value of the Network Data TLV, for package netdata. It aliases m.
func (m Message) NetworkData() ([]byte, error) { return m.bytes(TLVNetworkData) }

// TLVRequest returns the TLV Request TLV. It aliases m.
func (m Message) TLVRequest() (TLVRequest, error) { return get(m, TLVTLVRequest, ParseTLVRequest) }

// ScanMask returns the Scan Mask TLV.
func (m Message) ScanMask() (ScanMask, error) { return get(m, TLVScanMask, ParseScanMask) }

// Connectivity returns the Connectivity TLV.
func (m Message) Connectivity() (Connectivity, error) {
	return get(m, TLVConnectivity, ParseConnectivity)
}

// LinkMargin returns the Link Margin TLV, in dB.
func (m Message) LinkMargin() (uint8, error) { return get(m, TLVLinkMargin, ParseLinkMargin) }

// Status returns the Status TLV.
func (m Message) Status() (Status, error) { return get(m, TLVStatus, ParseStatus) }

// Version returns the Version TLV.
func (m Message) Version() (Version, error) { return get(m, TLVVersion, ParseVersion) }

// AddressRegistration returns the Address Registration TLV. It aliases m.
func (m Message) AddressRegistration() (AddressRegistration, error) {
	return get(m, TLVAddressRegistration, ParseAddressRegistration)
}

// Channel returns the Channel TLV.
func (m Message) Channel() (Channel, error) { return get(m, TLVChannel, ParseChannel) }

// PANID returns the PAN ID TLV.
func (m Message) PANID() (ieee802154.PANID, error) { return get(m, TLVPANID, ParsePANID) }

// ActiveTimestamp returns the value of the Active Timestamp TLV, 8 bytes, for package meshcop. It aliases m.
func (m Message) ActiveTimestamp() ([]byte, error) { return m.bytes(TLVActiveTimestamp) }

// ActiveOperationalDataset returns the value of the Active Operational Dataset TLV, for package meshcop. It aliases m.
func (m Message) ActiveOperationalDataset() ([]byte, error) {
	return m.bytes(TLVActiveOperationalDataset)
}
