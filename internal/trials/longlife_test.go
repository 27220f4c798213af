package trials

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// What a mesh of 16 nodes has to show with a fault every 10 to 60 minutes and 10 % loss.
const (
	lossOnAir    = 0.10
	wholeAtLeast = 0.90 // of the time for which all nodes are there
	repliesLeast = 0.75 // of the pings between any two nodes that are there, most of which ask for the address first
	healAtMost   = time.Hour
)

// TestLongLife takes some seconds a day: it runs with PYMESH_LONGLIFE set to a number of days, such as 7.
func TestLongLife(t *testing.T) {
	days, err := strconv.Atoi(os.Getenv("PYMESH_LONGLIFE"))
	if err != nil || days <= 0 {
		t.Skip("PYMESH_LONGLIFE=7 runs it for 7 days")
	}
	span := time.Duration(days) * 24 * time.Hour
	c := &churning{r: rand.New(rand.NewPCG(1, 4)), key: meshtest.NetworkKey}
	for {
		c.Mesh = meshtest.Scatter(t, lorasim.Options{Seed: c.r.Uint64(), Loss: lossOnAir}, 16, func(cfg *thread.Config) {
			switch cfg.ExtAddr[7] % 4 {
			case 3:
				cfg.Mode = thread.ModeMinimalEndDevice
			case 0:
				cfg.EndDevice = true
			}
		})
		if c.possible() {
			break
		}
	}
	c.ledgers = make([]ledger, len(c.Nodes))
	c.listen()
	c.StartEach(time.Minute)
	c.Until(2*time.Hour, "one mesh", c.OneMesh)
	l := &life{churning: c, up: make([]bool, len(c.Nodes))}
	for i := range l.up {
		l.up[i] = true
	}
	l.live(t, span)
}

// life is a long one.
type life struct {
	*churning
	up             []bool // has power and an antenna
	faults         int
	whole, seconds int
	broken         time.Time // since when it is not one mesh, though all nodes are up
	longest        time.Duration
}

// faults are what befalls a mesh in the field, and goes away again.
var faults = []func(l *life, i int){
	func(l *life, i int) { l.Nodes[i].Restart() },
	func(l *life, i int) { wipe(l.Nodes[i]) },
	func(l *life, i int) {
		l.Nodes[i].PowerOff()
		l.away(i, l.Nodes[i].Restart)
	},
	func(l *life, i int) {
		l.Nodes[i].Antenna.SwitchOff()
		l.away(i, l.Nodes[i].Antenna.SwitchOn)
	},
	func(l *life, i int) {
		a, b := l.Nodes[i].Antenna, l.Nodes[l.r.IntN(len(l.Nodes))].Antenna
		if a != b {
			l.Sim.CutLink(a, b)
			l.Sim.After(l.pause(time.Minute, 30*time.Minute), func() { l.Sim.RestoreLink(a, b) })
		}
	},
}

// away is for a node that is gone for some minutes.
func (l *life) away(i int, back func()) {
	l.up[i] = false
	l.Sim.After(l.pause(time.Minute, 20*time.Minute), func() {
		back()
		l.up[i] = true
	})
}

func (l *life) live(t *testing.T, span time.Duration) {
	start := l.Sim.Now()
	fault := start.Add(l.pause(10*time.Minute, time.Hour))
	l.broken = start
	l.look()
	pings, replies, queued, coap := 0, 0, 0, 0
	for l.Sim.Now().Sub(start) < span {
		l.Run(2 * time.Minute)
		if i, n := l.any(); l.up[i] {
			k, o := l.any()
			if _, ok := ask(l.Mesh, n, o.MeshLocalEID(), uint16(pings), 30*time.Second); k != i && l.up[k] {
				pings++
				if ok {
					replies++
				}
			}
		}
		for _, n := range l.Nodes {
			q := n.Console().Queues()
			queued, coap = max(queued, q.Len()), max(coap, q.CoAP)
		}
		if l.Sim.Now().After(fault) {
			fault = l.Sim.Now().Add(l.pause(10*time.Minute, time.Hour))
			if i := l.r.IntN(len(l.Nodes)); l.up[i] {
				faults[l.r.IntN(len(faults))](l, i)
				l.faults++
			}
		}
	}
	l.Sim.Heal()
	l.Run(30 * time.Minute)
	for i, n := range l.Nodes {
		l.Sim.RunUntil(func() bool { return n.Role() >= thread.RoleChild }, time.Hour)
		if n.Role() < thread.RoleChild {
			t.Errorf("node %d is %v in the end", i+1, n.Role())
		}
	}
	whole := float64(l.whole) / float64(l.seconds)
	t.Logf("%v, %d faults: one mesh for %.1f %% of the time, healed within %v, %d of %d pings, at most %d datagrams and %d requests waiting",
		span, l.faults, 100*whole, l.longest.Round(time.Second), replies, pings, queued, coap)
	if whole < wholeAtLeast {
		t.Errorf("one mesh for %.1f %% of the time", 100*whole)
	}
	if got := float64(replies) / float64(pings); got < repliesLeast {
		t.Errorf("%.1f %% of the pings", 100*got)
	}
	if l.longest > healAtMost {
		t.Errorf("not one mesh for %v, though all nodes were up", l.longest)
	}
	for _, w := range l.calm() {
		t.Error(w)
	}
	if t.Failed() {
		t.Log(l.Mesh)
	}
}

// look asks each ten seconds whether all that are up are one mesh.
func (l *life) look() {
	now := l.Sim.Now()
	all := true
	for _, up := range l.up {
		all = all && up
	}
	if all {
		l.seconds++
		if l.OneMesh() {
			l.whole++
			l.broken = now
		}
		l.longest = max(l.longest, now.Sub(l.broken))
	} else {
		l.broken = now
	}
	l.Sim.After(10*time.Second, l.look)
}
