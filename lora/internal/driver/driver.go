package driver

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
)

// hangTime is how long a transfer may take that should take milliseconds, before nobody waits for it any more.
const hangTime = 5 * time.Second

const remedyHung = "end the program; if that does not help, the host's SPI driver hangs, and a reboot does: dmesg says more"

// queueLength is how many packets wait for Receive; the oldest is dropped for one more.
const queueLength = 16

// request is a packet to send.
type request struct {
	packet []byte
	answer bool
}

// Driver drives a chip. It is a [lora.Radio], a [lora.Answerer], a [lora.Sleeper], and [lora.Clocked].
//
// Its methods may be called by many goroutines at once; of several calls of Send one is served
// after the other.
type Driver struct {
	governor *lora.Governor // nil if nobody keeps count
	cfg      lora.Config
	opt      Options
	clock    lora.Clock
	line     transceiver.Input // the interrupt line, or nil
	lineName string
	slot     time.Duration // of random pauses
	closers  []io.Closer

	// Between callers and loop.
	turn     chan struct{} // held by Send
	requests chan request
	results  chan error
	cancels  chan struct{}
	rx       chan Packet
	faults   chan error    // why the chip is down, for Receive
	rests    chan struct{} // wantsSleep has changed
	meters   chan chan<- reading
	closing  chan struct{}
	ended    chan struct{} // closed when the loop has ended, or hangs
	ending   sync.Once
	once     sync.Once
	closeErr error
	count    counters

	wantsSleep atomic.Bool

	loop
}

// New returns a driver of a chip, which must be set up already. Run starts it.
func New(chip Chip, line transceiver.Input, lineName string, cfg lora.Config, o Options) *Driver {
	d := &Driver{
		cfg: cfg, opt: o, clock: steady.New(o.Clock), line: line, lineName: lineName,
		turn:     make(chan struct{}, 1),
		requests: make(chan request),
		results:  make(chan error, 1),
		cancels:  make(chan struct{}),
		rx:       make(chan Packet, queueLength),
		faults:   make(chan error, 1),
		rests:    make(chan struct{}, 1),
		meters:   make(chan chan<- reading),
		closing:  make(chan struct{}),
		ended:    make(chan struct{}),
	}
	d.chip = chip
	if line != nil {
		d.edges = line.Edges()
	}
	d.pollEvery = min(max(cfg.Airtime(shortestPacket)*3/4, minPoll), maxPoll)
	d.maxReception = cfg.Airtime(lora.MaxPacket)
	d.reception.init(cfg)
	d.slot = transceiver.Unheard(cfg)
	d.load.init(cfg)
	return d
}

// Start sets the chip up and drives it until Close.
func (d *Driver) Start() error {
	if err := d.setUp(); err != nil {
		return err
	}
	d.opt.Log.Info("LoRa radio found", "chip", d.chip.Name(), "frequency", d.cfg.Frequency, "bandwidth", d.cfg.Bandwidth,
		"sf", d.cfg.SpreadingFactor, "power", d.cfg.TxPower, "spi", d.opt.SPIClock)
	if d.line == nil {
		d.opt.Log.Info(d.lineName+" is not wired: asking the chip instead", "every", d.pollEvery)
	}
	go d.run()
	return nil
}

// PollEvery returns how often the driver looks at the line, or at a chip without one.
func (d *Driver) PollEvery() time.Duration { return d.pollEvery }

// CloseWith makes Close close something after the chip sleeps.
func (d *Driver) CloseWith(closers []io.Closer) { d.closers = closers }

// Config returns the settings in force.
func (d *Driver) Config() lora.Config { return d.cfg }

// Clock returns the clock by which the radio lives.
func (d *Driver) Clock() lora.Clock { return d.clock }

// Send transmits a packet, as [lora.Radio] says. While the channel is busy it waits, with random
// pauses, as long as [transceiver.Listen] allows. After Govern the duty cycle is kept: a packet that would
// exceed it is refused with [lora.ErrDutyCycle].
//
// An [*lora.Error] says that the chip did not do its part; it is being reset then, and the next
// packet may be given at once. When ctx ends during the transmission, the chip finishes the packet.
func (d *Driver) Send(ctx context.Context, packet []byte) error {
	if d.governor != nil {
		return d.governor.Send(ctx, packet)
	}
	return d.send(ctx, request{packet: packet})
}

// Answer transmits a packet, as [lora.Answerer] says.
func (d *Driver) Answer(ctx context.Context, packet []byte) error {
	if d.governor != nil {
		return d.governor.Answer(ctx, packet)
	}
	return d.send(ctx, request{packet, true})
}

// Usage returns how much of the duty cycle is used and left in each sub-band, of a radio that keeps to it.
func (d *Driver) Usage() []lora.Usage {
	if d.governor == nil {
		return nil
	}
	return d.governor.Usage()
}

// bare is a Driver without its governor.
type bare struct{ *Driver }

func (b bare) Close() error { return b.close() }

func (b bare) Send(ctx context.Context, packet []byte) error {
	return b.send(ctx, request{packet: packet})
}

func (b bare) Answer(ctx context.Context, packet []byte) error {
	return b.send(ctx, request{packet, true})
}

// Govern makes the radio keep to the duty cycle, unless told otherwise.
func (d *Driver) Govern() {
	if !d.opt.Ungoverned {
		options := []lora.GovernorOption{lora.WithLogger(d.opt.Log)}
		if d.opt.Airtime != nil {
			options = append(options, lora.WithAirtimeStore(d.opt.Airtime))
		}
		d.governor = lora.Govern(bare{d}, options...)
	}
}

func (d *Driver) send(ctx context.Context, r request) error {
	if len(r.packet) == 0 || len(r.packet) > lora.MaxPacket {
		return lora.ErrPacketSize
	}
	if limit := d.opt.Listen.MaxAirtime; limit > 0 && d.cfg.Airtime(len(r.packet)) > limit {
		return &lora.Error{Op: "send", Err: transceiver.ErrAirtime}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-d.ended:
		return lora.ErrClosed
	}
	select {
	case d.requests <- r:
	case <-ctx.Done():
		<-d.turn
		return ctx.Err()
	case <-d.ended:
		<-d.turn
		return lora.ErrClosed
	}
	select {
	case err := <-d.results:
		<-d.turn
		return err
	case <-d.ended:
		<-d.turn
		return lora.ErrClosed
	case <-ctx.Done():
		return d.abandon(ctx)
	}
}

// abandon takes the packet back for a Send whose context has ended. The next Send has its turn when the loop has let the packet go.
func (d *Driver) abandon(ctx context.Context) error {
	result := make(chan error, 1)
	go func() {
		defer func() { <-d.turn }()
		select {
		case d.cancels <- struct{}{}: // there will be no result
			result <- ctx.Err()
		case err := <-d.results:
			result <- err
		case <-d.ended:
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

// Receive waits for a packet, as [lora.Radio] says. Its Time is that of the edge of the interrupt line; without
// one, it is when the driver found the packet.
//
// While the chip does not answer, Receive returns an [*lora.Error] each time the driver has tried in
// vain to set it up again, which it goes on to do.
func (d *Driver) Receive(ctx context.Context, buf []byte) (lora.Reception, error) {
	select {
	case <-d.closing:
		return lora.Reception{}, lora.ErrClosed
	default:
	}
	select {
	case p := <-d.rx:
		p.N = copy(buf, p.Payload[:p.N])
		return p.Reception, nil
	case err := <-d.faults:
		return lora.Reception{}, err
	case <-ctx.Done():
		return lora.Reception{}, ctx.Err()
	case <-d.closing:
		return lora.Reception{}, lora.ErrClosed
	}
}

// Close puts the chip to sleep. A packet that is on the air is cut short. When the host's SPI hangs, Close returns after five seconds,
// with [transceiver.ErrHungSPI] and the files left open: they are the operating system's to end, with the program.
func (d *Driver) Close() error {
	if d.governor != nil {
		return d.governor.Close()
	}
	return d.close()
}

func (d *Driver) close() error {
	d.once.Do(func() {
		close(d.closing)
		timeout := time.NewTimer(hangTime)
		defer timeout.Stop()
		select {
		case <-d.ended:
		case <-timeout.C:
			d.closeErr = &lora.Error{Op: "close", Err: d.hang()}
			d.End()
			return // closing a file in use would hang as well
		}
		for _, c := range d.closers {
			if err := c.Close(); err != nil && d.closeErr == nil {
				d.closeErr = &lora.Error{Op: "close", Err: err}
			}
		}
	})
	return d.closeErr
}

// hang says what the loop hangs in.
func (d *Driver) hang() error {
	err := transceiver.ErrHungLine
	if d.chip.Traffic().Busy {
		err = transceiver.ErrHungSPI
	}
	return &transceiver.Problem{Err: err, Remedy: remedyHung}
}

// End lets go all who wait for the loop.
func (d *Driver) End() { d.ending.Do(func() { close(d.ended) }) }

// deliver puts a packet into the queue. The loop alone calls it.
func (d *Driver) deliver(p *Packet) {
	d.count.received.Add(1)
	for {
		select {
		case d.rx <- *p:
			return
		default:
		}
		select {
		case <-d.rx:
			d.count.overrun.Add(1)
		default:
		}
	}
}
