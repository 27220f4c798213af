package wire

import (
	"context"
	"net"
	"time"
)

// RealTime is a node's place in real time.
type RealTime struct {
	conn   *net.UDPConn
	others []*net.UDPAddr
	buf    []byte
}

// ListenRealTime takes the place of node id, 1 to MaxNodeID.
func ListenRealTime(g Group, id int) (*RealTime, error) {
	if err := checkNodeID(id); err != nil {
		return nil, err
	}
	conn, err := net.ListenUDP("udp4", g.addr(id))
	if err != nil {
		return nil, err
	}
	r := &RealTime{conn: conn}
	for other := 1; other <= ListenerID; other++ {
		if other != id {
			r.others = append(r.others, g.addr(other))
		}
	}
	return r, nil
}

// Close gives the place up; Run returns.
func (r *RealTime) Close() error { return r.conn.Close() }

// maxFrame is the size of a datagram: the channel and a PSDU, and a byte by which a longer one is noticed.
const maxFrame = 1 + 127 + 1

// Run lets the device live until ctx ends, and then returns nil. What comes in calls happens between its other inputs, all
// in this goroutine.
func (r *RealTime) Run(ctx context.Context, d Device, calls <-chan func(now time.Time)) error {
	frames := make(chan []byte)
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			b := make([]byte, maxFrame)
			n, err := r.conn.Read(b)
			if err != nil {
				failed <- err
				return
			}
			select {
			case frames <- b[:n]:
			case <-ctx.Done():
				return
			}
		}
	}()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		r.transmit(d)
		var wake <-chan time.Time
		if at, ok := d.NextTimeout(); ok {
			timer.Reset(max(time.Until(at), 0))
			wake = timer.C
		}
		select {
		case b := <-frames:
			if len(b) > 1 && len(b) < maxFrame && b[0] == d.Channel() {
				d.HandleFrame(time.Now(), b[1:], RSSI)
			}
		case <-wake:
			d.HandleTimeout(time.Now())
		case call := <-calls:
			call(time.Now())
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
	}
	return nil
}

// transmit sends all that the device has to send. The air takes no time.
func (r *RealTime) transmit(d Device) {
	for {
		psdu, ok := d.PollTransmit()
		if !ok {
			return
		}
		r.buf = append(append(r.buf[:0], d.Channel()), psdu...)
		for _, other := range r.others {
			_, _ = r.conn.WriteToUDP(r.buf, other) // nobody there is nobody's fault
		}
		d.HandleTransmitDone(time.Now(), nil)
	}
}
