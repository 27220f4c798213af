package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
)

// RSSI is the strength of every frame in dBm.
const RSSI = -20

// Channels are those of the simulated radios, 11 to 26, a bit each.
const Channels = 0x07fff800

// A Device is what stands behind the wire: an engine and its command line.
type Device interface {
	lorasim.Station
	// Channel returns the channel on which the device is now, 11 to 26: where it listens, or that of the frame that PollTransmit has returned.
	Channel() uint8
}

// Epoch is the time at which the clock of a node in virtual time starts.
var Epoch = time.Date(2018, time.December, 14, 0, 0, 0, 0, time.UTC)

// Virtual is a node's place in virtual time.
type Virtual struct {
	conn *datagramConn // to the controller

	mu      sync.Mutex // held in a turn
	now     time.Time
	sending []byte // channel and PSDU of the frame whose echo is due; empty if none
	out     []byte

	in [HeaderSize + MaxData]byte // of the goroutine that receives
}

// ListenVirtual takes the place of node id, 1 to MaxNodeID.
func ListenVirtual(g Group, id int) (*Virtual, error) {
	if err := checkNodeID(id); err != nil {
		return nil, err
	}
	conn, err := dial(g.addr(id), g.addr(0))
	if err != nil {
		return nil, err
	}
	return &Virtual{conn: conn, now: Epoch}, nil
}

// Close gives the place up; Run returns.
func (v *Virtual) Close() error { return v.conn.Close() }

// Run lets the device live until ctx ends, and then returns nil: as the controller's events
// say, and with what comes in calls between them, such as lines of a command line. One
// thing happens at a time. The controller hears an alarm at the start, and one after each
// event and each call.
//
// The whole network waits for the node that has an event. So the goroutine that reads it
// answers it as well: to wake another takes longer than all the rest of a turn.
func (v *Virtual) Run(ctx context.Context, d Device, calls <-chan func(now time.Time)) error {
	var calling sync.WaitGroup
	defer calling.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	context.AfterFunc(ctx, func() { _ = v.conn.SetReadDeadline(Epoch) }) // ends a read, as closing does

	if err := v.turn(ctx, d, func() {}); err != nil {
		return err
	}
	calling.Go(func() { v.handleCalls(ctx, d, calls) })
	for {
		e, err := v.receive()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := v.turn(ctx, d, func() { v.handle(d, e) }); err != nil {
			return err
		}
	}
}

// handleCalls makes the calls until ctx ends.
func (v *Virtual) handleCalls(ctx context.Context, d Device, calls <-chan func(now time.Time)) {
	for {
		select {
		case call := <-calls:
			_ = v.turn(ctx, d, func() { call(v.now) }) // receive will fail as well
		case <-ctx.Done():
			return
		}
	}
}

// turn does what there is to do in a turn and ends it, if the device goes on.
func (v *Virtual) turn(ctx context.Context, d Device, do func()) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	do()
	if ctx.Err() != nil {
		return nil
	}
	return v.sleep(d)
}

// receive returns the next event, which is valid until the next call. What is none is passed
// over.
func (v *Virtual) receive() (Event, error) {
	for {
		n, err := exchange(v.conn.Read, v.in[:])
		if err != nil {
			return Event{}, err
		}
		if e, err := ParseEvent(v.in[:n]); err == nil {
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
	b, err := e.AppendBinary(v.out[:0])
	if err != nil {
		return err
	}
	v.out = b
	_, err = exchange(v.conn.Write, b)
	if errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil // a controller that is gone ends the node by closing its input
}

// exchange reads or writes a datagram, whatever became of the one before: it is refused while
// the controller does not listen.
func exchange(transfer func([]byte) (int, error), b []byte) (int, error) {
	for {
		n, err := transfer(b)
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return n, err
		}
	}
}
