package sx1276emu

// BrownOut resets all registers, as a dip of the supply does: the chip is in FSK standby at
// 434 MHz, and nobody is told.
func (c *Chip) BrownOut() {
	c.Lock()
	defer c.Unlock()
	c.reset()
}

// LoseEdges loses the next n rising edges of a DIO, and the falling ones between: the level
// changes, but nobody who waits for an edge is told. With a negative n all edges are lost
// until the next call.
func (c *Chip) LoseEdges(dio, n int) {
	c.LoseLineEdges(dio, n)
}

// StickDIO holds the line of a DIO at a level.
func (c *Chip) StickDIO(dio int, high bool) {
	c.StickLine(dio, high)
}

// FreeDIO ends StickDIO.
func (c *Chip) FreeDIO(dio int) {
	c.FreeLine(dio)
}

// SetVersion makes RegVersion read as another value; 0 gives the chip its own back.
func (c *Chip) SetVersion(v byte) {
	c.Lock()
	defer c.Unlock()
	c.otherModel = v
}
