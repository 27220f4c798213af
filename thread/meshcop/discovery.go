package meshcop

import (
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Discovery is the value of a Thread Discovery TLV: a sequence of MeshCoP TLVs, which stands in MLE Discovery Requests and Responses
// (Thread 1.1 §8.4.4.1.1).
//
//	request   Discovery Request, and the Extended PAN ID of a network that is not to answer
//	response  Discovery Response, Extended PAN ID, Network Name, Steering Data of a network that lets joiners in, Joiner UDP Port
type Discovery []byte

// ParseDiscovery checks that value is a whole number of TLVs. The result aliases value.
func ParseDiscovery(value []byte) (Discovery, error) {
	if err := tlv.Validate(value); err != nil {
		return nil, err
	}
	return Discovery(value), nil
}

// find returns the value of a TLV if it is there, and ErrTLVLength if it is malformed.
func (d Discovery) find(t Type) (value []byte, ok bool, err error) {
	value, ok = tlv.Find(d, t)
	if ok && !t.ValidLength(len(value)) {
		return nil, false, ErrTLVLength
	}
	return value, ok, nil
}

// Request returns the Discovery Request TLV, and false if there is none.
func (d Discovery) Request() (r DiscoveryRequest, ok bool, err error) {
	value, ok, err := d.find(TypeDiscoveryRequest)
	if ok {
		r, err = ParseDiscoveryRequest(value)
	}
	return r, ok, err
}

// Response returns the Discovery Response TLV, and false if there is none.
func (d Discovery) Response() (r DiscoveryResponse, ok bool, err error) {
	value, ok, err := d.find(TypeDiscoveryResponse)
	if ok {
		r, err = ParseDiscoveryResponse(value)
	}
	return r, ok, err
}

// ExtendedPANID returns the Extended PAN ID TLV, and false if there is none.
func (d Discovery) ExtendedPANID() (id [8]byte, ok bool, err error) {
	value, ok, err := d.find(TypeExtendedPANID)
	if ok {
		id = [8]byte(value)
	}
	return id, ok, err
}

// NetworkName returns the Network Name TLV, empty if there is none.
func (d Discovery) NetworkName() (string, error) {
	value, _, err := d.find(TypeNetworkName)
	return string(value), err
}

// SteeringData returns the value of the Steering Data TLV, by which joiners see whether they are meant, nil if there is none. It aliases d.
func (d Discovery) SteeringData() ([]byte, error) {
	value, _, err := d.find(TypeSteeringData)
	return value, err
}

// JoinerUDPPort returns the Joiner UDP Port TLV, 0 if there is none.
func (d Discovery) JoinerUDPPort() (uint16, error) {
	value, ok, err := d.find(TypeJoinerUDPPort)
	if !ok {
		return 0, err
	}
	return ParseJoinerUDPPort(value)
}

// AppendExtendedPANID appends an Extended PAN ID TLV.
func AppendExtendedPANID(b []byte, id [8]byte) []byte { return tlv.Append(b, TypeExtendedPANID, id[:]) }

// AppendNetworkName appends a Network Name TLV. A name that is too long is cut.
func AppendNetworkName(b []byte, name string) []byte {
	return tlv.Append(b, TypeNetworkName, []byte(name[:min(len(name), maxNetworkNameSize)]))
}
