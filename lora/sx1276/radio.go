package sx1276

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3/spi"
)

// hangTime is how long a transfer may take that should take milliseconds, before nobody waits for it any more.
const hangTime = 5 * time.Second

// queueLength is how many packets wait for Receive; the oldest is dropped for one more.
const queueLength = 16

// Radio is a chip that sends and receives. It is a [lora.Radio], a [lora.Sleeper], and [lora.Clocked].
//
// Its methods may be called by many goroutines at once; of several calls of Send one is served
// after the other.
type Radio struct {
	governor *lora.Governor // nil if nobody keeps count
	cfg      lora.Config
	opt      options
	clock    lora.Clock
	model    *model
	pins     Pins
	settings []setting
	closers  []io.Closer

	// Between callers and loop.
	turn     chan struct{} // held by Send
	requests chan []byte
	results  chan error
	cancels  chan struct{}
	rx       chan received
	faults   chan error    // why the chip is down, for Receive
	rests    chan struct{} // wantsSleep has changed
	closing  chan struct{}
	ended    chan struct{} // closed when the loop has ended, or hangs
	ending   sync.Once
	once     sync.Once
	closeErr error
	count    counters

	wantsSleep atomic.Bool

	loop
}

var (
	_ lora.Radio   = (*Radio)(nil)
	_ lora.Clocked = (*Radio)(nil)
	_ lora.Sleeper = (*Radio)(nil)
)

// received is a packet that waits for Receive.
type received struct {
	reception lora.Reception
	packet    [lora.MaxPacket]byte
}

// New drives a chip at an SPI port, which it connects, with the pins given. Neither is closed by
// Close. It returns when the chip receives.
func New(port spi.Port, pins Pins, cfg lora.Config, opts ...Option) (*Radio, error) {
	r, err := newRadio(pins, cfg, opts)
	if err != nil {
		return nil, err
	}
	for _, step := range []func() error{func() error { return r.connect(port) }, r.findModel, r.makeSettings, r.setUp} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	r.opt.log.Info("LoRa radio found", "chip", r.model.name, "frequency", r.cfg.Frequency, "bandwidth", r.cfg.Bandwidth,
		"sf", r.cfg.SpreadingFactor, "power", r.cfg.TxPower, "spi", r.opt.spiClock)
	if pins.DIO0 == nil {
		r.opt.log.Info("DIO0 is not wired: asking the chip instead", "every", r.pollEvery)
	}
	go r.run()
	return r, nil
}

// newRadio makes a Radio that knows no chip yet.
func newRadio(pins Pins, cfg lora.Config, opts []Option) (*Radio, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.WithDefaults()
	o, err := makeOptions(cfg, opts)
	if err != nil {
		return nil, err
	}
	r := &Radio{
		cfg: cfg, opt: o, clock: steady.New(o.clock), pins: pins, model: &chip1276,
		turn:     make(chan struct{}, 1),
		requests: make(chan []byte),
		results:  make(chan error, 1),
		cancels:  make(chan struct{}),
		rx:       make(chan received, queueLength),
		faults:   make(chan error, 1),
		rests:    make(chan struct{}, 1),
		closing:  make(chan struct{}),
		ended:    make(chan struct{}),
	}
	r.chip.cs = pins.CS
	if pins.DIO0 != nil {
		r.edges = pins.DIO0.Edges()
	}
	r.pollEvery = min(max(cfg.Airtime(shortestPacket)*3/4, minPoll), maxPoll)
	r.maxReception = cfg.Airtime(lora.MaxPacket)
	return r, nil
}

// Config returns the settings in force.
func (r *Radio) Config() lora.Config { return r.cfg }

// Chip returns the name of the chip: "SX1276", which stands for SX1276 to SX1279, or "SX1272".
func (r *Radio) Chip() string { return r.model.name }

// Clock returns the clock by which the radio lives.
func (r *Radio) Clock() lora.Clock { return r.clock }

// Send transmits a packet, as [lora.Radio] says. While the channel is busy it waits, with random
// pauses, as long as [Listen] allows. Of a radio from [Open] the duty cycle is kept: a packet that would
// exceed it is refused with [lora.ErrDutyCycle].
//
// An [*lora.Error] says that the chip did not do its part; it is being reset then, and the next
// packet may be given at once. When ctx ends during the transmission, the chip finishes the packet.
func (r *Radio) Send(ctx context.Context, packet []byte) error {
	if r.governor != nil {
		return r.governor.Send(ctx, packet)
	}
	return r.send(ctx, packet)
}

// Usage returns how much of the duty cycle is used and left in each sub-band, of a radio that keeps to it.
func (r *Radio) Usage() []lora.Usage {
	if r.governor == nil {
		return nil
	}
	return r.governor.Usage()
}

// bare is a Radio without its governor.
type bare struct{ *Radio }

func (b bare) Close() error { return b.close() }

func (b bare) Send(ctx context.Context, packet []byte) error { return b.send(ctx, packet) }

// govern makes the radio keep to the duty cycle, unless told otherwise.
func (r *Radio) govern() {
	if !r.opt.ungoverned {
		options := []lora.GovernorOption{lora.WithLogger(r.opt.log)}
		if r.opt.airtime != nil {
			options = append(options, lora.WithAirtimeStore(r.opt.airtime))
		}
		r.governor = lora.Govern(bare{r}, options...)
	}
}

func (r *Radio) send(ctx context.Context, packet []byte) error {
	if len(packet) == 0 || len(packet) > lora.MaxPacket {
		return lora.ErrPacketSize
	}
	if limit := r.opt.listen.MaxAirtime; limit > 0 && r.cfg.Airtime(len(packet)) > limit {
		return &lora.Error{Op: "send", Err: ErrAirtime}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ended:
		return lora.ErrClosed
	}
	select {
	case r.requests <- packet:
	case <-ctx.Done():
		<-r.turn
		return ctx.Err()
	case <-r.ended:
		<-r.turn
		return lora.ErrClosed
	}
	select {
	case err := <-r.results:
		<-r.turn
		return err
	case <-r.ended:
		<-r.turn
		return lora.ErrClosed
	case <-ctx.Done():
		return r.abandon(ctx)
	}
}

// abandon takes the packet back for a Send whose context has ended. The next Send has its turn when the loop has let the packet go.
func (r *Radio) abandon(ctx context.Context) error {
	result := make(chan error, 1)
	go func() {
		defer func() { <-r.turn }()
		select {
		case r.cancels <- struct{}{}: // there will be no result
			result <- ctx.Err()
		case err := <-r.results:
			result <- err
		case <-r.ended:
			result <- lora.ErrClosed
		}
	}()
	timeout := time.NewTimer(hangTime)
	defer timeout.Stop()
	select {
	case err := <-result:
		return err
	case <-timeout.C:
		return ctx.Err()
	}
}

// Receive waits for a packet, as [lora.Radio] says. Its Time is that of the edge of DIO0; without
// one, it is when the driver found the packet.
//
// While the chip does not answer, Receive returns an [*lora.Error] each time the driver has tried in
// vain to set it up again, which it goes on to do.
func (r *Radio) Receive(ctx context.Context, buf []byte) (lora.Reception, error) {
	select {
	case <-r.closing:
		return lora.Reception{}, lora.ErrClosed
	default:
	}
	select {
	case p := <-r.rx:
		p.reception.N = copy(buf, p.packet[:p.reception.N])
		return p.reception, nil
	case err := <-r.faults:
		return lora.Reception{}, err
	case <-ctx.Done():
		return lora.Reception{}, ctx.Err()
	case <-r.closing:
		return lora.Reception{}, lora.ErrClosed
	}
}

// Close puts the chip to sleep. A packet that is on the air is cut short. When the host's SPI hangs, Close returns after five seconds,
// with [ErrHungSPI] and the files left open: they are the operating system's to end, with the program.
func (r *Radio) Close() error {
	if r.governor != nil {
		return r.governor.Close()
	}
	return r.close()
}

func (r *Radio) close() error {
	r.once.Do(func() {
		close(r.closing)
		timeout := time.NewTimer(hangTime)
		defer timeout.Stop()
		select {
		case <-r.ended:
		case <-timeout.C:
			r.closeErr = &lora.Error{Op: "close", Err: r.hang()}
			r.end()
			return // closing a file in use would hang as well
		}
		for _, c := range r.closers {
			if err := c.Close(); err != nil && r.closeErr == nil {
				r.closeErr = &lora.Error{Op: "close", Err: err}
			}
		}
	})
	return r.closeErr
}

// hang says what the loop hangs in.
func (r *Radio) hang() error {
	err := ErrHungLine
	if r.chip.busy.Load() {
		err = ErrHungSPI
	}
	return &Problem{err, remedyHung}
}

// end lets go all who wait for the loop.
func (r *Radio) end() { r.ending.Do(func() { close(r.ended) }) }

// deliver puts a packet into the queue. The loop alone calls it.
func (r *Radio) deliver(p *received) {
	r.count.received.Add(1)
	for {
		select {
		case r.rx <- *p:
			return
		default:
		}
		select {
		case <-r.rx:
			r.count.overrun.Add(1)
		default:
		}
	}
}

// sleep waits, by the radio's clock.
func (r *Radio) sleep(d time.Duration) {
	time.Sleep(r.clock.Until(r.clock.Now().Add(d)))
}
