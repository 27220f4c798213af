package sx1276emu

// transaction is what goes on while the chip is selected.
type transaction struct {
	begun bool // the address has come
	write bool
	addr  byte
	deaf  bool // the chip does not take part
}

// selectChip begins a transaction.
func (c *Chip) selectChip() {
	c.txn = transaction{}
	c.broken = 0
	c.stats.Transactions++
}

// deselect ends a transaction.
func (c *Chip) deselect() {
	c.txn = transaction{}
	c.broken = 0
}

// exchange takes a byte from the host and returns the chip's.
func (c *Chip) exchange(in byte) (out byte) {
	t := &c.txn
	c.stats.Bytes++
	if !t.begun {
		t.begun = true
		t.write, t.addr = in&writeBit != 0, in&addressMask
		if c.inReset || c.now.Before(c.readyAt) {
			t.deaf = true
			c.violate(NotReady, "%s", c.variant.bank.registerName(t.addr, c.fskPage()))
		}
		return 0
	}
	if t.deaf {
		return 0
	}
	if t.addr == regFifo {
		return c.accessFIFO(in, t.write)
	}
	out = c.read(t.addr, t.write)
	if t.write {
		c.write(t.addr, in)
	}
	t.addr = (t.addr + 1) & addressMask
	return out
}

// accessFIFO reads or writes a byte of the FIFO.
func (c *Chip) accessFIFO(in byte, write bool) (out byte) {
	switch {
	case !c.isLoRa():
		c.violate(FSKModem, "FIFO access with RegOpMode 0x%02X", c.common[regOpMode])
		return 0
	case c.mode() == sleep:
		c.violate(FIFOAsleep, "with RegOpMode 0x%02X", c.common[regOpMode])
		return 0
	case c.now.Before(c.oscillatorAt):
		c.violate(FIFOAsleep, "%v after it, the oscillator needs %v",
			oscillatorTime-c.oscillatorAt.Sub(c.now), oscillatorTime)
		return 0
	case c.transmitting() || write && c.hearing():
		c.violate(FIFOBusy, "with RegOpMode 0x%02X", c.common[regOpMode])
	}
	p := &c.lora[regFifoAddrPtr]
	out = c.fifo[*p]
	if write {
		c.fifo[*p] = in
	}
	*p++
	return out
}

// read returns the content of a register. For a byte that goes out during a write it
// breaks no rule.
func (c *Chip) read(addr byte, writing bool) byte {
	switch {
	case addr == regVersion && c.faults.version != 0:
		return c.faults.version
	case addr < pageBegin || addr > pageEnd:
		return c.common[addr]
	case c.fskPage():
		return c.readFSK(addr)
	}
	switch addr {
	case regModemStat:
		return c.modemStat()
	case regRssiValue:
		if writing {
			return 0
		}
		return c.strength()
	case regRssiWideband:
		return byte(c.rand.Uint32())
	default:
		return c.lora[addr]
	}
}

// readFSK returns the content of a register of the FSK page.
func (c *Chip) readFSK(addr byte) byte {
	const modeReady = 0x80
	switch v := c.fsk[addr]; {
	case addr == regFskImageCal && c.calibrating():
		return v | imageCalRunning
	case addr == regFskIrqFlags1 && (c.stopped || c.now.Before(c.settledAt)):
		return v &^ modeReady
	default:
		return v
	}
}

// write writes a register.
func (c *Chip) write(addr, v byte) {
	fsk := c.fskPage()
	r := c.variant.bank.lookup(addr, fsk)
	switch {
	case r.name == "":
		c.violate(ReservedWritten, "0x%02X to 0x%02X", v, addr)
	case r.access&readOnly != 0:
		c.violate(ReadOnlyWritten, "0x%02X to %s", v, r.name)
		return
	case c.transmitting() && r.access&transmitting == 0:
		c.violate(ConfigTransmitting, "0x%02X to %s", v, r.name)
	case c.hearing() && r.access&receiving == 0:
		c.violate(ConfigReceiving, "0x%02X to %s", v, r.name)
	}
	switch {
	case addr == regOpMode:
		c.writeOpMode(v)
	case addr == c.variant.tcxo:
		c.common[addr] = v
		c.writeTcxo(v)
	case addr < pageBegin || addr > pageEnd:
		c.common[addr] = v
	case fsk && addr == regFskImageCal:
		c.writeImageCal(v)
	case fsk:
		c.fsk[addr] = v
	case addr == regIrqFlags:
		c.lora[addr] &^= v
	default:
		c.lora[addr] = v
	}
}
