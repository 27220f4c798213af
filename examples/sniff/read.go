package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// fcs32Size is the size of the frame check sequence of PHYs that Thread does not use, in bytes.
const fcs32Size = 4

// packet is a PSDU with its two FCS bytes.
type packet struct {
	at    time.Time
	psdu  []byte
	heard *strength // nil if not known
}

// strength is how strongly a packet was heard.
type strength struct {
	rssi int     // dBm
	snr  float64 // dB
}

// captureFile returns the source that reads a capture file.
func captureFile(r io.Reader) source {
	return func(ctx context.Context, packets chan<- packet) error { return read(ctx, r, packets) }
}

// record is what a file has of a packet.
type record struct {
	at   time.Time
	link pcap.LinkType
	data []byte // valid until the next one is read
}

// records reads one record after the other, and io.EOF at the end.
type records func() (record, error)

// read sends the packets of a pcap or pcapng file, packed by gzip or not, to the channel until the file ends or ctx is done.
func read(ctx context.Context, r io.Reader, packets chan<- packet) error {
	next, err := open(r)
	if err != nil {
		return err
	}
	others := map[pcap.LinkType]int{} // records of interfaces that are of no interest
	for {
		rec, err := next()
		if errors.Is(err, io.EOF) {
			return leftOut(others)
		}
		if err != nil {
			return err
		}
		// A record that is cut off, or whose header is, stays in the list: the dissector says what is wrong with it.
		psdu, err := psduOf(rec.link, rec.data)
		if errors.Is(err, errLinkType) {
			others[rec.link]++
			continue
		}
		select {
		case packets <- packet{at: rec.at, psdu: psdu, heard: strengthOf(rec.link, rec.data)}:
		case <-ctx.Done():
			return nil
		}
	}
}

// leftOut returns the error that names the records of other link types.
func leftOut(others map[pcap.LinkType]int) error {
	for _, link := range slices.Sorted(maps.Keys(others)) {
		return fmt.Errorf("%d packets left out: %w: %v", others[link], errLinkType, link)
	}
	return nil
}

// open reads the head of a file, whichever format it has.
func open(r io.Reader) (records, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(b)
		if err != nil {
			return nil, err
		}
		b = bufio.NewReader(z)
	}
	if magic, err := b.Peek(4); err == nil && binary.LittleEndian.Uint32(magic) == magicNG {
		return pcapng(b)
	}
	return classic(b)
}

func classic(r io.Reader) (records, error) {
	file, err := pcap.NewReader(r)
	if err != nil {
		return nil, err
	}
	if _, err := psduOf(file.LinkType(), nil); errors.Is(err, errLinkType) {
		return nil, fmt.Errorf("%w: %v", err, file.LinkType())
	}
	return func() (record, error) {
		rec, err := file.Next()
		return record{rec.Time, file.LinkType(), rec.Data}, err
	}, nil
}

// magicNG begins a pcapng file, in either byte order.
const magicNG = 0x0a0d0d0a

func pcapng(r io.Reader) (records, error) {
	file, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true})
	if err != nil {
		return nil, fmt.Errorf("pcapng: %w", noEnd(err))
	}
	n := 0
	return func() (rec record, err error) {
		// Where an int has 32 bits, the library panics at some numbers of interfaces that cannot be.
		defer func() {
			if fault := recover(); fault != nil {
				err = fmt.Errorf("pcapng: packet %d: damaged: %v", n+1, fault)
			}
		}()
		data, info, err := file.ZeroCopyReadPacketData()
		switch {
		case err == io.EOF:
			return record{}, err
		case err != nil:
			return record{}, fmt.Errorf("pcapng: packet %d: %w", n+1, noEnd(err))
		}
		n++
		link, _ := info.AncillaryData[0].(layers.LinkType) // there by WantMixedLinkType
		return record{info.Timestamp, pcap.LinkType(link), data}, nil
	}, nil
}

// noEnd returns an error that no reader takes for the regular end of a file.
func noEnd(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// strengthOf returns how strongly the packet of a record was heard, nil if the record does not say.
func strengthOf(link pcap.LinkType, record []byte) *strength {
	switch link {
	case pcap.LinkLoRaTap:
		if t, _, err := pcap.ParseLoRaTap(record); err == nil && t.PacketRSSI < 0 {
			return &strength{int(math.Round(t.PacketRSSI)), t.SNR}
		}
	case pcap.IEEE802154TAP:
		const known = pcap.TAPRSSI | pcap.TAPSNR
		if t, _, err := pcap.ParseTAP(record); err == nil && t.Fields&known == known {
			return &strength{int(math.Round(float64(t.RSSI))), float64(t.SNR)}
		}
	}
	return nil
}

var errLinkType = errors.New("link type carries no IEEE 802.15.4 frames")

// psduOf returns a copy of the PSDU in a record, with two FCS bytes whether the record has them or not.
func psduOf(link pcap.LinkType, record []byte) ([]byte, error) {
	switch link {
	case pcap.IEEE802154:
		return slices.Clone(record), nil
	case pcap.IEEE802154NoFCS:
		return withFCS(record), nil
	case pcap.LinkLoRaTap:
		_, psdu, err := pcap.ParseLoRaTap(record)
		return slices.Clone(psdu), err
	case pcap.IEEE802154TAP:
		tap, frame, err := pcap.ParseTAP(record)
		switch {
		case err != nil:
			return nil, err
		case tap.FCS == pcap.FCS16:
			return slices.Clone(frame), nil
		case tap.FCS == pcap.FCS32:
			frame = frame[:max(0, len(frame)-fcs32Size)]
		}
		return withFCS(frame), nil
	default:
		return nil, errLinkType
	}
}

func withFCS(frame []byte) []byte {
	psdu := append(make([]byte, 0, len(frame)+ieee802154.FCSSize), frame...)
	return binary.LittleEndian.AppendUint16(psdu, ieee802154.FCS(frame))
}
