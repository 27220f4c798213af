package sx126x

import (
	"sync"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// memory is as much of a chip as the driver needs on a sunny day: registers that keep what is written, a buffer, and packets that are
// sent in no time. It does not allocate.
type memory struct {
	mu     sync.Mutex
	regs   [0x1000]byte
	buffer [256]byte
	edges  chan time.Time
	mode   byte
	irq    uint16
	length byte
}

func newMemory() *memory {
	m := &memory{edges: make(chan time.Time, 4), mode: modeRC}
	copy(m.regs[regVersion:], "SX1261 V2D 2D02")
	m.regs[regHeaderCRC] = headerCRC
	return m
}

func (m *memory) String() string          { return "memory" }
func (m *memory) Duplex() conn.Duplex     { return conn.Full }
func (m *memory) Edges() <-chan time.Time { return m.edges }

func (m *memory) TxPackets([]spi.Packet) error { panic("not used") }

func (m *memory) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) { return m, nil }

func (m *memory) Level() (Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.irq&irqLine != 0, nil
}

// idle is a BUSY that is always low.
type idle struct{}

func (idle) Level() (Level, error)   { return Low, nil }
func (idle) Edges() <-chan time.Time { return nil }

func (m *memory) Tx(w, r []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range r {
		r[i] = m.mode << 4
	}
	switch opcode(w[0]) {
	case opWriteRegister:
		copy(m.regs[int(w[1])<<8|int(w[2]):], w[3:])
	case opReadRegister:
		copy(r[4:], m.regs[int(w[1])<<8|int(w[2]):])
	case opWriteBuffer:
		copy(m.buffer[:], w[2:])
	case opReadBuffer:
		copy(r[3:], m.buffer[:])
	case opGetIrq:
		r[2], r[3] = byte(m.irq>>8), byte(m.irq)
	case opClearIrq:
		m.irq &^= uint16(w[1])<<8 | uint16(w[2])
	case opRxBufferStatus:
		r[2], r[3] = m.length, 0
	case opRssiInst:
		r[2] = 200
	case opGetErrors, opPacketStatus:
		clear(r[2:])
	case opStandby:
		m.mode = modeRC + w[1]
	case opRx:
		m.mode = modeRx
	case opTx:
		m.mode = modeXOSC
		m.interrupt(irqTxDone)
	}
	return nil
}

func (m *memory) interrupt(flag uint16) {
	m.irq |= flag
	m.edges <- time.Now()
}

// arrive puts a packet of n bytes into the buffer.
func (m *memory) arrive(n byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.length = n
	m.interrupt(irqRxDone)
}

func openMemory(tb testing.TB) (*memory, *Radio) {
	tb.Helper()
	m := newMemory()
	r, err := New(m, Pins{DIO1: m, Busy: idle{}}, Board{}, lora.Config{}, WithListen(Listen{Time: 1}))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { r.Close() })
	return m, r
}

func TestFramesDoNotAllocate(t *testing.T) {
	m, r := openMemory(t)
	ctx := t.Context()
	packet, buf := make([]byte, 127), make([]byte, lora.MaxPacket)
	frames := func() {
		if err := r.Send(ctx, packet); err != nil {
			t.Fatal(err)
		}
		m.arrive(127)
		if p, err := r.Receive(ctx, buf); err != nil || p.N != 127 {
			t.Fatal(p, err)
		}
	}
	frames()
	if n := testing.AllocsPerRun(100, frames); n != 0 {
		t.Errorf("%v allocations for a frame sent and one received", n)
	}
}

func BenchmarkReceive(b *testing.B) {
	m, r := openMemory(b)
	buf := make([]byte, lora.MaxPacket)
	b.ReportAllocs()
	for b.Loop() {
		m.arrive(127)
		if _, err := r.Receive(b.Context(), buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSend(b *testing.B) {
	_, r := openMemory(b)
	packet := make([]byte, 127)
	b.ReportAllocs()
	for b.Loop() {
		if err := r.Send(b.Context(), packet); err != nil {
			b.Fatal(err)
		}
	}
}
