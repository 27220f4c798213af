package main

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// lanes draws the role of each node over time.
func lanes(title string, names []string, changes []change, total time.Duration) []byte {
	const left, top, lane, right, width = 74.0, 50.0, 34.0, 20.0, 860.0
	c := new(canvas)
	x := func(t time.Duration) float64 { return left + (width-left-right)*float64(t)/float64(total) }
	bottom := top + lane*float64(len(names))
	c.text(16, 26, "head", start, title)
	for t := time.Duration(0); t <= total; t += 30 * time.Second {
		c.line(x(t), top, x(t), bottom+4, "grid")
		c.text(x(t), bottom+20, "small", middle, fmt.Sprintf("%d:%02d", int(t.Minutes()), int(t.Seconds())%60))
	}
	for i, name := range names {
		y := top + lane*float64(i)
		c.text(left-14, y+lane/2+4, "head", end, name)
		var own []change
		for _, ch := range changes {
			if ch.node == i && ch.at < total {
				own = append(own, ch)
			}
		}
		for j, ch := range own {
			until := total
			if j+1 < len(own) {
				until = own[j+1].at
			}
			if ch.role == thread.RoleDisabled {
				continue // not yet switched on
			}
			c.rect(x(ch.at), y+5, max(1, x(until)-x(ch.at)-1.5), lane-10, fmt.Sprintf("c%d", roleColors[ch.role]))
			label := ch.role.String()
			if ch.role == thread.RoleDetached {
				label = "searching"
			}
			if 7.0*float64(len(label)) < x(until)-x(ch.at) {
				c.text(x(ch.at)+6, y+lane/2+4, "on", start, label)
			}
		}
	}
	c.text(16, bottom+44, "small", start, "Time since the first node was switched on, in minutes. Nodes stand in a row; each hears those next to it.")
	return c.picture(width, bottom+58, title)
}
