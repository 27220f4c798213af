package fields

import (
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/internal/otsim/program"
	"github.com/gopymesh/pymesh/internal/otsim/wire"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
)

// guest is a node of another kind: a program that speaks the wire of OpenThread's simulation.
type guest struct {
	*program.Guest
	node *node
	path string

	address netip.Addr
	modern  bool // its command line is that of today
	pending []pending
}

// pending is an echo request that was not answered yet.
type pending struct {
	to     netip.Addr
	number uint16
	at     time.Time
}

// lookEvery is how often a guest is asked what has become of it.
const lookEvery = 5 * time.Second

func (g *guest) start(now time.Time) error {
	h, err := g.node.net.host(g.node.index)
	if err != nil {
		return err
	}
	if g.Guest, err = h.Guest(g.path, g.node.index%wire.MaxNodeID+1, now); err != nil {
		return err
	}
	g.Heard = g.read
	if err := g.configure(now); err != nil {
		return err
	}
	g.node.SetStation(g.Guest)
	g.node.net.After(lookEvery, g.look)
	return nil
}

// configure gives the program the network and its address, and starts it.
func (g *guest) configure(now time.Time) error {
	key := hex.EncodeToString(meshtest.NetworkKey[:])
	first := []string{"masterkey " + key, "panid 0x1234"}
	if _, err := g.Order(now, first[0]); err != nil {
		if _, own := err.(*program.CommandError); !own {
			return err
		}
		g.modern = true
		first = []string{
			"dataset clear", "dataset networkkey " + key, "dataset panid 0x1234", "dataset channel 11", "dataset extpanid dead00beef00cafe",
			"dataset networkname OpenThread", "dataset meshlocalprefix fdde:ad00:beef::", "dataset activetimestamp 1", "dataset commit active",
		}
	}
	own := meshtest.ExtAddr(g.node.index + 1)
	commands := append(first, "extaddr "+hex.EncodeToString(own[:]))
	commands = append(commands, g.strengths()...)
	for _, c := range append(commands, "ifconfig up", "thread start") {
		if _, err := g.Order(now, c); err != nil {
			return err
		}
	}
	return nil
}

// The wire knows no strength of signals: for a program all arrive with -20 dBm, at a receiver whose sensitivity is -100 dBm. A board of
// Pycom takes -128 dBm for its sensitivity. Links with less than this margin there are fixed with the program's own means.
const (
	boardSensitivity   = -128
	programSensitivity = -100
	plentyOfMargin     = 30 // dB; links are best from 20 dB on
	mostStrengths      = 32
)

// strengths are the commands that tell the program of weak neighbors.
func (g *guest) strengths() (commands []string) {
	for _, other := range g.node.net.nodes {
		rssi := g.node.net.RSSI(other.Node, g.node.Node)
		if other == g.node || math.IsInf(rssi, 0) || rssi-boardSensitivity >= plentyOfMargin || len(commands) == mostStrengths {
			continue
		}
		ext := meshtest.ExtAddr(other.index + 1)
		margin := max(int(math.Round(rssi))-boardSensitivity, 0)
		commands = append(commands, fmt.Sprintf("macfilter rss add %s %d", hex.EncodeToString(ext[:]), programSensitivity+margin))
	}
	return commands
}

// look asks the program what has become of it.
func (g *guest) look() {
	n := g.node.net
	s := standing{role: thread.RoleDisabled}
	if answer, err := g.Order(n.Now(), "state"); err == nil && len(answer) > 0 {
		s.role = roleNamed(answer[len(answer)-1])
	}
	if s.role >= thread.RoleChild {
		answer, err := g.Order(n.Now(), "leaderdata")
		if id, ok := partitionIn(answer); ok && err == nil {
			s.attached, s.partition = true, id
		}
	}
	n.note(g.node, s)
	g.node.Touch()
	n.fail(g.node, g.Err())
	n.After(lookEvery, g.look)
}

func roleNamed(name string) thread.Role {
	for r := thread.RoleDisabled; r <= thread.RoleLeader; r++ {
		if r.String() == name {
			return r
		}
	}
	return thread.RoleDisabled
}

// partitionIn finds the partition in an answer to leaderdata.
func partitionIn(answer []string) (uint32, bool) {
	for _, line := range answer {
		if v, ok := strings.CutPrefix(line, "Partition ID: "); ok {
			id, err := strconv.ParseUint(v, 10, 32)
			return uint32(id), err == nil
		}
	}
	return 0, false
}

func (g *guest) eid() netip.Addr {
	if g.address.IsValid() || g.Guest == nil {
		return g.address
	}
	answer, _ := g.Order(g.node.net.Now(), "ipaddr")
	g.node.Touch()
	for _, line := range answer {
		a, err := netip.ParseAddr(strings.TrimSpace(line))
		locator := strings.Contains(line, ":0:ff:fe00:")
		if err == nil && thread.DefaultMeshLocalPrefix.Contains(a) && !locator {
			g.address = a
		}
	}
	return g.address
}

func (g *guest) refused() uint64 { return 0 }

func (g *guest) ask(now time.Time, to netip.Addr, number uint16, size int) error {
	if g.Guest == nil || !to.IsValid() {
		return nil
	}
	command := fmt.Sprintf("ping %s %d", to.StringExpanded(), size)
	if g.modern {
		command = fmt.Sprintf("ping async %s %d 1 1 64 19", to.StringExpanded(), size)
	}
	g.forget(now)
	if len(g.pending) == 0 {
		g.Lines() // nobody will ask for them
	}
	g.pending = append(g.pending, pending{to, number, now})
	return g.Begin(now, command)
}

// forget drops the requests whose answers would not count any more: an answer to a later one would be taken for theirs.
func (g *guest) forget(now time.Time) {
	limit := g.node.net.trial.Traffic.limit()
	g.pending = slices.DeleteFunc(g.pending, func(p pending) bool { return now.Sub(p.at) > limit })
}

// read looks for answers to echo requests in what the program has printed.
func (g *guest) read() {
	g.forget(g.node.net.Now())
	if len(g.pending) == 0 {
		return
	}
	for _, line := range g.Lines() {
		from, ok := repliesFrom(line)
		if !ok {
			continue
		}
		for i, p := range g.pending {
			if p.to == from {
				g.pending = append(g.pending[:i], g.pending[i+1:]...)
				g.node.net.answered(g.node.index, p.number)
				break
			}
		}
	}
}

// repliesFrom returns the address in a line like "24 bytes from fdde:…: icmp_seq=1 hlim=64 time=8ms".
func repliesFrom(line string) (netip.Addr, bool) {
	_, rest, ok := strings.Cut(line, " bytes from ")
	if !ok {
		return netip.Addr{}, false
	}
	text, _, ok := strings.Cut(rest, ": icmp_seq=")
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	return a, err == nil
}
