//go:build linux

package vmtest

import (
	"testing"

	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/internal/vmtest/hardware"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// TestBoards finds the chip of every hat that has a name, and one packet goes each way.
func TestBoards(t *testing.T) {
	for _, board := range sx1276.Boards() {
		t.Run(board.Name, func(t *testing.T) {
			b := newBench(t)
			b.plug(board)
			r := open(t, board)
			if r.Chip() != "SX1276" {
				t.Errorf("found an %s", r.Chip())
			}
			receiveOne(t, b, r, packet(20))
			sendOne(t, b, r, packet(20))
		})
	}
}

// TestSX1272 finds the older chip, whose reset is the other way round.
func TestSX1272(t *testing.T) {
	b := newBench(t)
	var id int
	b.call("Plug", hardware.Plug{Board: sx1276.RFM95, Model: sx1276emu.SX1272}, &id)
	r := open(t, sx1276.RFM95)
	if r.Chip() != "SX1272" {
		t.Errorf("found an %s", r.Chip())
	}
	receiveOne(t, b, r, packet(20))
	sendOne(t, b, r, packet(20))
	b.violations() // a pulse that is none to this chip
}

// TestChipSelectLine compares how often a line selected the chip with the number of transfers.
func TestChipSelectLine(t *testing.T) {
	b := newBench(t)
	id := b.plug(sx1276.DraginoHAT)
	r := open(t, sx1276.DraginoHAT)
	sendOne(t, b, r, packet(20))
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	s := r.Stats()
	eventually(t, "as many transactions as transfers", func() bool { return b.stats(id).Transactions == s.Transfers })
	if got := b.stats(id); got.Bytes != s.Bytes {
		t.Errorf("%d bytes in transactions, %d transferred", got.Bytes, s.Bytes)
	}
}

// TestNoCS drives a hat by a line while another one listens to the chip select of the port.
func TestNoCS(t *testing.T) {
	b := newBench(t)
	board := sx1276.DraginoHAT
	board.NoCS = true
	b.plug(board)
	bystander := sx1276.RFM95
	bystander.Reset, bystander.DIO0 = "", ""
	other := b.plug(bystander)
	r := open(t, board)
	receiveOne(t, b, r, packet(20))
	if s := b.stats(other); s.Transactions != 0 {
		t.Errorf("the other chip was selected %d times", s.Transactions)
	}
}

// TestKernelChipSelect opens a board whose chip select line the kernel has and moves itself.
func TestKernelChipSelect(t *testing.T) {
	b := newBench(t)
	board := sx1276.RFM95
	board.CS = "GPIO8"
	b.plug(board)
	r := open(t, board)
	receiveOne(t, b, r, packet(20))
}

// TestReset sees that Open resets the chip by its line, and that the line floats then.
func TestReset(t *testing.T) {
	b := newBench(t)
	id := b.plug(sx1276.RFM95)
	open(t, sx1276.RFM95)
	if s := b.stats(id); s.Resets != 1 {
		t.Errorf("%d resets", s.Resets)
	}
}
