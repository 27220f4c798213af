package netdata

import (
	"encoding/binary"

	"github.com/gopymesh/pymesh/thread/mle"
)

// Fields of a Service TLV (Thread 1.1 §5.18.6).
const (
	serviceThreadEnterprise = 1 << 7
	serviceIDMask           = 0x0f
	serviceMinSize          = 2 // flags and data length
	enterpriseSize          = 4
	serverMinSize           = 2
	maxServiceData          = 255
)

// ThreadEnterprise is the enterprise number of the Thread Group. A Service TLV has one bit for it.
const ThreadEnterprise = 44970

// Service is the value of a Service TLV.
type Service struct {
	ID         uint8 // 0 to 15, assigned by the leader
	Enterprise uint32
	Data       []byte // what names the service
	SubTLVs    []byte // Server TLVs, for All
}

// ParseService parses the value of a Service TLV. Data and SubTLVs alias value; SubTLVs is not checked.
func ParseService(value []byte) (Service, error) {
	if checkLength(TypeService, value) != nil {
		return Service{}, ErrValue
	}
	s := Service{ID: value[0] & serviceIDMask, Enterprise: ThreadEnterprise}
	b := value[1:]
	if value[0]&serviceThreadEnterprise == 0 {
		if len(b) <= enterpriseSize {
			return Service{}, ErrValue
		}
		s.Enterprise = binary.BigEndian.Uint32(b)
		b = b[enterpriseSize:]
	}
	end := 1 + int(b[0])
	if len(b) < end {
		return Service{}, ErrValue
	}
	s.Data = b[1:end:end]
	s.SubTLVs = b[end:]
	return s, nil
}

// AppendBinary appends the value of the TLV to b. It fails with ErrTooLong if Data has more than 255 bytes.
func (s Service) AppendBinary(b []byte) ([]byte, error) {
	if len(s.Data) > maxServiceData {
		return b, ErrTooLong
	}
	id := s.ID & serviceIDMask
	if s.Enterprise == ThreadEnterprise {
		b = append(b, serviceThreadEnterprise|id)
	} else {
		b = binary.BigEndian.AppendUint32(append(b, id), s.Enterprise)
	}
	b = append(append(b, byte(len(s.Data))), s.Data...)
	return append(b, s.SubTLVs...), nil
}

// Server is the value of a Server TLV: a node that provides the service around it.
type Server struct {
	RLOC16 mle.RLOC16
	Data   []byte
}

// ParseServer parses the value of a Server TLV. Data aliases value.
func ParseServer(value []byte) (Server, error) {
	if checkLength(TypeServer, value) != nil {
		return Server{}, ErrValue
	}
	return Server{RLOC16: mle.RLOC16(binary.BigEndian.Uint16(value)), Data: value[serverMinSize:]}, nil
}

// AppendBinary appends the value of the TLV to b. It never fails.
func (s Server) AppendBinary(b []byte) ([]byte, error) {
	return append(binary.BigEndian.AppendUint16(b, uint16(s.RLOC16)), s.Data...), nil
}
