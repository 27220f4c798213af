package driver

import (
	"fmt"
	"sync/atomic"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// maxTransfer is the longest transfer: a packet with what the chips want before it.
const maxTransfer = 4 + 256

// SPI is the way to a chip. Transfers are made of its buffers. One goroutine at a time uses it.
type SPI struct {
	W, R [maxTransfer]byte

	conn conn.Conn
	cs   transceiver.Output // nil: the port selects the chip

	transfers, bytes, errors atomic.Uint64
	busy                     atomic.Bool // a transfer is under way
}

// Attempts is how often a transfer is tried that may be repeated.
const Attempts = 3

const remedyNoCS = "this host's SPI refuses SPI_NO_CS, as a Raspberry Pi 5 does: leave NoCS of the board off and see that nothing else " +
	"listens to this chip select, or let the kernel move the line with dtoverlay=spi0-1cs,cs0_pin=25 and leave CS empty"

// Connect connects a port. With a chip select line given the driver moves it; noCS keeps the port's own still.
func (s *SPI) Connect(port spi.Port, cs transceiver.Output, clock physic.Frequency, noCS bool) error {
	s.cs = cs
	if cs != nil {
		if err := cs.Set(transceiver.High); err != nil {
			return &lora.Error{Op: "open", Err: fmt.Errorf("chip select: %w", err)}
		}
	}
	mode := spi.Mode0
	if noCS {
		mode |= spi.NoCS
	}
	conn, err := port.Connect(clock, mode, 8)
	if err != nil {
		if noCS {
			err = &transceiver.Problem{Err: err, Remedy: remedyNoCS}
		}
		return &lora.Error{Op: "open", Err: err}
	}
	s.conn = conn
	return nil
}

// Connected reports whether there was a Connect.
func (s *SPI) Connected() bool { return s.conn != nil }

// Tx exchanges the first n bytes of W for those of R, once.
func (s *SPI) Tx(n int) error {
	s.transfers.Add(1)
	s.bytes.Add(uint64(n))
	s.busy.Store(true)
	defer s.busy.Store(false)
	if s.cs != nil {
		if err := s.cs.Set(transceiver.Low); err != nil {
			s.errors.Add(1)
			return err
		}
	}
	err := s.conn.Tx(s.W[:n], s.R[:n])
	if s.cs != nil {
		if e := s.cs.Set(transceiver.High); err == nil {
			err = e
		}
	}
	if err != nil {
		s.errors.Add(1)
	}
	return err
}

// Retry is Tx with several attempts.
func (s *SPI) Retry(n int) (err error) {
	for range Attempts {
		if err = s.Tx(n); err == nil {
			return nil
		}
	}
	return err
}

// Traffic returns what was transferred.
func (s *SPI) Traffic() Traffic {
	return Traffic{s.transfers.Load(), s.bytes.Load(), s.errors.Load(), s.busy.Load()}
}
