// Package runner drives one thread.Engine in real time, or in the time of a radio that brings its own.
//
//	      calls                  ┌── receiver ◄── Radio.Receive
//	Do ─────────► runner ◄───────┤
//	              │   ▲          └── sender ───► Radio.Send
//	              ▼   │ timer            ▲
//	            Engine ──────────────────┘
//
// One goroutine, the runner, owns the engine and its timer. Two more only wait for the radio, and a third one where the radio tells the power on the
// channel.
package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

const (
	// receiveRetry is the pause after a failure of the radio to receive.
	receiveRetry = time.Second
	// closeTimeout is how long Close waits for a radio, or a store, that does not return.
	closeTimeout = 5 * time.Second
)

// Hooks are what a Runner calls, always from its own goroutine. They must not block and must not call Do. Nil hooks are skipped.
type Hooks struct {
	// Packet takes an IPv6 datagram for the host, and the power in dBm of the frame that it came with, 127 if it came with none.
	Packet func(now time.Time, d *ip6.Datagram, rssi int)
	// Room comes after each input: there may be room for what the engine has refused before with thread.ErrQueueFull.
	Room func(now time.Time)
	// Forward takes an IPv6 datagram that leaves the mesh by this node. Without it, and where it reports false, the sender is told that
	// there is no way.
	Forward func(now time.Time, d *ip6.Datagram) bool
	// Event takes an event of the engine.
	Event func(thread.Event)
	// Frame sees each packet that the radio has received or sent. psdu must not be kept.
	Frame func(now time.Time, psdu []byte)
	// Begin takes the place of the engine's Start. It is called before Start of this package returns.
	Begin func(now time.Time) error
	// Timer has deadlines beside the engine's.
	Timer Timer
	// End is called at last: from then on the engine, and its store, are left alone. A runner that hangs does not come to it.
	End func()
}

// Timer is a state machine on top of the engine.
type Timer interface {
	// NextTimeout returns when HandleTimeout is due, and false if no timer runs.
	NextTimeout() (time.Time, bool)
	HandleTimeout(now time.Time)
}

// Runner is a running engine.
type Runner struct {
	engine *thread.Engine
	radio  lora.Radio
	clock  *steady.Clock // the engine's time never goes back
	log    *slog.Logger
	hooks  Hooks
	last   time.Time // of the last input; the runner's own
	mute   lasting.Condition
	energy Energy

	airtime Airtime

	ready, sending transmission // the packet for the sender, and the one that it has; the runner's own

	bounded bounded   // the radio, if it knows what it may send
	told    time.Time // when the engine was last told

	answerer lora.Answerer // the radio, if it leaves room for acknowledgements

	sleeper lora.Sleeper // the radio, if it can sleep
	asleep  bool         // it was told to

	meter   lora.Meter     // the radio, if it tells the power on the channel
	measure chan time.Time // until when that is to be measured
	powers  chan int       // readings, in dBm

	calls  chan func(now time.Time)
	rx     chan *reception
	free   chan *reception
	tx     chan transmission
	txDone chan error

	cancel context.CancelFunc
	ctx    context.Context
	done   chan struct{} // closed when all goroutines have ended, or hang
	err    error         // why the runner ended; valid once done is closed
	hung   error         // what hangs; valid once done is closed
}

// part is a goroutine.
type part struct {
	name  string // what it hangs in, if it does
	run   func()
	ended chan struct{}
}

// transmission is a packet to send, until ctx ends. The zero value is none.
type transmission struct {
	psdu   []byte
	answer bool
	ctx    context.Context
	cancel context.CancelFunc
}

type reception struct {
	buf  [lora.MaxPacket]byte
	n    int
	rssi int
	snr  float64
}

// receptions bounds the packets between receiver and runner.
const receptions = 8

// Start starts the engine on the radio. The Runner does not close the radio.
func Start(engine *thread.Engine, radio lora.Radio, log *slog.Logger, hooks Hooks) (*Runner, error) {
	ctx, cancel := context.WithCancel(context.Background())
	r := &Runner{
		engine: engine, radio: radio, clock: steady.New(lora.ClockOf(radio)), log: log, hooks: hooks,
		calls: make(chan func(time.Time)), rx: make(chan *reception, receptions), free: make(chan *reception, receptions),
		tx: make(chan transmission), txDone: make(chan error, 1), measure: make(chan time.Time, 1), powers: make(chan int),
		ctx: ctx, cancel: cancel, done: make(chan struct{}), energy: Energy{Floor: thread.EnergyUnknown},
	}
	r.answerer, _ = radio.(lora.Answerer)
	r.sleeper, _ = radio.(lora.Sleeper)
	r.bounded, _ = radio.(bounded)
	if r.meter, _ = radio.(lora.Meter); r.meter != nil {
		r.energy.Least = 3 * readEvery
	}
	for range receptions {
		r.free <- new(reception)
	}
	begin := hooks.Begin
	if begin == nil {
		begin = engine.Start
	}
	if err := begin(r.clock.Now()); err != nil {
		cancel()
		return nil, err
	}
	parts := []part{{"the radio's Receive", r.receive, nil}, {"the radio's Send", r.send, nil}, {"the store", r.run, nil}}
	if r.meter != nil {
		parts = append(parts, part{"the radio's Power", r.measuring, nil})
	}
	for i := range parts {
		p := &parts[i]
		p.ended = make(chan struct{})
		go func() {
			defer close(p.ended)
			p.run()
		}()
	}
	go r.await(parts)
	return r, nil
}

// await waits until all goroutines have ended, but for no longer than closeTimeout after the runner has.
func (r *Runner) await(parts []part) {
	defer close(r.done)
	<-r.ctx.Done()
	timeout := time.NewTimer(closeTimeout)
	defer timeout.Stop()
	late := false
	for _, p := range parts {
		if !late {
			select {
			case <-p.ended:
				continue
			case <-timeout.C:
				late = true
			}
		}
		select {
		case <-p.ended:
		default:
			r.hung = errors.Join(r.hung, fmt.Errorf("%s does not return", p.name))
		}
	}
}

// Do runs f in the runner's goroutine and waits for it. It reports false, and f has not run, if the runner has ended.
func (r *Runner) Do(f func(now time.Time)) bool {
	finished := make(chan struct{})
	call := func(now time.Time) {
		f(now)
		close(finished)
	}
	select {
	case r.calls <- call:
		<-finished
		return true
	case <-r.ctx.Done():
		return false
	}
}

// Close stops the engine and waits until no goroutine is left. Closing twice is no error. If the radio or the store does not return
// within five seconds, Close does, with an error that says so.
func (r *Runner) Close() error {
	r.cancel()
	<-r.done
	return r.hung
}

// Done is closed when the runner has ended, by Close or because the radio was closed; Err then says why.
func (r *Runner) Done() <-chan struct{} { return r.done }

// Err returns nil after Close, or why the runner ended by itself.
func (r *Runner) Err() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// run is the runner's goroutine.
func (r *Runner) run() {
	defer r.cancel()
	if r.hooks.End != nil {
		defer r.hooks.End()
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	defer r.poll()
	defer r.rest(false)
	for {
		if r.hooks.Room != nil {
			r.hooks.Room(r.last)
		}
		r.poll()
		tx := r.fetch()
		var wake <-chan time.Time
		if deadline, ok := r.nextTimeout(); ok {
			timer.Reset(max(r.clock.Until(deadline), 0))
			wake = timer.C
		} else {
			timer.Stop()
		}
		select {
		case f := <-r.calls:
			f(r.now())
		case p := <-r.rx:
			r.heard(p)
		case tx <- r.ready:
			r.ready, r.sending = transmission{}, r.ready
		case err := <-r.txDone:
			r.sent(err)
		case power := <-r.powers:
			r.now()
			r.energy.Heard(power)
		case <-wake:
			r.timeout()
		case <-r.ctx.Done():
			r.engine.Stop(r.now())
			return
		}
	}
}

// now begins an input.
func (r *Runner) now() time.Time {
	r.last = r.clock.Now()
	return r.last
}

// fetch asks the engine for the next packet when the radio has none. It returns where a packet is to go that is ready, nil if none is. A Send that
// the engine no longer waits for is called back: the radio may have missed its end.
func (r *Runner) fetch() chan<- transmission {
	if r.ready.psdu == nil && r.sending.psdu == nil {
		if psdu, ok := r.engine.PollTransmit(); ok {
			r.ready.psdu, r.ready.answer = psdu, r.engine.Answering()
			r.ready.ctx, r.ready.cancel = context.WithCancel(r.ctx)
		}
	}
	if r.sending.psdu != nil && r.engine.RadioStuck() {
		r.sending.cancel()
	}
	r.rest(!r.engine.Listening()) // before a packet is sent: its acknowledgement comes at once
	if r.ready.psdu != nil {
		return r.tx
	}
	r.engine.Flush() // not while an acknowledgement waits to be sent
	return nil
}

// heard takes a packet from the receiver.
func (r *Runner) heard(p *reception) {
	t := r.now()
	r.frame(t, p.buf[:p.n])
	r.energy.Heard(p.rssi)
	r.engine.HandleFrameSNR(t, p.buf[:p.n], min(p.rssi, noRSSI-1), p.snr)
	r.free <- p
}

// sent takes what became of the packet that the sender had.
func (r *Runner) sent(err error) {
	t := r.now()
	switch {
	case err == nil:
		r.frame(t, r.sending.psdu)
		r.airtime.add(r.sending.psdu, r.radio.Config().Airtime(len(r.sending.psdu)))
	case errors.Is(err, lora.ErrDutyCycle):
		err = thread.ErrRefused // the radio's governor has logged it
	case r.ctx.Err() == nil && !errors.Is(err, lora.ErrChannelBusy):
		r.mute.Log(t, r.log, slog.LevelWarn, "radio did not send", "err", err)
	}
	r.sending.cancel()
	r.sending = transmission{}
	r.engine.HandleTransmitDone(t, err)
	r.tellAirtime(t)
}

// timeout does what is due.
func (r *Runner) timeout() {
	t := r.now()
	r.engine.HandleTimeout(t)
	r.energy.HandleTimeout(t, r.engine)
	if r.hooks.Timer != nil {
		r.hooks.Timer.HandleTimeout(t)
	}
}

// rest lets the radio sleep, or wakes it up.
func (r *Runner) rest(asleep bool) {
	if r.sleeper != nil && r.asleep != asleep {
		r.asleep = asleep
		r.sleeper.Sleep(asleep)
	}
}

// nextTimeout returns the first deadline of all.
func (r *Runner) nextTimeout() (time.Time, bool) {
	next, ok := r.engine.NextTimeout()
	if t, too := r.energy.NextTimeout(); too && (!ok || t.Before(next)) {
		next, ok = t, true
	}
	if r.hooks.Timer != nil {
		if t, too := r.hooks.Timer.NextTimeout(); too && (!ok || t.Before(next)) {
			return t, true
		}
	}
	return next, ok
}

// poll hands on what the engine has for the host.
func (r *Runner) poll() {
	if r.energy.Poll(r.last, r.engine) && r.meter != nil {
		until, _ := r.energy.NextTimeout()
		select {
		case r.measure <- until:
		default: // it hangs, or is late
		}
	}
	for {
		packet, ok := r.engine.PollPacket()
		if !ok {
			break
		}
		if r.hooks.Packet != nil {
			r.hooks.Packet(r.last, &packet, r.engine.PacketRSSI())
		}
	}
	for {
		packet, ok := r.engine.PollForward()
		if !ok {
			break
		}
		if r.hooks.Forward == nil || !r.hooks.Forward(r.last, &packet) {
			r.engine.RefuseForward(r.last, &packet)
		}
	}
	for {
		ev, ok := r.engine.PollEvent()
		if !ok {
			break
		}
		if r.hooks.Event != nil {
			r.hooks.Event(ev)
		}
	}
}

func (r *Runner) frame(now time.Time, psdu []byte) {
	if r.hooks.Frame != nil {
		r.hooks.Frame(now, psdu)
	}
}

// noRSSI is what the engine takes for a strength that is not known.
const noRSSI = 127

func (r *Runner) send() {
	for {
		select {
		case t := <-r.tx:
			send := r.radio.Send
			if t.answer && r.answerer != nil {
				send = r.answerer.Answer
			}
			r.txDone <- send(t.ctx, t.psdu)
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Runner) receive() {
	var deaf lasting.Condition
	cfg := r.radio.Config()
	for {
		var p *reception
		select {
		case p = <-r.free:
		case <-r.ctx.Done():
			return
		}
		info, err := r.radio.Receive(r.ctx, p.buf[:])
		switch {
		case err == nil:
			p.n, p.rssi, p.snr = info.N, int(math.Round(info.Strength(cfg))), info.SNR
			r.rx <- p
			continue
		case r.ctx.Err() != nil:
			return
		case errors.Is(err, lora.ErrClosed):
			r.log.Error("radio closed")
			r.err = err
			r.cancel()
			return
		}
		r.free <- p
		deaf.Log(r.clock.Now(), r.log, slog.LevelWarn, "radio does not receive", "err", err)
		select {
		case <-time.After(receiveRetry):
		case <-r.ctx.Done():
			return
		}
	}
}
