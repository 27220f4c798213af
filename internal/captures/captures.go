// Package captures holds recorded traffic of OpenThread nodes for the tests of
// every layer: real frames, with the key that opens them.
//
// Every capture is of one Thread network with the [NetworkKey], PAN ID 0x1234
// and mesh-local prefix fdde:ad00:beef::/64. The key sequence is 0 at the start
// of a capture. Node NN has the extended address 70b3d549900000NN (see
// [NodeExtAddr]). A capture named pycom-… is of Pymesh's engine (OpenThread of
// December 2018 with Pycom's constants), one named ot-… of OpenThread of
// November 2025. The file SOURCE tells what each one shows.
//
// Frames of different nodes less than 1 ms apart may be swapped.
package captures

import (
	"embed"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"time"
)

//go:embed *.pcap
var files embed.FS

// NetworkKey is the network key (master key) of every capture.
var NetworkKey = [16]byte{
	0x01, 0x34, 0xc0, 0xde, 0x1a, 0xb5, 0x12, 0x34,
	0xc0, 0xde, 0x1a, 0xb5, 0xca, 0x1a, 0x11, 0x0f,
}

// NodeExtAddr returns the extended address of node n (1, 2, …) in the order in
// which it is printed.
func NodeExtAddr(n uint8) [8]byte {
	return [8]byte{0x70, 0xb3, 0xd5, 0x49, 0x90, 0, 0, n}
}

// NumNodes is the largest node number that occurs in any capture.
const NumNodes = 4

// Record is one captured frame.
type Record struct {
	// Time is the time since the first frame of the capture.
	Time time.Duration

	// PSDU is the frame with its two FCS bytes, which are valid.
	PSDU []byte
}

// Classic pcap file format, little-endian with microseconds.
const (
	pcapMagic        = 0xa1b2c3d4
	fileHeaderSize   = 24
	recordHeaderSize = 16
	linkTypeOffset   = 20
	linkType154FCS   = 195 // LINKTYPE_IEEE802_15_4_WITHFCS
)

var errFormat = errors.New("captures: malformed pcap file")

// Names returns the names of the captures, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name()[:len(e.Name())-len(".pcap")])
	}
	slices.Sort(names)
	return names
}

// Frames returns the frames of the capture with the given name (such as
// "pycom-s1") in the order in which they were recorded. The caller owns them.
func Frames(name string) ([]Record, error) {
	b, err := files.ReadFile(name + ".pcap")
	if err != nil {
		return nil, fmt.Errorf("captures: %w", err)
	}
	if len(b) < fileHeaderSize ||
		binary.LittleEndian.Uint32(b) != pcapMagic ||
		binary.LittleEndian.Uint32(b[linkTypeOffset:]) != linkType154FCS {
		return nil, errFormat
	}
	b = b[fileHeaderSize:]

	var records []Record
	var first time.Duration
	for len(b) > 0 {
		if len(b) < recordHeaderSize {
			return nil, errFormat
		}
		t := time.Duration(binary.LittleEndian.Uint32(b))*time.Second +
			time.Duration(binary.LittleEndian.Uint32(b[4:]))*time.Microsecond
		n := int64(binary.LittleEndian.Uint32(b[8:])) // as an int of 32 bits it may be negative
		b = b[recordHeaderSize:]
		if n > int64(len(b)) {
			return nil, errFormat
		}
		if records == nil {
			first = t
		}
		records = append(records, Record{Time: t - first, PSDU: b[:n:n]})
		b = b[n:]
	}
	return records, nil
}
