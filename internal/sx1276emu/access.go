package sx1276emu

// transaction is what goes on while the chip is selected.
type transaction struct {
	begun bool // the address has come
	write bool
	addr  byte
	deaf  bool // the chip does not take part
}

// exchange takes a byte from the host and returns the chip's.
func (c *Chip) exchange(in byte) (out byte) {
	t := &c.txn
	if !t.begun {
		t.begun = true
		t.write, t.addr = in&writeBit != 0, in&addressMask
		if c.inReset || c.Now.Before(c.readyAt) {
			t.deaf = true
			c.Violate(NotReady, "%s", c.variant.bank.registerName(t.addr, c.fskPage()))
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
		c.Violate(FSKModem, "FIFO access with RegOpMode 0x%02X", c.common[regOpMode])
		return 0
	case c.mode() == sleep:
		c.Violate(FIFOAsleep, "with RegOpMode 0x%02X", c.common[regOpMode])
		return 0
	case c.Now.Before(c.oscillatorAt):
		c.Violate(FIFOAsleep, "%v after it, the oscillator needs %v",
			oscillatorTime-c.oscillatorAt.Sub(c.Now), oscillatorTime)
		return 0
	case c.transmitting() || write && c.hearing():
		c.Violate(FIFOBusy, "with RegOpMode 0x%02X", c.common[regOpMode])
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
	case addr == regVersion && c.otherModel != 0:
		return c.otherModel
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
		return byte(c.Rand.Uint32())
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
	case addr == regFskIrqFlags1 && (c.stopped || c.Now.Before(c.settledAt)):
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
		c.Violate(ReservedWritten, "0x%02X to 0x%02X", v, addr)
	case r.access&readOnly != 0:
		c.Violate(ReadOnlyWritten, "0x%02X to %s", v, r.name)
		return
	case c.transmitting() && r.access&transmitting == 0:
		c.Violate(ConfigTransmitting, "0x%02X to %s", v, r.name)
	case c.hearing() && r.access&receiving == 0:
		c.Violate(ConfigReceiving, "0x%02X to %s", v, r.name)
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
