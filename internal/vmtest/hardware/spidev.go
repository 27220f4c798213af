//go:build linux

package hardware

import (
	"encoding/binary"
	"sync"

	"github.com/gopymesh/pymesh/internal/vmtest/cuse"
	"golang.org/x/sys/unix"
)

// Numbers of spidev's ioctls (include/uapi/linux/spi/spidev.h). The size of the argument is in bits 16
// to 29, the direction in bits 30 and 31.
const (
	spiMagic   = 'k'
	spiMessage = 0
	spiMode    = 1
	spiLSB     = 2
	spiBits    = 3
	spiSpeed   = 4
	spiMode32  = 5

	ioctlWrite = 1

	modeClock    = 0x03 // mode 0 to 3
	modeNoCS     = 0x40
	transferSize = 32
	maxMessage   = 4096 // bytes, of all transfers of a message together
)

// port is a chip select of the SPI controller, which programs see as /dev/spidev<bus>.<number>.
type port struct {
	bus *bus

	mu         sync.Mutex
	mode       uint32
	refuseNoCS bool
	hat        *hat // what the chip select leads to, if anything
}

// Ioctl serves an ioctl of spidev.
func (p *port) Ioctl(q *cuse.Ioctl) error {
	direction, magic, number, size := q.Cmd>>30, q.Cmd>>8&0xff, q.Cmd&0xff, int(q.Cmd>>16&0x3fff)
	if magic != spiMagic || direction != ioctlWrite {
		return unix.ENOTTY // reading the settings back is not emulated
	}
	arg := q.Read(q.Arg, size)
	if err := q.Ready(); err != nil {
		return err
	}
	switch {
	case number == spiMessage && size%transferSize == 0:
		return p.message(q, arg)
	case number == spiMode && size == 1:
		return p.setMode(uint32(arg[0]))
	case number == spiMode32 && size == 4:
		return p.setMode(binary.NativeEndian.Uint32(arg))
	case (number == spiLSB || number == spiBits) && size == 1, number == spiSpeed && size == 4:
		return nil
	}
	return unix.ENOTTY
}

// setMode sets the mode, as far as a Raspberry Pi's controller can do it.
func (p *port) setMode(mode uint32) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if mode&^(modeClock|modeNoCS) != 0 || p.refuseNoCS && mode&modeNoCS != 0 {
		return unix.EINVAL
	}
	p.mode = mode
	return nil
}

// transfer is one of the transfers of a message.
type transfer struct {
	mosi, miso []byte
	speed      uint32 // Hz
	csChange   bool
}

// message does a message of one or more transfers.
func (p *port) message(q *cuse.Ioctl, arg []byte) error {
	var transfers []transfer
	total := 0
	for ; len(arg) > 0; arg = arg[transferSize:] {
		tx, rx := binary.NativeEndian.Uint64(arg), binary.NativeEndian.Uint64(arg[8:])
		n := int(binary.NativeEndian.Uint32(arg[16:]))
		if total += n; total > maxMessage {
			return unix.EMSGSIZE
		}
		if bits := arg[26]; bits != 0 && bits != 8 {
			return unix.EINVAL
		}
		t := transfer{mosi: make([]byte, n), miso: make([]byte, n), speed: binary.NativeEndian.Uint32(arg[20:]), csChange: arg[27] != 0}
		if tx != 0 {
			t.mosi = q.Read(tx, n)
		}
		if rx != 0 {
			t.miso = q.Buffer(rx, n)
		}
		transfers = append(transfers, t)
	}
	if err := q.Ready(); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.bus.do(p, transfers)
}
