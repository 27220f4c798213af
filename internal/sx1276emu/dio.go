package sx1276emu

import "time"

// Bits of RegIrqFlags and RegIrqFlagsMask.
const (
	irqCadDetected = 1 << iota
	irqFhssChange
	irqCadDone
	irqTxDone
	irqValidHeader
	irqPayloadCrcError
	irqRxDone
	irqRxTimeout
)

// interrupt sets flags that are not masked.
func (c *Chip) interrupt(flags byte) {
	c.lora[regIrqFlags] |= flags &^ c.lora[regIrqFlagsMask]
}

const dioCount = 6

// dio is an output of the chip and the line that it drives.
type dio struct {
	line    *DIO
	high    bool // level of the line
	stuck   bool
	stuckAt bool
	losing  int // rising edges to lose; negative: all
	edges   chan time.Time
	changed chan struct{}
}

// edgeQueue is how many edges wait for a reader.
const edgeQueue = 16

func (d *dio) init(c *Chip, n int) {
	d.line = &DIO{c, n}
	d.edges = make(chan time.Time, edgeQueue)
	d.changed = make(chan struct{}, 1)
}

// Signals that are no interrupt flags, in dioSources.
const (
	sourceNone = -iota
	sourcePllLock
	sourceModeReady
)

// dioSources is what each DIO shows, by its two bits of mapping (data sheet, table 18).
var dioSources = [dioCount][4]int{
	{irqRxDone, irqTxDone, irqCadDone, sourceNone},
	{irqRxTimeout, irqFhssChange, irqCadDetected, sourceNone},
	{irqFhssChange, irqFhssChange, irqFhssChange, sourceNone},
	{irqCadDone, irqValidHeader, irqPayloadCrcError, sourceNone},
	{irqCadDetected, sourcePllLock, sourcePllLock, sourceNone},
	{sourceModeReady, sourceNone, sourceNone, sourceNone},
}

// output returns the level of a DIO of the chip.
func (c *Chip) output(n int) bool {
	if !c.isLoRa() || c.inReset {
		return false
	}
	mapping := uint16(c.common[regDioMapping1])<<8 | uint16(c.common[regDioMapping2])
	switch source := dioSources[n][mapping>>(14-2*n)&0x03]; source {
	case sourceNone:
		return false
	case sourcePllLock:
		return c.synthesizing()
	case sourceModeReady:
		return c.mode() != sleep && !c.stopped && !c.now.Before(c.settledAt)
	default:
		return c.lora[regIrqFlags]&byte(source) != 0
	}
}

// updateDIO makes the lines follow the chip.
func (c *Chip) updateDIO(at time.Time) {
	for n := range c.dio {
		d := &c.dio[n]
		high := c.output(n)
		if d.stuck {
			high = d.stuckAt
		}
		if high == d.high {
			continue
		}
		d.high = high
		if d.losing != 0 {
			if high && d.losing > 0 {
				d.losing--
			}
			continue
		}
		select {
		case d.changed <- struct{}{}:
		default:
		}
		if !high {
			continue
		}
		select {
		case d.edges <- at:
		default:
		}
	}
}
