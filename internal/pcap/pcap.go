package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// LinkType says what the records of a file hold (https://www.tcpdump.org/linktypes.html).
type LinkType uint16

// The link types that carry a mesh.
const (
	IEEE802154      LinkType = 195 // frame with FCS
	IEEE802154NoFCS LinkType = 230 // frame without FCS
	LinkLoRaTap     LinkType = 270 // LoRaTap header and packet
	IEEE802154TAP   LinkType = 283 // IEEE 802.15.4 TAP header and frame
)

// String returns the name of the link type.
func (t LinkType) String() string {
	switch t {
	case IEEE802154:
		return "IEEE802_15_4_WITHFCS"
	case IEEE802154NoFCS:
		return "IEEE802_15_4_NOFCS"
	case LinkLoRaTap:
		return "LORATAP"
	case IEEE802154TAP:
		return "IEEE802_15_4_TAP"
	}
	return fmt.Sprintf("LinkType(%d)", uint16(t))
}

// What the format fixes.
const (
	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d
	magicNG    = 0x0a0d0d0a // the other format, pcapng; the same in both byte orders

	versionMajor = 2
	versionMinor = 4

	fileHeaderLen   = 24
	recordHeaderLen = 16
)

// MaxData is the longest record that is read or written, in bytes: the snap length of
// current capture programs.
const MaxData = 256 << 10

var (
	// ErrFormat reports a file that is not a classic pcap file.
	ErrFormat = errors.New("pcap: not a pcap file")
	// ErrRecord reports a record that cannot be.
	ErrRecord = errors.New("pcap: bad record")
)

// Record is a packet.
type Record struct {
	// Time is when the packet was captured.
	Time time.Time
	// Data is the packet as captured, with the pseudo-header if the link type has
	// one.
	Data []byte
	// Length is the length of the packet before it was cut to Data. For WriteRecord
	// zero means len(Data).
	Length int
}

// Writer writes a file with times in microseconds.
type Writer struct {
	w   io.Writer
	buf []byte
}

// NewWriter writes the header of a file.
func NewWriter(w io.Writer, link LinkType) (*Writer, error) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, magicMicro)
	b = le.AppendUint16(b, versionMajor)
	b = le.AppendUint16(b, versionMinor)
	b = le.AppendUint64(b, 0)
	b = le.AppendUint32(b, MaxData)
	b = le.AppendUint32(b, uint32(link))
	if _, err := w.Write(b); err != nil {
		return nil, fmt.Errorf("pcap: write header: %w", err)
	}
	return &Writer{w: w, buf: b[:0]}, nil
}

// WriteRecord writes one record, with one call of Write. The time must lie in the years
// 1970 to 2105.
func (w *Writer) WriteRecord(r Record) error {
	length := int64(max(r.Length, len(r.Data)))
	seconds := r.Time.Unix()
	switch {
	case len(r.Data) > MaxData:
		return fmt.Errorf("%w: %d bytes: at most %d", ErrRecord, len(r.Data), MaxData)
	case length > math.MaxUint32:
		return fmt.Errorf("%w: length %d", ErrRecord, length)
	case seconds < 0 || seconds > math.MaxUint32:
		return fmt.Errorf("%w: time %v", ErrRecord, r.Time)
	}
	le := binary.LittleEndian
	b := le.AppendUint32(w.buf[:0], uint32(seconds))
	b = le.AppendUint32(b, uint32(r.Time.Nanosecond()/1000))
	b = le.AppendUint32(b, uint32(len(r.Data)))
	b = le.AppendUint32(b, uint32(length))
	w.buf = append(b, r.Data...)
	if _, err := w.w.Write(w.buf); err != nil {
		return fmt.Errorf("pcap: write record: %w", err)
	}
	return nil
}

// Reader reads a file in either byte order, with times in microseconds or nanoseconds.
type Reader struct {
	r        io.Reader
	order    binary.ByteOrder
	fraction time.Duration // unit of the second time field
	link     LinkType
	count    int
	buf      []byte
}

// NewReader reads the header of a file.
func NewReader(r io.Reader) (*Reader, error) {
	var h [fileHeaderLen]byte
	if n, err := io.ReadFull(r, h[:]); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, fmt.Errorf("%w: %d bytes, the header alone has %d", ErrFormat, n, fileHeaderLen)
		}
		return nil, fmt.Errorf("pcap: read header: %w", err)
	}
	p := &Reader{r: r}
	switch {
	case p.match(binary.LittleEndian, h[:]), p.match(binary.BigEndian, h[:]):
	case binary.LittleEndian.Uint32(h[:]) == magicNG:
		return nil, fmt.Errorf("%w: pcapng, which this package does not read", ErrFormat)
	default:
		return nil, fmt.Errorf("%w: magic % x", ErrFormat, h[:4])
	}
	if major, minor := p.order.Uint16(h[4:]), p.order.Uint16(h[6:]); major != versionMajor {
		return nil, fmt.Errorf("%w: version %d.%d, accepted is %d.x", ErrFormat, major, minor, versionMajor)
	}
	p.link = LinkType(p.order.Uint32(h[20:])) // the upper bits hold hints about the FCS
	return p, nil
}

func (r *Reader) match(order binary.ByteOrder, h []byte) bool {
	switch order.Uint32(h) {
	case magicMicro:
		r.fraction = time.Microsecond
	case magicNano:
		r.fraction = time.Nanosecond
	default:
		return false
	}
	r.order = order
	return true
}

// LinkType returns what the records hold.
func (r *Reader) LinkType() LinkType { return r.link }

// Next reads one record. Its data are valid until the next call. At the end of the file
// the error is io.EOF, and one that wraps io.ErrUnexpectedEOF when the file ends within
// a record.
func (r *Reader) Next() (Record, error) {
	var h [recordHeaderLen]byte
	if _, err := io.ReadFull(r.r, h[:]); err != nil {
		if err == io.EOF {
			return Record{}, err
		}
		return Record{}, r.fail(err)
	}
	captured := r.order.Uint32(h[8:])
	if captured > MaxData {
		return Record{}, r.fail(fmt.Errorf("%w: %d bytes: at most %d", ErrRecord, captured, MaxData))
	}
	if cap(r.buf) < int(captured) {
		r.buf = make([]byte, captured)
	}
	data := r.buf[:captured]
	if _, err := io.ReadFull(r.r, data); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return Record{}, r.fail(err)
	}
	r.count++
	seconds, fraction := r.order.Uint32(h[0:]), r.order.Uint32(h[4:])
	return Record{
		Time:   time.Unix(int64(seconds), int64(fraction)*int64(r.fraction)).UTC(),
		Data:   data,
		Length: int(min(r.order.Uint32(h[12:]), math.MaxInt32)),
	}, nil
}

func (r *Reader) fail(err error) error {
	return fmt.Errorf("pcap: record %d: %w", r.count+1, err)
}
