package sx1276emu

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
		return c.mode() != sleep && !c.stopped && !c.Now.Before(c.settledAt)
	default:
		return c.lora[regIrqFlags]&byte(source) != 0
	}
}
