package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// row is one line of a ladder: a frame, or with from == to something that happens at a node.
type row struct {
	at       time.Duration
	from, to int
	label    string
	note     string // beside it, in plain words
	color    int
}

// Measures of a ladder.
const (
	timeWidth  = 74.0
	rowHeight  = 34.0
	headHeight = 66.0
	footHeight = 34.0
	side       = 96.0 // beside the first and the last column
)

// ladder draws what is said among nodes, from above to below.
func ladder(title string, names []string, column, notes float64, rows []row) []byte {
	c := new(canvas)
	x := func(i int) float64 { return timeWidth + side + column*float64(i) }
	width := x(len(names)-1) + side + notes
	height := headHeight + rowHeight*float64(len(rows)) + footHeight
	c.text(16, 26, "head", start, title)
	c.text(timeWidth-10, headHeight-6, "small", end, "seconds")
	for i, name := range names {
		c.line(x(i), headHeight+4, x(i), height-footHeight+6, "axis")
		c.text(x(i), headHeight-6, "head", middle, name)
	}
	for i, r := range rows {
		y := headHeight + rowHeight*(float64(i)+0.75)
		c.text(timeWidth-10, y+4, "small", end, fmt.Sprintf("%.1f", r.at.Seconds()))
		c.text(x(len(names)-1)+side+8, y+4, "small", start, r.note)
		switch {
		case r.from == r.to:
			w := 7.2*float64(len(r.label)) + 18
			c.rect(x(r.from)-w/2, y-11, w, 20, fmt.Sprintf("c%d", r.color))
			c.text(x(r.from), y+3.5, "on", middle, r.label)
		case r.to == all:
			for j := range names {
				if j == r.from-1 || j == r.from+1 {
					c.arrow(x(r.from), x(j), y+4, r.color, true)
				}
			}
			c.circle(x(r.from), y+4, 4, fmt.Sprintf("c%d", r.color))
			label := x(r.from) + column/2
			if r.from == len(names)-1 {
				label -= column
			}
			c.text(label, y-3, "", middle, r.label)
		default:
			c.arrow(x(r.from), x(r.to), y+4, r.color, false)
			c.text((x(r.from)+x(r.to))/2, y-3, "", middle, r.label)
		}
	}
	c.text(16, height-12, "small", start, "Dashed: to all who hear it. Acknowledgements are left out, as are Advertisements where they add nothing.")
	return c.picture(width, height, title)
}

// words says what frames are for, in plain words, by the beginning of their protocol. The first that fits counts.
var words = []struct {
	protocol, note string
	color          int
}{
	{"MLE Parent Request", "who takes me as a child?", blue},
	{"MLE Parent Response", "I do; so well do I hear you", blue},
	{"MLE Child ID Request", "then give me an address", blue},
	{"MLE Child ID Response", "here it is, with all the mesh knows", blue},
	{"MLE Child Update", "I have another address", blue},
	{"MLE Advertisement", "I am here; my ways to the others", violet},
	{"MLE Data Re", "network data: prefixes, border routers", violet},
	{"MLE Link Accept and Request", "yes; and how well am I heard?", violet},
	{"MLE Link Accept", "so well; I have counted from here", violet},
	{"MLE Link", "shall we be neighbors? how well am I heard?", violet},
	{"TMF a/as Address Solicit", "leader, may I be a router?", orange},
	{"TMF a/as 2.04", "yes, with this number", orange},
	{"TMF a/aq", "who has this address?", orange},
	{"TMF a/an Address Notify", "I do; I am at this place", orange},
	{"TMF a/an 2.04", "thanks", orange},
	{"TMF a/sd Server Data", "leader, I serve this prefix", orange},
	{"TMF a/sd 2.04", "all will hear of it", orange},
	{"UDP", "the datagram", green},
	{"fragment", "a part of what follows", gray},
}

// again is the note of a frame that is tried another time.
const again = "again: it was not acknowledged"

// rowsOf makes rows of frames. keep says which.
func (m *mesh) rowsOf(keep func(f frame) bool) (rows []row) {
	for _, f := range m.seen {
		if f.ack || f.to == nobody || !keep(f) {
			continue
		}
		r := row{at: f.at, from: f.from, to: f.to, label: strings.TrimPrefix(strings.TrimPrefix(f.protocol, "MLE "), "TMF "), color: gray}
		for _, w := range words {
			if strings.HasPrefix(f.protocol, w.protocol) {
				r.note, r.color = w.note, w.color
				break
			}
		}
		if f.repeat {
			r.note = again
		}
		rows = append(rows, r)
	}
	return rows
}

// change is another role of a node.
type change struct {
	at   time.Duration
	node int
	role thread.Role
	rloc uint16
}

// changes has the roles of all nodes noted from now on.
func (m *mesh) changes() *[]change {
	list := new([]change)
	last := make([]change, len(m.engines))
	var look func()
	look = func() {
		for i, e := range m.engines {
			c := change{m.elapsed(), i, e.Role(), uint16(e.RLOC16())}
			if c.role != last[i].role {
				*list = append(*list, c)
				last[i] = c
			}
		}
		m.sim.After(50*time.Millisecond, look)
	}
	look()
	return list
}

// merge puts what happens at nodes among the frames, in the order of time.
func merge(rows []row, more ...row) []row {
	rows = append(rows, more...)
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(a.at, b.at) })
	return rows
}

// roleColors are those of roles.
var roleColors = map[thread.Role]int{thread.RoleDetached: gray, thread.RoleChild: blue, thread.RoleRouter: green, thread.RoleLeader: orange}

func rowOf(c change) row {
	label := c.role.String()
	if c.role >= thread.RoleChild {
		label += fmt.Sprintf(" 0x%04x", c.rloc)
	}
	return row{at: c.at, from: c.node, to: c.node, label: label, color: roleColors[c.role]}
}
