package sx1276

import (
	"sync"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// memory is as much of a chip as the driver needs on a sunny day: registers that keep what is written,
// a FIFO, and packets that are sent in no time. It does not allocate.
type memory struct {
	mu    sync.Mutex
	regs  [128]byte
	fifo  [fifoSize]byte
	edges chan time.Time
}

func newMemory() *memory {
	m := &memory{edges: make(chan time.Time, 4)}
	m.regs[regOpMode] = 0x09
	m.regs[regVersion] = chip1276.version
	m.regs[regTcxo] = 0x09
	m.regs[regHopChannel] = crcOnPayload
	m.regs[regRssiValue] = 40
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
	return m.regs[regIrqFlags] != 0, nil
}

func (m *memory) Tx(w, r []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	addr, write := w[0]&^writeBit, w[0]&writeBit != 0
	for i := 1; i < len(w); i++ {
		cell := &m.regs[addr]
		if register(addr) == regFifo {
			cell = &m.fifo[m.regs[regFifoAddrPtr]]
			m.regs[regFifoAddrPtr]++
		}
		r[i] = *cell
		if write {
			m.write(register(addr), cell, w[i])
		}
		if register(addr) != regFifo {
			addr++
		}
	}
	return nil
}

func (m *memory) write(reg register, cell *byte, v byte) {
	switch {
	case reg == regIrqFlags:
		*cell &^= v
	case reg == regOpMode && v&modeMask == modeTx:
		*cell = v&^modeMask | modeStandby
		m.interrupt(irqTxDone)
	case reg == regImageCal && m.regs[regOpMode]&longRangeMode == 0:
		*cell = v &^ imageCalStart
	default:
		*cell = v
	}
}

func (m *memory) interrupt(flag byte) {
	m.regs[regIrqFlags] |= flag
	m.edges <- time.Now()
}

// arrive puts a packet of n bytes into the FIFO.
func (m *memory) arrive(n byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.regs[regFifoRxCurrent] = 0
	m.regs[regRxNbBytes] = n
	m.interrupt(irqRxDone)
}

func openMemory(tb testing.TB) (*memory, *Radio) {
	tb.Helper()
	m := newMemory()
	r, err := New(m, Pins{DIO0: m}, lora.Config{}, WithListen(Listen{Time: 1}))
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
