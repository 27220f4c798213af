package main

import (
	"fmt"
	"io"
	"time"

	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/cli"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// device is an engine with its command line. A reset gives it new ones with the same settings. It is a wire.Device.
type device struct {
	cfg      thread.Config
	eui64    ieee802154.ExtAddr
	out      io.Writer
	exit     func()
	err      error // why it ended by itself
	engine   *thread.Engine
	shell    *cli.Interpreter
	energy   runner.Energy
	radio    cli.Radio
	starting bool // the settings ask for a start
}

// eraser is a store that can forget everything.
type eraser interface {
	Erase() error
}

// newDevice returns a device that calls exit at its end.
func newDevice(cfg thread.Config, eui64 ieee802154.ExtAddr, radio cli.Radio, out io.Writer, exit func()) (*device, error) {
	d := &device{cfg: cfg, eui64: eui64, out: out, exit: exit, radio: radio}
	if err := d.boot(); err != nil {
		return nil, err
	}
	return d, nil
}

// boot makes engine and command line. The extended address is the stored one, or a new one at random.
func (d *device) boot() error {
	cfg := d.cfg
	stored, ok, err := cfg.Store.Load()
	if err != nil {
		return err
	}
	if cfg.ExtAddr = stored.ExtAddr; !ok {
		if cfg.ExtAddr, err = randomExtAddr(cfg.Rand); err != nil {
			return err
		}
	}
	engine, err := thread.New(cfg)
	if err != nil {
		return err
	}
	d.engine, d.shell = engine, cli.New(engine)
	d.shell.EUI64, d.shell.Radio = d.eui64, d.radio
	d.energy = runner.Energy{Floor: quiet}
	d.starting = engine.AutoStart()
	return nil
}

// randomExtAddr returns a locally administered address (IEEE 802.15.4-2006 §7.1).
func randomExtAddr(random io.Reader) (ieee802154.ExtAddr, error) {
	var a ieee802154.ExtAddr
	if _, err := io.ReadFull(random, a[:]); err != nil {
		return a, err
	}
	a[0] = a[0]&^1 | 2
	return a, nil
}

func (d *device) handleLine(now time.Time, line string) {
	d.shell.HandleLine(now, line)
	d.finish(now)
}

// finish fetches what the engine and the command line have put out.
func (d *device) finish(now time.Time) {
	d.energy.Poll(now, d.engine)
	for {
		packet, ok := d.engine.PollPacket()
		if !ok {
			break
		}
		d.shell.HandlePacket(now, &packet)
	}
	for {
		if _, ok := d.engine.PollEvent(); !ok {
			break
		}
	}
	for {
		text, ok := d.shell.PollOutput()
		if !ok {
			break
		}
		if _, err := d.out.Write(text); err != nil {
			d.end(err)
		}
	}
	for {
		request, ok := d.shell.PollRequest()
		if !ok {
			return
		}
		d.handleRequest(now, request)
	}
}

func (d *device) handleRequest(now time.Time, request cli.Request) {
	d.engine.Flush()
	switch request {
	case cli.RequestFactoryReset:
		if e, ok := d.cfg.Store.(eraser); ok {
			if err := e.Erase(); err != nil {
				d.end(err)
				return
			}
		} else {
			d.cfg.Store = new(thread.MemoryStore)
		}
		fallthrough
	case cli.RequestReset:
		if err := d.boot(); err != nil {
			d.end(fmt.Errorf("reset: %w", err))
		}
	case cli.RequestExit:
		d.end(nil)
	}
}

func (d *device) end(err error) {
	d.err = err
	d.exit()
}

// The rest is wire.Device.

func (d *device) Channel() uint8 { return d.engine.RadioChannel() }

func (d *device) HandleFrame(now time.Time, psdu []byte, rssi int) {
	if !d.engine.Listening() {
		return // as a sleeping radio
	}
	d.shell.HandleFrame(psdu)
	d.energy.Heard(rssi)
	d.engine.HandleFrame(now, psdu, rssi)
	d.finish(now)
}

func (d *device) PollTransmit() (psdu []byte, ok bool) { return d.engine.PollTransmit() }

func (d *device) HandleTransmitDone(now time.Time, err error) {
	d.engine.HandleTransmitDone(now, err)
	d.finish(now)
}

func (d *device) NextTimeout() (time.Time, bool) {
	if d.starting {
		return time.Time{}, true // at once
	}
	at, ok := d.engine.NextTimeout()
	if other, too := d.shell.NextTimeout(); too && (!ok || other.Before(at)) {
		at, ok = other, true
	}
	if other, too := d.energy.NextTimeout(); too && (!ok || other.Before(at)) {
		at, ok = other, true
	}
	return at, ok
}

func (d *device) HandleTimeout(now time.Time) {
	if d.starting {
		d.starting = false
		if err := d.engine.Start(now); err != nil {
			d.end(err)
			return
		}
	}
	if at, ok := d.engine.NextTimeout(); ok && !at.After(now) {
		d.engine.HandleTimeout(now)
	}
	if at, ok := d.shell.NextTimeout(); ok && !at.After(now) {
		d.shell.HandleTimeout(now)
	}
	d.energy.HandleTimeout(now, d.engine)
	d.finish(now)
}
