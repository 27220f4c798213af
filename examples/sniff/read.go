package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

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

// pcapFile returns the source that reads a pcap file.
func pcapFile(r io.Reader) source {
	return func(ctx context.Context, packets chan<- packet) error { return read(ctx, r, packets) }
}

// read sends the packets of a pcap file to the channel until the file ends or ctx is done.
func read(ctx context.Context, r io.Reader, packets chan<- packet) error {
	r, err := unzipped(r)
	if err != nil {
		return err
	}
	file, err := pcap.NewReader(r)
	if errors.Is(err, pcap.ErrFormat) {
		return fmt.Errorf("%w (of pcapng, make one with: editcap -F pcap IN OUT)", err)
	}
	if err != nil {
		return err
	}
	if _, err := psduOf(file.LinkType(), nil); errors.Is(err, errLinkType) {
		return fmt.Errorf("%w: %v", err, file.LinkType())
	}
	for {
		record, err := file.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		// A record that is cut off, or whose header is, stays in the list: the dissector says what is wrong with it.
		psdu, _ := psduOf(file.LinkType(), record.Data)
		select {
		case packets <- packet{at: record.Time, psdu: psdu, heard: strengthOf(file.LinkType(), record.Data)}:
		case <-ctx.Done():
			return nil
		}
	}
}

// unzipped returns what is in a file that gzip has packed, or the file itself.
func unzipped(r io.Reader) (io.Reader, error) {
	b := bufio.NewReader(r)
	if magic, err := b.Peek(2); err != nil || magic[0] != 0x1f || magic[1] != 0x8b {
		return b, nil // what is wrong with it the reader of pcap says
	}
	return gzip.NewReader(b)
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
