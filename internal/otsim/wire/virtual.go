package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// RSSI is the strength of every frame in dBm.
const RSSI = -20

// A Device is what stands behind the wire: an engine and its command line.
type Device interface {
	lorasim.Station
	// Channel returns the channel that the device uses, 11 to 26.
	Channel() uint8
}

// Epoch is the time at which the clock of a node in virtual time starts.
var Epoch = time.Date(2018, time.December, 14, 0, 0, 0, 0, time.UTC)

// Virtual is a node's place in virtual time.
type Virtual struct {
	conn       *net.UDPConn
	controller *net.UDPAddr
	now        time.Time
	sending    []byte // channel and PSDU of the frame whose echo is due; empty if none
	buf        []byte
}

// ListenVirtual takes the place of node id, 1 to MaxNodeID.
func ListenVirtual(g Group, id int) (*Virtual, error) {
	conn, err := g.listen(id)
	if err != nil {
		return nil, err
	}
	return &Virtual{conn: conn, controller: g.addr(0), now: Epoch}, nil
}

// Close gives the place up; Run returns.
func (v *Virtual) Close() error { return v.conn.Close() }

// Now returns the time on the node's clock.
func (v *Virtual) Now() time.Time { return v.now }

// Run lets the device live until ctx ends, and then returns nil: as the controller's events
// say, and with what comes in calls between them, such as lines of a command line. All
// happens in this goroutine. The controller hears an alarm at the start, and one after
// each event and each call.
func (v *Virtual) Run(ctx context.Context, d Device, calls <-chan func(now time.Time)) error {
	events := make(chan Event)
	failed := make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			e, err := v.receive()
			if err != nil {
				failed <- err
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				return
			}
		}
	}()
	for ctx.Err() == nil {
		if err := v.sleep(d); err != nil {
			return err
		}
		select {
		case e := <-events:
			v.handle(d, e)
		case call := <-calls:
			call(v.now)
		case err := <-failed:
			return err
		case <-ctx.Done():
		}
	}
	return nil
}

// receive returns the next event. What is none is passed over.
func (v *Virtual) receive() (Event, error) {
	for {
		b := make([]byte, HeaderSize+MaxData)
		n, err := v.conn.Read(b)
		if err != nil {
			return Event{}, err
		}
		if e, err := ParseEvent(b[:n]); err == nil {
			return e, nil
		}
	}
}

func (v *Virtual) handle(d Device, e Event) {
	delay, ok := e.Timer()
	if !ok {
		return
	}
	v.now = v.now.Add(delay)
	switch {
	case e.Type == EventAlarm:
		if at, ok := d.NextTimeout(); ok && !at.After(v.now) {
			d.HandleTimeout(v.now)
		}
	case e.Type != EventRadio || len(e.Data) == 0:
	case len(v.sending) > 0 && bytes.Equal(e.Data, v.sending):
		v.sending = v.sending[:0]
		d.HandleTransmitDone(v.now, nil)
	case e.Data[0] == d.Channel():
		d.HandleFrame(v.now, e.Data[1:], RSSI)
	}
}

// sleep ends a turn: it sends what the device has to transmit, then tells the controller
// when the device wants to be woken.
func (v *Virtual) sleep(d Device) error {
	if len(v.sending) == 0 {
		if psdu, ok := d.PollTransmit(); ok {
			v.sending = append(append(v.sending, d.Channel()), psdu...)
			if err := v.send(Event{Delay: 1, Type: EventRadio, Data: v.sending}); err != nil {
				return err
			}
		}
	}
	alarm := Event{Delay: NoTimer, Type: EventAlarm}
	if at, ok := d.NextTimeout(); ok {
		// A part of a microsecond counts as one: the timer must be over when the alarm comes.
		alarm.Delay = uint64(max(at.Sub(v.now)+time.Microsecond-1, 0) / time.Microsecond)
	}
	return v.send(alarm)
}

func (v *Virtual) send(e Event) error {
	b, err := e.AppendBinary(v.buf[:0])
	if err != nil {
		return err
	}
	v.buf = b
	_, err = v.conn.WriteToUDP(b, v.controller)
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil // a controller that is gone ends the node by closing its input
}
