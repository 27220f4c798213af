package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// line is the layout of a line: time, from, to, packet, facts.
const line = "%9s  %-16s  %-16s  %-27s  %s"

// The layouts of the first column where packets are heard by a radio.
const (
	heardHeading = "%9s  %4s  %6s"
	heardLine    = "%9s  %4d  %6.2f"
)

// detailIndent is the column of the lines that -v adds.
const detailIndent = 13

// printer writes the lines.
type printer struct {
	w        io.Writer
	verbose  bool
	err      error // the first of w
	packets  int
	start    time.Time
	problems map[string]int // reasons why packets could not be decoded
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintln(p.w, strings.TrimRight(fmt.Sprintf(format, args...), " "))
	}
}

// frame writes the line of a packet. heard is nil if it is not known.
func (p *printer) frame(f *dissect.Frame, heard *strength) {
	if p.packets == 0 {
		p.start = f.Time
		time := "time"
		if heard != nil {
			time = fmt.Sprintf(heardHeading, time, "dBm", "SNR")
		}
		p.printf(line, time, "from", "to", "packet", "")
	}
	p.packets++
	if f.Problem != nil {
		p.problems[f.Problem.Error()]++
	}
	seconds := fmt.Sprintf("%.3f", f.Time.Sub(p.start).Seconds())
	if heard != nil {
		seconds = fmt.Sprintf(heardLine, seconds, heard.rssi, heard.snr)
	}
	p.printf(line, seconds, address(f.MAC.From), address(f.MAC.To), f.Protocol(), strings.Join(f.Facts(), ", "))
	if p.verbose {
		for _, detail := range f.Details() {
			p.printf("%*s%s", detailIndent, "", detail)
		}
		p.printf("")
	}
}

// end writes how many packets there were and what was wrong with them.
func (p *printer) end(incomplete uint64) {
	if p.packets == 0 {
		p.printf("no packets")
		return
	}
	if !p.verbose {
		p.printf("")
	}
	bad := 0
	for _, n := range p.problems {
		bad += n
	}
	if bad == 0 {
		p.printf("packets: %d, all decoded", p.packets)
	} else {
		p.printf("packets: %d, of which %d could not be decoded:", p.packets, bad)
	}
	for _, reason := range slices.Sorted(maps.Keys(p.problems)) {
		p.printf("%9d  %s", p.problems[reason], reason)
	}
	if incomplete > 0 {
		p.printf("datagrams that lack a fragment: %d", incomplete)
	}
}

func address(a ieee802154.Addr) string {
	switch {
	case a.IsNone():
		return "-"
	case a.IsBroadcast():
		return "all"
	default:
		return a.String()
	}
}
