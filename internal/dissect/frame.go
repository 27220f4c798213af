package dissect

import (
	"errors"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Reasons why the rest of a frame is not known, besides the errors of the packages that decode it.
var (
	// ErrSender means that no known node has sent the frame under this network key.
	ErrSender = errors.New("sender not heard of before, or another key")
	// ErrKey means that the frame of a node with an extended address is not authentic under this network key.
	ErrKey = errors.New("another key, or damaged")
	// ErrForeignKey means that the frame is secured with a key that does not follow from the network key, as the frame
	// that entrusts a joiner with the network key is.
	ErrForeignKey = errors.New("secured with a key of another kind")
	// ErrUnsecured means that the message ought to be secured.
	ErrUnsecured = errors.New("not secured")
	// ErrTunnels means that there are too many IPv6 headers inside each other.
	ErrTunnels = errors.New("too many tunnels inside each other")
	// ErrRequest means that the request to which this is the response was not seen.
	ErrRequest = errors.New("answers a request that was not seen")
	// ErrFragments means that too many datagrams are incomplete.
	ErrFragments = errors.New("too many datagrams in reassembly")
)

// Frame is what a [Dissector] makes of one packet: its layers, as far as they are there and can be read. Pointers are
// nil, and slices empty, for a layer that is not there.
type Frame struct {
	Time time.Time
	PSDU []byte

	MAC      MAC
	Beacon   *ieee802154.BeaconPayload
	Mesh     *lowpan.MeshHeader
	Fragment *Fragment

	// Datagram is the uncompressed IPv6 datagram. Of a fragment it is that which the fragment completes, if it does.
	Datagram []byte
	// Ends are the addresses of Datagram that the frame leaves out. They are found by what was heard before; Unaddressed says that they were not: in
	// their place are the RLOCs of both ends, and the checksum does not tell whether the rest is right.
	Ends        lowpan.Ends
	Unaddressed bool
	// IP are the headers and payloads of Datagram, the outermost first, and then those of the datagrams inside.
	IP     []ip6.Datagram
	UDP    *UDP
	ICMPv6 *ICMPv6
	MLE    *MLE
	CoAP   *CoAP

	// TLVs are what a message of MLE or network management carries.
	TLVs []TLV

	// Problem is the reason why what follows the last layer above is not known; nil if nothing follows. A malformed TLV is
	// a problem too.
	Problem error

	meshLocal netip.Prefix // in use when the frame was sent
}

// MAC is the MAC layer of a frame.
type MAC struct {
	ieee802154.Frame      // its Payload is as it was on the air
	FCSValid         bool // Pymesh neither computes nor checks the FCS

	// From and To are Src and Dst; those of an acknowledgment follow from the frame that it answers, if that was seen.
	From, To ieee802154.Addr
	// Repeat says that the sender's last frame was the same: it got no acknowledgment.
	Repeat bool

	// Opened says that the frame was secured and is authentic, from the node Sender and under the network key of
	// KeySequence, or the well-known key if WellKnownKey.
	Opened       bool
	Sender       ieee802154.ExtAddr
	KeySequence  keys.Sequence
	WellKnownKey bool

	// Plaintext is the payload, decrypted.
	Plaintext []byte

	readable bool // the header is not malformed
}

// authentic reports whether a node of the network has sent the frame.
func (m *MAC) authentic() bool { return m.Opened && !m.WellKnownKey }

// Fragment is the 6LoWPAN fragment in a frame.
type Fragment struct {
	lowpan.FragmentHeader
	// Bytes of the frame after the fragment header: of a first fragment compressed.
	Bytes int
	// Completes says that the datagram is complete with this fragment.
	Completes bool
}

// UDP is a UDP header and its payload.
type UDP struct {
	ip6.UDPHeader
	Payload []byte
}

// ICMPv6 is an ICMPv6 message.
type ICMPv6 struct {
	ip6.ICMPv6
	Echo *ip6.Echo // of an echo request or reply
	// Invoking is what a Destination Unreachable message says of the datagram that brought it about.
	Invoking *ip6.Header
}

// MLE is an MLE message.
type MLE struct {
	mle.Header
	mle.Message
	Sender ieee802154.ExtAddr // of a secured message
}

// CoAP is a message of network management (TMF) or of an application.
type CoAP struct {
	coap.Message
	TMF bool // from or to the port of network management
	// URI is the path of the request, or of the request to which this is the answer; empty if that was not seen.
	URI string
}

// fail records the first problem.
func (f *Frame) fail(err error) {
	if f.Problem == nil {
		f.Problem = err
	}
}

// linkLayer returns the addresses from which interface identifiers are derived: those of the mesh header, if there is
// one, or else of the frame.
func (f *Frame) linkLayer() (src, dst ieee802154.Addr) {
	if f.Mesh != nil {
		return f.Mesh.Src, f.Mesh.Dst
	}
	return f.MAC.Src, f.MAC.Dst
}

// innermost returns the datagram that carries the message: the one inside of a tunnel.
func (f *Frame) innermost() *ip6.Datagram {
	if len(f.IP) == 0 {
		return nil
	}
	return &f.IP[len(f.IP)-1]
}
