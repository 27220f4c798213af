package chipemu

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// maxTransfer is the buffer of Linux' spidev.
const maxTransfer = 4096

// Port is an SPI port with the chip at its end. It is a [spi.PortCloser].
type Port struct {
	chip      *Core
	limit     physic.Frequency
	connected bool
	closed    bool
}

var (
	_ spi.PortCloser = (*Port)(nil)
	_ spi.Conn       = (*Conn)(nil)
	_ conn.Limits    = (*Conn)(nil)
)

// Port returns a port to the chip, as opening the device does.
func (c *Core) Port() *Port { return &Port{chip: c, limit: c.opt.MaxClock} }

// String returns the name of the chip's package.
func (p *Port) String() string { return p.chip.opt.Name }

// LimitSpeed sets the highest speed of the port. The default is what the chip allows.
func (p *Port) LimitSpeed(f physic.Frequency) error {
	if f <= 0 {
		return fmt.Errorf("speed limit %v", f)
	}
	p.chip.Lock()
	defer p.chip.Unlock()
	p.limit = f
	return nil
}

// Connect returns a connection at the given speed, or at the port's limit if that is
// lower or the given one is zero. A port connects once.
func (p *Port) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	c := p.chip
	c.Lock()
	defer c.Unlock()
	switch {
	case p.closed:
		return nil, errClosed
	case p.connected:
		return nil, errors.New("port already connected")
	case f < 0 || f > physic.GigaHertz:
		return nil, fmt.Errorf("speed %v", f)
	case mode&(spi.HalfDuplex|spi.LSBFirst) != 0:
		return nil, fmt.Errorf("mode %v not supported", mode)
	case mode&spi.NoCS != 0 && c.opt.RefuseNoCS:
		return nil, fmt.Errorf("mode %v: %w", mode, syscall.EINVAL)
	case bits != 8:
		return nil, fmt.Errorf("%d bits a word not supported", bits)
	}
	if f == 0 || f > p.limit {
		f = p.limit
	}
	c.Forgive()
	if f > c.opt.MaxClock {
		c.Violate(SPIClock, "%v, at most %v", f, c.opt.MaxClock)
	}
	p.connected = true
	return &Conn{port: p, clock: f, mode: mode}, nil
}

// Close closes the port and its connection.
func (p *Port) Close() error {
	p.chip.Lock()
	defer p.chip.Unlock()
	p.closed = true
	return nil
}

var errClosed = fmt.Errorf("port: %w", fs.ErrClosed)

// Conn is a connection to the chip. It is a [spi.Conn].
type Conn struct {
	port  *Port
	clock physic.Frequency
	mode  spi.Mode
	one   [1]spi.Packet
}

// String returns the name of the chip's package.
func (c *Conn) String() string { return c.port.String() }

// Clock returns the speed.
func (c *Conn) Clock() physic.Frequency { return c.clock }

// Duplex returns conn.Full.
func (c *Conn) Duplex() conn.Duplex { return conn.Full }

// MaxTxSize returns the number of bytes that one call may transfer.
func (c *Conn) MaxTxSize() int { return maxTransfer }

// Tx does a transaction; with spi.NoCS or [Options].GPIOSelect, a part of the one that the
// chip select pin encloses. Where one of the buffers is empty, zeros are sent or what comes is dropped.
func (c *Conn) Tx(w, r []byte) error {
	chip := c.port.chip
	chip.bus <- struct{}{}
	defer func() { <-chip.bus }()
	c.one[0] = spi.Packet{W: w, R: r}
	return c.transfer(c.one[:])
}

// TxPackets does a transaction for each packet, or for several of which all but the last
// keep the chip select.
func (c *Conn) TxPackets(p []spi.Packet) error {
	chip := c.port.chip
	chip.bus <- struct{}{}
	defer func() { <-chip.bus }()
	return c.transfer(p)
}

// transfer does packets. The bus is held.
func (c *Conn) transfer(packets []spi.Packet) error {
	total := 0
	for _, p := range packets {
		n := max(len(p.W), len(p.R))
		if n == 0 || len(p.W) != n && len(p.W) != 0 || len(p.R) != n && len(p.R) != 0 {
			return fmt.Errorf("transfer of %d bytes out and %d in", len(p.W), len(p.R))
		}
		if p.BitsPerWord != 0 && p.BitsPerWord != 8 {
			return fmt.Errorf("%d bits a word not supported", p.BitsPerWord)
		}
		total += n
	}
	if total > maxTransfer {
		return fmt.Errorf("transfer of %d bytes, at most %d", total, maxTransfer)
	}
	chip := c.port.chip
	chip.spend(total, c.clock)
	chip.Lock()
	defer chip.Unlock()
	if c.port.closed {
		return errClosed
	}
	if err := chip.spiFault(); err != nil {
		return err
	}
	selects := c.mode&spi.NoCS == 0 && !chip.opt.GPIOSelect
	for _, p := range packets {
		if selects {
			chip.setSelected(true)
		}
		chip.exchangeAll(p.W, p.R, c.clock, c.mode)
		if selects && !p.KeepCS {
			chip.setSelected(false)
		}
	}
	return nil
}

// Exchange transfers bytes, the shorter of the two slices deciding how many, while the
// chip is selected: a way in for other front ends than Port.
func (c *Core) Exchange(mosi, miso []byte, clock physic.Frequency) {
	c.bus <- struct{}{}
	defer func() { <-c.bus }()
	n := min(len(mosi), len(miso))
	c.spend(n, clock)
	c.Lock()
	defer c.Unlock()
	c.exchangeAll(mosi[:n], miso[:n], clock, spi.Mode0)
}

// spend lets the time of a transfer pass.
func (c *Core) spend(bytes int, clock physic.Frequency) {
	if c.opt.Transfer != nil {
		sleepUntil(c.clock, c.clock.Now().Add(c.opt.Transfer(bytes, clock)))
	}
}

// SetSelected sets the chip select, as the line of NSS.
func (c *Core) SetSelected(on bool) {
	c.Lock()
	defer c.Unlock()
	c.setSelected(on)
}

func (c *Core) setSelected(on bool) {
	if c.selected == on {
		return
	}
	c.selected = on
	c.Forgive()
	if on {
		c.Count.Transactions++
		c.front.Select()
	} else {
		c.front.Deselect()
	}
}

// exchangeAll transfers bytes. Of w and r one may be empty.
func (c *Core) exchangeAll(w, r []byte, clock physic.Frequency, mode spi.Mode) {
	garbled := mode&spi.Mode3 != spi.Mode0
	if garbled {
		c.Violate(SPIMode, "%v", mode)
	}
	for i := range max(len(w), len(r)) {
		var in, out byte
		if i < len(w) {
			in = w[i]
		}
		switch {
		case c.faults.silent:
			out = c.faults.silence
		case garbled:
			out = byte(c.Rand.Uint32())
		case c.selected:
			c.Count.Bytes++
			out = c.flip(c.front.Exchange(c.flip(in, clock)), clock)
		}
		if i < len(r) {
			r[i] = out
		}
	}
}
