package dtls

import (
	"encoding/binary"
	"errors"
)

// ErrFormat says that a message is malformed.
var ErrFormat = errors.New("dtls: malformed message")

// contentType is the type of a record.
type contentType uint8

// The types of records (RFC 5246 §6.2.1).
const (
	typeChangeCipherSpec contentType = 20
	typeAlert            contentType = 21
	typeHandshake        contentType = 22
	typeApplicationData  contentType = 23
)

// Fixed by the standard.
const (
	version12 = 0xfefd // DTLS 1.2, the ones' complement of 1.2
	version10 = 0xfeff // DTLS 1.0, which some write in their first records

	recordHeaderSize = 13
	maxSequence      = 1<<48 - 1
	// sealOverhead is what the cipher adds to a record.
	sealOverhead = explicitNonceSize + micSize
)

// A record is one record of a datagram. Its fragment aliases the datagram.
type record struct {
	kind     contentType
	epoch    uint16
	sequence uint64
	fragment []byte
	header   []byte
}

// parseRecord parses the first record of a datagram, and returns what follows it.
func parseRecord(b []byte) (r record, rest []byte, err error) {
	if len(b) < recordHeaderSize {
		return record{}, nil, ErrFormat
	}
	if v := binary.BigEndian.Uint16(b[1:]); v != version12 && v != version10 {
		return record{}, nil, ErrFormat
	}
	r.kind = contentType(b[0])
	sequence := binary.BigEndian.Uint64(b[3:])
	r.epoch, r.sequence = uint16(sequence>>48), sequence&maxSequence
	n := int(binary.BigEndian.Uint16(b[11:]))
	if n > len(b)-recordHeaderSize {
		return record{}, nil, ErrFormat
	}
	r.header, r.fragment, rest = b[:recordHeaderSize], b[recordHeaderSize:recordHeaderSize+n], b[recordHeaderSize+n:]
	return r, rest, nil
}

func appendRecordHeader(b []byte, kind contentType, epoch uint16, sequence uint64, n int) []byte {
	b = binary.BigEndian.AppendUint16(append(b, byte(kind)), version12)
	b = binary.BigEndian.AppendUint64(b, uint64(epoch)<<48|sequence)
	return binary.BigEndian.AppendUint16(b, uint16(n))
}

// aad is the additional data of a record (RFC 5246 §6.2.3.3): epoch and sequence number, type, version, and the size of the plaintext.
func aad(kind contentType, epoch uint16, sequence uint64, n int) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, recordHeaderSize), uint64(epoch)<<48|sequence)
	b = binary.BigEndian.AppendUint16(append(b, byte(kind)), version12)
	return binary.BigEndian.AppendUint16(b, uint16(n))
}

// appendSealed appends a record under keys. Its sequence number is its explicit nonce (RFC 6655 §3), so that none comes twice.
func (h *halfKeys) appendSealed(b []byte, kind contentType, epoch uint16, sequence uint64, plaintext []byte) []byte {
	b = appendRecordHeader(b, kind, epoch, sequence, len(plaintext)+sealOverhead)
	var nonce [nonceSize]byte
	copy(nonce[:], h.fixed[:])
	binary.BigEndian.PutUint64(nonce[fixedNonceSize:], uint64(epoch)<<48|sequence)
	b = append(b, nonce[fixedNonceSize:]...)
	return h.cipher.seal(b, &nonce, aad(kind, epoch, sequence, len(plaintext)), plaintext)
}

// open returns the plaintext of a record.
func (h *halfKeys) open(r record) ([]byte, error) {
	if len(r.fragment) < sealOverhead {
		return nil, errAuthentic
	}
	var nonce [nonceSize]byte
	copy(nonce[:], h.fixed[:])
	copy(nonce[fixedNonceSize:], r.fragment)
	sealed := r.fragment[explicitNonceSize:]
	return h.cipher.open(&nonce, aad(r.kind, r.epoch, r.sequence, len(sealed)-micSize), sealed)
}

// A window knows which records were received (RFC 6347 §4.1.2.6): the last windowSize of an epoch.
type window struct {
	latest uint64
	seen   uint64 // bit i: latest-i
	any    bool
}

const windowSize = 64

// fresh reports whether a record was not received before, and is not too old to tell.
func (w *window) fresh(sequence uint64) bool {
	if !w.any || sequence > w.latest {
		return true
	}
	age := w.latest - sequence
	return age < windowSize && w.seen>>age&1 == 0
}

// mark notes a record that is authentic.
func (w *window) mark(sequence uint64) {
	switch {
	case !w.any:
		w.latest, w.seen, w.any = sequence, 1, true
	case sequence > w.latest:
		if ahead := sequence - w.latest; ahead < windowSize {
			w.seen = w.seen<<ahead | 1
		} else {
			w.seen = 1
		}
		w.latest = sequence
	default:
		w.seen |= 1 << (w.latest - sequence)
	}
}
