package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// traffic is what to send.
type traffic struct {
	count    int // 0: no end
	size     int
	interval time.Duration
}

// session is one run of -tx, -rx or -ping.
type session struct {
	radio hats.Radio
	traffic
	out io.Writer
	tx  [lora.MaxPacket]byte
	rx  [lora.MaxPacket]byte
}

// answerTime is how long the other side may take beside the airtime: waiting for a free channel.
const answerTime = time.Second

// send sends numbered packets.
func (s *session) send(ctx context.Context) error {
	id := uint16(rand.Uint32())
	for n := uint32(1); s.count == 0 || n <= uint32(s.count); n++ {
		start := time.Now()
		err := s.radio.Send(ctx, packet{kind: counted, session: id, number: n}.append(s.tx[:0], s.size))
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, lora.ErrChannelBusy):
			fmt.Fprintf(s.out, "packet %d: channel busy, not sent\n", n)
		case err != nil:
			return err
		default:
			fmt.Fprintf(s.out, "packet %d sent in %v\n", n, time.Since(start).Round(100*time.Microsecond))
		}
		if !pause(ctx, s.interval) {
			break
		}
	}
	return nil
}

// pause reports whether the time has passed, and ctx has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// listen prints what is heard and answers pings.
func (s *session) listen(ctx context.Context) error {
	var heard int
	var strength meter
	senders := map[uint16]*sender{}
	defer func() {
		fmt.Fprintf(s.out, "%d packets heard%v\n", heard, strength)
		for id, from := range senders {
			fmt.Fprintf(s.out, "sender %04x: %v\n", id, from)
		}
	}()
	for s.count == 0 || heard < s.count {
		r, err := s.radio.Receive(ctx, s.rx[:])
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		}
		heard++
		strength.add(r.RSSI, r.SNR)
		p, ok := parse(s.rx[:r.N])
		what := fmt.Sprintf("of others: %x…", s.rx[:min(r.N, 8)])
		switch {
		case ok && p.kind == counted:
			what = fmt.Sprintf("packet %d of sender %04x", p.number, p.session)
			if senders[p.session] == nil {
				senders[p.session] = &sender{first: p.number}
			}
			senders[p.session].add(p.number)
		case ok && p.kind == ping:
			what = fmt.Sprintf("ping %d of sender %04x", p.number, p.session)
			p.kind, p.rssi, p.snr = pong, r.RSSI, r.SNR
			if err := s.radio.Send(ctx, p.append(s.tx[:0], r.N)); err != nil && ctx.Err() == nil {
				what += fmt.Sprintf(", not answered: %v", err)
			}
		case ok && p.kind == pong:
			what = fmt.Sprintf("pong %d to sender %04x", p.number, p.session)
		}
		fmt.Fprintf(s.out, "%s  %3d bytes  %4d dBm  SNR %5.2f dB  %s\n", r.Time.Format("15:04:05.000"), r.N, r.RSSI, r.SNR, what)
	}
	return nil
}

// ping sends packets and waits for the answers.
func (s *session) ping(ctx context.Context) error {
	id := uint16(rand.Uint32())
	var sent, answered int
	var here, there meter
	var sum, longest time.Duration
	defer func() {
		if sent == 0 {
			return
		}
		fmt.Fprintf(s.out, "%d sent, %d answered, %.0f %% lost\n", sent, answered, 100*float64(sent-answered)/float64(sent))
		if answered > 0 {
			fmt.Fprintf(s.out, "round trip %v on average, %v at most\n", (sum / time.Duration(answered)).Round(100*time.Microsecond), longest.Round(100*time.Microsecond))
			fmt.Fprintf(s.out, "there%v\nhere%v\n", there, here)
		}
	}()
	for n := uint32(1); s.count == 0 || n <= uint32(s.count); n++ {
		clock := s.radio.Clock()
		start := clock.Now()
		err := s.radio.Send(ctx, packet{kind: ping, session: id, number: n}.append(s.tx[:0], s.size))
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, lora.ErrChannelBusy):
			fmt.Fprintf(s.out, "ping %d: channel busy, not sent\n", n)
			continue
		case err != nil:
			return err
		}
		sent++
		p, r, err := s.await(ctx, id, n)
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, context.DeadlineExceeded):
			fmt.Fprintf(s.out, "ping %d: no answer\n", n)
		case err != nil:
			return err
		default:
			rtt := r.Time.Sub(start)
			answered++
			sum, longest = sum+rtt, max(longest, rtt)
			there.add(p.rssi, p.snr)
			here.add(r.RSSI, r.SNR)
			fmt.Fprintf(s.out, "ping %d: %v, there %d dBm, SNR %.2f dB, here %d dBm, SNR %.2f dB\n", n, rtt.Round(100*time.Microsecond), p.rssi, p.snr, r.RSSI, r.SNR)
		}
		if (s.count == 0 || n < uint32(s.count)) && !pause(ctx, s.interval) {
			break
		}
	}
	return nil
}

// await waits for the answer to a ping.
func (s *session) await(ctx context.Context, id uint16, number uint32) (packet, lora.Reception, error) {
	c := s.radio.Config()
	ctx, cancel := context.WithTimeout(ctx, c.Airtime(s.size)+transceiver.PycomListen(c).Wait+answerTime)
	defer cancel()
	for {
		r, err := s.radio.Receive(ctx, s.rx[:])
		if err != nil {
			return packet{}, r, err
		}
		if p, ok := parse(s.rx[:r.N]); ok && p.kind == pong && p.session == id && p.number == number {
			return p, r, nil
		}
	}
}

// sender is what was heard of a sender of numbered packets.
type sender struct {
	first, last uint32
	heard       int
}

func (s *sender) add(number uint32) {
	s.last = max(s.last, number)
	s.heard++
}

func (s *sender) String() string {
	all := int64(s.last-s.first) + 1
	return fmt.Sprintf("%d of %d packets heard, %.0f %% lost", s.heard, all, 100*float64(max(all-int64(s.heard), 0))/float64(max(all, 1)))
}

// meter averages strengths.
type meter struct {
	n         int
	rssi, snr float64
}

func (m *meter) add(rssi int, snr float64) {
	m.n++
	m.rssi += float64(rssi)
	m.snr += snr
}

// String returns the averages, or "" if there was nothing.
func (m meter) String() string {
	if m.n == 0 {
		return ""
	}
	n := float64(m.n)
	return fmt.Sprintf(": %.0f dBm, SNR %.1f dB on average", m.rssi/n, m.snr/n)
}
