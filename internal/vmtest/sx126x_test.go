//go:build linux

package vmtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// plug126x plugs a hat with an SX126x and returns its number.
func (b *bench) plug126x(board sx126x.Board) (id int) {
	b.t.Helper()
	b.call("Plug126x", hardware.Plug126x{Board: board}, &id)
	return id
}

// open126x opens a hat until the test ends.
func open126x(t testing.TB, b *bench, board sx126x.Board) *sx126x.Radio {
	t.Helper()
	cfg := lora.Config{TxPower: 17}
	r, err := sx126x.Open(board, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// TestBoards126x finds the chip of every hat for 868 MHz that has a name, and one packet goes each way.
func TestBoards126x(t *testing.T) {
	for _, board := range sx126x.Boards() {
		if board.Chip == sx126x.SX1268 {
			continue // the radio far away is on 868 MHz
		}
		t.Run(board.ID, func(t *testing.T) {
			b := newBench(t)
			b.plug126x(board)
			r := open126x(t, b, board)
			receiveOne(t, b, r, packet(20))
			sendOne(t, b, r, packet(20))
		})
	}
}

// TestFrames126x sends packets both ways between a hat and a radio far away.
func TestFrames126x(t *testing.T) {
	b := newBench(t)
	b.plug126x(sx126x.RAK6421Slot1)
	r := open126x(t, b, sx126x.RAK6421Slot1)
	for _, n := range sizes() {
		receiveOne(t, b, r, packet(n))
		sendOne(t, b, r, packet(n))
	}
	if s := r.Stats(); s.SPIErrors != 0 || s.Repairs != 0 || s.CRCErrors != 0 || s.Edges != uint64(2*len(sizes())) {
		t.Errorf("%+v", s)
	}
}

// TestBusy126x: a BUSY that does not fall, a wrong one and a brown-out are found and named.
func TestBusy126x(t *testing.T) {
	b := newBench(t)
	board := sx126x.MeshAdvMini
	id := b.plug126x(board)
	b.fail(id, hardware.StickBusy, 1)
	if _, err := sx126x.Open(board, lora.Config{}); !errors.Is(err, sx126x.ErrBusy) || remedy(err) == "" {
		t.Errorf("error %v", err)
	}
	b.fail(id, hardware.StickBusy, 0)
	wrong := board
	wrong.Busy = "GPIO5" // leads nowhere
	checks := sx126x.Diagnose(wrong, lora.Config{})
	if last := checks[len(checks)-1]; last.Name != "BUSY" || last.Err == nil {
		t.Errorf("%v", checks)
	}
	b.violations()
	r := open126x(t, b, board)
	b.fail(id, hardware.BrownOut, 0)
	eventually(t, "set up again", func() bool { return r.Stats().Repairs == 1 })
	// The repair has begun; setting the chip up takes a while on this machine, and what is sent meanwhile is lost.
	eventually(t, "a packet after it", func() bool {
		b.call("Transmit", packet(20), &struct{}{})
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		buf := make([]byte, lora.MaxPacket)
		rx, err := r.Receive(ctx, buf)
		return err == nil && slices.Equal(buf[:rx.N], packet(20))
	})
	b.violations() // what came between brown-out and repair
}

// TestBothFamilies sends packets from an SX1262 to an SX1276 and back.
func TestBothFamilies(t *testing.T) {
	b := newBench(t)
	b.plug126x(sx126x.RAK6421Slot1)
	b.plug(secondHat())
	r, other := open126x(t, b, sx126x.RAK6421Slot1), open(t, secondHat())
	for _, way := range []struct{ from, to lora.Radio }{{r, other}, {other, r}} {
		if err := way.from.Send(context.Background(), packet(64)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		buf := make([]byte, lora.MaxPacket)
		rx, err := way.to.Receive(ctx, buf)
		cancel()
		if err != nil || !slices.Equal(buf[:rx.N], packet(64)) {
			t.Errorf("%x, %v", buf[:rx.N], err)
		}
	}
}

// TestOtherFamily opens a hat with the driver of the other chip: the error names the boards to choose from.
func TestOtherFamily(t *testing.T) {
	b := newBench(t)
	mini := sx126x.MeshAdvMini // on the port of an RFM95
	b.plug126x(mini)
	wrong := sx1276.RFM95
	wrong.Reset, wrong.DIO0 = mini.Reset, mini.DIO1
	if _, err := sx1276.Open(wrong, lora.Config{}); !errors.Is(err, sx1276.ErrOtherChip) || !strings.Contains(remedy(err), "rak6421-slot1") {
		t.Errorf("an SX1276 was expected: %v", err)
	}
	b.violations() // an SX1262 is asked what only an SX1276 knows
	b = newBench(t)
	b.plug(sx1276.RFM95)
	mini.Reset = sx1276.RFM95.Reset
	if _, err := sx126x.Open(mini, lora.Config{}); !errors.Is(err, sx126x.ErrOtherChip) || !strings.Contains(remedy(err), "sx1276") {
		t.Errorf("an SX1262 was expected: %v", err)
	}
	b.violations()
}

// TestProbe finds hats of both families.
func TestProbe(t *testing.T) {
	b := newBench(t)
	b.plug126x(sx126x.MeshAdv)
	b.plug(secondHat())
	found := hats.Probe(hats.ChipSelects)
	b.violations()
	var where []string
	for _, f := range found {
		where = append(where, f.Where)
		if strings.Contains(f.Where, "GPIO21") && !slices.Contains(f.Boards, "meshadv") {
			t.Errorf("%+v", f)
		}
	}
	if !slices.Equal(where, []string{"/dev/spidev0.0, chip select GPIO21", "/dev/spidev1.0"}) {
		t.Errorf("%+v", found)
	}
}
