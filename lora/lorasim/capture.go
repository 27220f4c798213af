package lorasim

import (
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
)

// capture writes transmissions to a pcap file. After an error it writes no more.
type capture struct {
	format CaptureFormat
	start  time.Time
	file   *pcap.Writer // nil when nothing is captured
	buf    []byte
	err    error
}

func (c *capture) init(opt Options) {
	c.format, c.start = opt.CaptureFormat, opt.Start
	if opt.Capture == nil {
		return
	}
	link := pcap.IEEE802154
	if c.format == CaptureLoRaTap {
		link = pcap.LinkLoRaTap
	}
	c.file, c.err = pcap.NewWriter(opt.Capture, link)
}

// write records a transmission that begins.
func (c *capture) write(a *antenna) {
	if c.file == nil || c.err != nil {
		return
	}
	data := a.packet
	if c.format == CaptureLoRaTap {
		c.buf, _ = pcap.LoRaTap{
			Frequency:       uint32(a.cfg.Frequency),
			Bandwidth:       uint32(a.cfg.Bandwidth),
			SpreadingFactor: uint8(a.cfg.SpreadingFactor),
			SyncWord:        uint8(a.cfg.SyncWord),
			PacketRSSI:      pcap.NoRSSI, // of no receiver in particular
			MaxRSSI:         pcap.NoRSSI,
			CurrentRSSI:     pcap.NoRSSI,
		}.AppendBinary(c.buf[:0])
		c.buf = append(c.buf, a.packet...)
		data = c.buf
	}
	at := c.start.Add(time.Duration(a.start))
	c.err = c.file.WriteRecord(pcap.Record{Time: at, Data: data})
}
