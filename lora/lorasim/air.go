package lorasim

import (
	"context"
	"math"
	"time"

	"github.com/gopymesh/pymesh/lora"
)

// Air is an air in real time, or in real time multiplied by [Options.Speed]. It needs
// no closing: it has no goroutine of its own, but a timer while packets are on the air.
//
// All methods may be called by many goroutines at once.
type Air struct {
	medium
	wall    time.Time // of the wall clock, at the beginning
	queue   queue     // slots are the ids of the devices
	devices []device
	timer   *time.Timer
}

// device is a *Radio or a *Transceiver.
type device interface {
	// due does what the device has set its slot of the queue for. Air.mu is held.
	due()
}

// Radio is a radio on an Air. It is a [lora.Radio], a [lora.Answerer], a [lora.Sleeper], a [lora.Meter], and [lora.Clocked].
type Radio struct {
	antenna
	air    *Air
	turn   chan struct{} // held by Send
	done   chan error    // result of the packet that Send waits for
	rx     chan received
	closed chan struct{} // closed by Close, renewed by Reopen
}

var (
	_ lora.Radio    = (*Radio)(nil)
	_ lora.Clocked  = (*Radio)(nil)
	_ lora.Answerer = (*Radio)(nil)
	_ lora.Sleeper  = (*Radio)(nil)
	_ lora.Meter    = (*Radio)(nil)
)

// received is a packet in the queue of a Radio.
type received struct {
	reception lora.Reception
	packet    [lora.MaxPacket]byte
}

// queueLength is how many packets wait in a Radio for Receive; the oldest is dropped
// for one more.
const queueLength = 8

// NewAir returns an air without radios. Its time begins at the time of day. In a
// bubble of testing/synctest, call it inside the bubble.
func NewAir(opt Options) *Air {
	now := time.Now()
	opt.Start = now.Round(0) // comparable with times that went through the wall clock
	a := &Air{wall: now}
	a.init(opt, a.now)
	return a
}

// Radio puts a new radio on the air. If the Config is not valid, Send and Receive
// return the error of Validate.
func (a *Air) Radio(cfg lora.Config, pos Position) *Radio {
	a.mu.Lock()
	defer a.mu.Unlock()
	r := &Radio{
		air:    a,
		turn:   make(chan struct{}, 1),
		done:   make(chan error, 1),
		rx:     make(chan received, queueLength),
		closed: make(chan struct{}),
	}
	a.attach(&r.antenna, cfg, pos)
	a.devices = append(a.devices, r)
	a.queue.add()
	return r
}

// Clock returns the clock of the air.
func (a *Air) Clock() lora.Clock { return airClock{a} }

type airClock struct{ air *Air }

func (c airClock) Now() time.Time { return c.air.time(c.air.now()) }

func (c airClock) Until(t time.Time) time.Duration {
	return c.air.wait(int64(t.Sub(c.air.opt.Start)) - c.air.now())
}

// now returns the time of the air in nanoseconds since its beginning.
func (a *Air) now() int64 {
	elapsed := time.Since(a.wall)
	if a.opt.Speed == 1 {
		return int64(elapsed)
	}
	return int64(float64(elapsed) * a.opt.Speed)
}

func (a *Air) time(now int64) time.Time { return a.opt.Start.Add(time.Duration(now)) }

// wait returns how long a time of the air lasts by the wall clock, rounded up.
func (a *Air) wait(d int64) time.Duration {
	if a.opt.Speed == 1 {
		return time.Duration(d)
	}
	return time.Duration(math.Ceil(float64(d) / a.opt.Speed))
}

// catchUp does what is due and returns the time. a.mu is held.
func (a *Air) catchUp() int64 {
	now := a.now()
	for {
		id, at, ok := a.queue.next()
		if !ok || at > now {
			return now
		}
		a.queue.clear(id)
		a.devices[id].due()
	}
}

// due ends listening or transmitting.
func (r *Radio) due() {
	switch r.air.advance(&r.antenna) {
	case outcomeStarted:
		r.air.queue.set(r.id, r.deadline)
	case outcomeRefused:
		r.done <- r.refusal
	case outcomeSent:
		r.air.deliver(&r.antenna)
		r.done <- nil
	}
}

// deliver hands a packet that has ended to the radios that heard it. a.mu is held.
func (a *Air) deliver(from *antenna) {
	for _, h := range a.heard {
		a.devices[h.by.id].(*Radio).deliver(from.packet, from.deadline, h.rssi)
	}
}

// arm sets the timer to the next event. a.mu is held.
func (a *Air) arm() {
	_, at, ok := a.queue.next()
	if !ok {
		return
	}
	wait := a.wait(at - a.now())
	if a.timer == nil {
		a.timer = time.AfterFunc(wait, a.tick)
	} else {
		a.timer.Reset(wait)
	}
}

func (a *Air) tick() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.catchUp()
	a.arm()
}

// deliver puts a packet into the queue. a.mu is held.
func (r *Radio) deliver(packet []byte, at int64, rssi float64) {
	var p received
	p.reception = lora.Reception{
		N:    copy(p.packet[:], packet),
		Time: r.air.time(at),
		RSSI: int(math.Round(rssi)),
		SNR:  r.snr(rssi),
	}
	for {
		select {
		case r.rx <- p:
			return
		default:
		}
		select {
		case <-r.rx:
			r.stats.Overrun++
		default:
		}
	}
}

// Clock returns the clock of the air.
func (r *Radio) Clock() lora.Clock { return r.air.Clock() }

// Send transmits a packet, as [lora.Radio] says. When ctx ends first, the
// transmission is cut short.
func (r *Radio) Send(ctx context.Context, packet []byte) error {
	return r.transmit(ctx, packet, false)
}

// Answer transmits a packet, as [lora.Answerer] says.
func (r *Radio) Answer(ctx context.Context, packet []byte) error {
	return r.transmit(ctx, packet, true)
}

func (r *Radio) transmit(ctx context.Context, packet []byte, answer bool) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	closed, _ := r.life()
	select {
	case r.turn <- struct{}{}:
		defer func() { <-r.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-closed:
		return lora.ErrClosed
	}
	if !r.start(packet, answer) {
		return lora.ErrClosed
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return r.stop(ctx.Err())
	case <-closed:
		return r.stop(lora.ErrClosed)
	}
}

// Sleep says whether the radio may sleep, as [lora.Sleeper] says.
func (r *Radio) Sleep(asleep bool) {
	a := r.air
	a.mu.Lock()
	defer a.mu.Unlock()
	r.setAsleep(asleep, a.catchUp())
	a.arm()
}

// start hands a packet to the air, unless the radio is closed.
func (r *Radio) start(packet []byte, answer bool) bool {
	a := r.air
	a.mu.Lock()
	defer a.mu.Unlock()
	if r.dead {
		return false
	}
	now := a.catchUp()
	a.send(&r.antenna, packet, answer, now)
	a.queue.set(r.id, r.deadline)
	a.arm()
	return true
}

// stop takes a packet back. It returns the error, or the packet's own result if that
// has come in the meantime.
func (r *Radio) stop(err error) error {
	r.air.mu.Lock()
	defer r.air.mu.Unlock()
	select {
	case result := <-r.done:
		return result
	default:
		r.cease()
		return err
	}
}

// cease stops listening and transmitting. air.mu is held.
func (r *Radio) cease() {
	r.air.queue.clear(r.id)
	r.air.abort(&r.antenna)
}

// Receive waits for a packet, as [lora.Radio] says.
func (r *Radio) Receive(ctx context.Context, buf []byte) (lora.Reception, error) {
	if err := ctx.Err(); err != nil {
		return lora.Reception{}, err
	}
	closed, fault := r.life()
	if fault != nil {
		return lora.Reception{}, fault
	}
	select {
	case <-closed:
		return lora.Reception{}, lora.ErrClosed
	default:
	}
	select {
	case p := <-r.rx:
		p.reception.N = copy(buf, p.packet[:p.reception.N])
		return p.reception, nil
	case <-ctx.Done():
		return lora.Reception{}, ctx.Err()
	case <-closed:
		return lora.Reception{}, lora.ErrClosed
	}
}

// life returns the channel that Close closes, and the fault of the Config.
func (r *Radio) life() (closed <-chan struct{}, fault error) {
	r.air.mu.Lock()
	defer r.air.mu.Unlock()
	return r.closed, r.fault
}

// Close takes the radio off the air and unblocks Send and Receive. Closing twice is no
// error.
func (r *Radio) Close() error {
	r.air.mu.Lock()
	defer r.air.mu.Unlock()
	if !r.dead {
		r.cease()
		r.dead = true
		r.air.relink(&r.antenna)
		close(r.closed)
	}
	return nil
}

// Reopen puts a closed radio on the air again, at its place and with its links, with an
// empty queue, as opening the device anew does.
func (r *Radio) Reopen() {
	r.air.mu.Lock()
	defer r.air.mu.Unlock()
	if !r.dead {
		return
	}
	for len(r.rx) > 0 {
		<-r.rx
	}
	r.closed = make(chan struct{})
	r.dead = false
	r.air.relink(&r.antenna)
}
