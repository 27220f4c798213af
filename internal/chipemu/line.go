package chipemu

import "time"

// line is an output of the chip and the line that it drives.
type line struct {
	high    bool // level of the line
	stuck   bool
	stuckAt bool
	losing  int // rising edges to lose; negative: all
	edges   chan time.Time
	changed chan struct{}
}

// edgeQueue is how many edges wait for a reader.
const edgeQueue = 16

func (l *line) init() {
	l.edges = make(chan time.Time, edgeQueue)
	l.changed = make(chan struct{}, 1)
}

// updateLines makes the lines follow the chip.
func (c *Core) updateLines(at time.Time) {
	for n := range c.lines {
		l := &c.lines[n]
		high := c.front.Level(n)
		if l.stuck {
			high = l.stuckAt
		}
		if high == l.high {
			continue
		}
		l.high = high
		if l.losing != 0 {
			if high && l.losing > 0 {
				l.losing--
			}
			continue
		}
		select {
		case l.changed <- struct{}{}:
		default:
		}
		if !high {
			continue
		}
		select {
		case l.edges <- at:
		default:
		}
	}
}

// LineLevel returns the level of a line.
func (c *Core) LineLevel(n int) bool {
	c.Lock()
	defer c.Unlock()
	c.updateLines(c.Now)
	return c.lines[n].high
}

// LineEdges returns the channel on which the times of rising edges are sent. Its queue is as
// long as Linux', and edges for which there is no room are dropped.
func (c *Core) LineEdges(n int) <-chan time.Time {
	c.watch()
	return c.lines[n].edges
}

// LineChanged returns a channel that holds a value when the level has changed since the last
// value was taken, for a front end that drives a real line: take a value, then read the
// level.
func (c *Core) LineChanged(n int) <-chan struct{} {
	c.watch()
	return c.lines[n].changed
}

// watch makes the lines change when the chip does, and not only when somebody looks.
func (c *Core) watch() {
	c.watched.Store(true)
	c.poll()
}

// LoseLineEdges loses the next n rising edges of a line, and the falling ones between: the level
// changes, but nobody who waits for an edge is told. With a negative n all edges are lost
// until the next call.
func (c *Core) LoseLineEdges(line, n int) {
	c.Lock()
	defer c.Unlock()
	c.lines[line].losing = n
}

// StickLine holds a line at a level, and FreeLine ends that.
func (c *Core) StickLine(line int, high bool) {
	c.Lock()
	defer c.Unlock()
	c.lines[line].stuck, c.lines[line].stuckAt = true, high
}

// FreeLine ends StickLine.
func (c *Core) FreeLine(line int) {
	c.Lock()
	defer c.Unlock()
	c.lines[line].stuck = false
}
