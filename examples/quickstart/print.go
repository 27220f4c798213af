package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopymesh/pymesh"
)

// silence is after how long without a line one tells that the program is alive.
const silence = 2 * time.Second

// printer writes the program's output. Its methods may be called by several goroutines.
type printer struct {
	clock func() time.Duration

	mu      sync.Mutex
	w       io.Writer
	last    time.Time // by the wall clock
	waiting string
}

func newPrinter(w io.Writer) *printer { return &printer{w: w, last: time.Now()} }

func (p *printer) printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = time.Now()
	fmt.Fprintf(p.w, format, args...)
}

func (p *printer) title(text string) {
	p.printf("\n%s\n%s\n\n", text, strings.Repeat("─", len([]rune(text))))
}

func (p *printer) linef(format string, args ...any) { p.printf("  "+format+"\n", args...) }

// event tells what happened to whom.
func (p *printer) event(at time.Duration, who, what string) {
	p.printf("  %s  %-4s  %s\n", clockTime(at), who, what)
}

// datagram tells what datagram went from or to whom.
func (p *printer) datagram(at time.Duration, who, does string, payload []byte, where string, peer netip.AddrPort) {
	p.event(at, who, fmt.Sprintf("%-8s  %-22q  %-4s  %v", does, payload, where, peer))
}

// waitFor says what the program waits for from now on.
func (p *printer) waitFor(what string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting = what
}

// keepAlive tells what the program waits for whenever there was nothing else to tell for a while, until stop is called.
func (p *printer) keepAlive(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ticker := time.NewTicker(silence / 8)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer ticker.Stop()
		quiet := silence
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			p.mu.Lock()
			if since := time.Since(p.last); since < silence {
				quiet = silence
			} else if since >= quiet {
				fmt.Fprintf(p.w, "  %s  …     %s\n", clockTime(p.clock()), p.waiting)
				quiet *= 2
			}
			p.mu.Unlock()
		}
	})
	return func() {
		cancel()
		wg.Wait()
	}
}

// clockTime formats minutes and seconds.
func clockTime(d time.Duration) string {
	d = d.Round(100 * time.Millisecond)
	return fmt.Sprintf("%3d:%04.1f", int(d.Minutes()), (d % time.Minute).Seconds())
}

// introduce tells what is about to be seen.
func (d *demo) introduce() {
	d.out.printf("\n%s\n", d.picture())
	cfg := d.members[0].radio.Config()
	d.out.linef("%d nodes along a valley that bends at each of them, %g km from one to the next, with LoRa radios", d.nodes,
		spacing/1000.0)
	d.out.linef("at %v, %v, %v, %d dBm. Neighbors hear each other at %.0f dBm.", cfg.Frequency, cfg.Bandwidth, cfg.SpreadingFactor,
		cfg.TxPower, d.air.RSSI(d.members[0].radio, d.members[1].radio))
	if d.nodes > 2 {
		d.out.linef("Beyond the next one only %.0f dBm would arrive, where a receiver needs %.0f: packets have to be", d.loudestBeyond(),
			cfg.Sensitivity())
		d.out.linef("passed on.")
	}
	d.out.linef("The air is simulated, the nodes are real. Times are the air's, in minutes and seconds%s.", d.haste())
}

// loudestBeyond is the strongest signal, in dBm, between two nodes that are not neighbors.
func (d *demo) loudestBeyond() float64 {
	loudest := math.Inf(-1)
	for i, a := range d.members {
		for _, b := range d.members[min(i+2, d.nodes):] {
			loudest = max(loudest, d.air.RSSI(a.radio, b.radio))
		}
	}
	return loudest
}

func (d *demo) haste() string {
	if d.speed == 1 {
		return ""
	}
	return fmt.Sprintf(", %g times as\n  fast as yours", d.speed)
}

// picture draws the valley.
func (d *demo) picture() string {
	const width, indent = 4, 4 // columns from node to node, and before the first
	var rows [3][]rune
	for i := range rows {
		rows[i] = []rune(strings.Repeat(" ", indent+width*d.nodes))
	}
	for i, m := range d.members {
		column, up := indent+width*i, i%2 == 1
		rows[2][column] = []rune(m.name)[0]
		leg := '╱'
		if up {
			rows[0][column], rows[2][column] = rows[2][column], ' '
			leg = '╲'
		}
		if i < d.nodes-1 {
			rows[1][column+width/2] = leg
		}
	}
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(strings.TrimRight(string(row), " ") + "\n")
	}
	return b.String()
}

// showEvent tells of changes of role and of new links.
func (d *demo) showEvent(e memberEvent) {
	at, n := e.Time.Sub(d.begin), e.of.node
	switch {
	case e.Type == pymesh.EventNeighborAdded && e.State == pymesh.StateRouter && n.State() >= pymesh.StateRouter:
		d.showLink(at, e.of, d.byMAC(e.MAC))
	case e.Type == pymesh.EventNeighborRemoved && e.State == pymesh.StateRouter:
		if peer := d.byMAC(e.MAC); peer != nil {
			d.out.event(at, e.of.name, "loses its link to router "+peer.name)
			delete(d.linked, linkOf(e.of, peer))
		}
	case e.Type != pymesh.EventState:
	case e.State == pymesh.StateDetached && e.of.attached:
		d.out.event(at, e.of.name, "has lost its place and looks for a mesh again")
	case e.State < pymesh.StateChild:
	case e.State == pymesh.StateLeader:
		leader, _ := n.Leader()
		d.out.event(at, e.of.name, fmt.Sprintf("hears nobody and founds a mesh: leader, RLOC16 %v, partition %d",
			n.RLOC16(), leader.PartitionID))
		e.of.attached = true
	case e.State == pymesh.StateChild:
		parent := "?"
		for _, nb := range n.Neighbors() {
			parent = d.nameOf(nb.RLOC16)
		}
		d.out.event(at, e.of.name, fmt.Sprintf("becomes a child of %s, RLOC16 %v", parent, n.RLOC16()))
		e.of.attached = true
	default:
		d.out.event(at, e.of.name, fmt.Sprintf("becomes a router, RLOC16 %v", n.RLOC16()))
	}
}

// showLink tells of a link once both ends know of it.
func (d *demo) showLink(at time.Duration, a, b *member) {
	if b == nil {
		return
	}
	if l := linkOf(a, b); d.linked[l] {
		d.out.event(at, l.a.name+", "+l.b.name, "have a link from router to router")
	} else {
		d.linked[l] = true
	}
}

// showTables tells what each node knows.
func (d *demo) showTables(context.Context) error {
	d.out.title("What each node knows")
	for i, m := range d.members {
		if i > 0 {
			d.out.printf("\n")
		}
		d.showNode(m)
	}
	return nil
}

func (d *demo) showNode(m *member) {
	n := m.node
	leader, _ := n.Leader()
	d.out.linef("%s  %v, RLOC16 %v, MAC %v; the leader is %s, of partition %d", m.name, n.State(), n.RLOC16(), n.MAC(),
		d.nameOf(leader.RLOC16), leader.PartitionID)
	label := "addresses"
	for _, a := range n.IPAddrs() {
		d.out.linef("   %-10s %-39v  %s", label, a, addressKind(n, a))
		label = ""
	}
	label = "neighbors"
	neighbors := n.Neighbors()
	slices.SortFunc(neighbors, func(a, b pymesh.Neighbor) int { return cmp.Compare(d.nameOf(a.RLOC16), d.nameOf(b.RLOC16)) })
	for _, nb := range neighbors {
		d.out.linef("   %-10s %s  %v  MAC %v  %-6v  %4d dBm  heard %s ago", label, d.nameOf(nb.RLOC16), nb.RLOC16, nb.MAC,
			nb.Role, nb.RSSI, seconds(nb.Age))
		label = ""
	}
	label = "routers"
	routers := n.Routers()
	slices.SortFunc(routers, func(a, b pymesh.Router) int { return cmp.Compare(d.nameOf(a.RLOC16), d.nameOf(b.RLOC16)) })
	for _, r := range routers {
		way := "direct"
		switch {
		case r.RLOC16 == n.RLOC16():
			way = "this node"
		case r.NextHop != r.RLOC16:
			way = "by way of " + d.nameOf(r.NextHop)
		}
		d.out.linef("   %-10s %s  %v  ID %2d  path cost %2d  %s", label, d.nameOf(r.RLOC16), r.RLOC16, r.ID, r.PathCost, way)
		label = ""
	}
}

func (d *demo) nameOf(rloc pymesh.RLOC16) string {
	if m := d.byRLOC16(rloc); m != nil {
		return m.name
	}
	return "?"
}

func addressKind(n *pymesh.Node, a netip.Addr) string {
	leaderALOC := netip.MustParseAddr("fdde:ad00:beef::ff:fe00:fc00")
	switch {
	case a == leaderALOC:
		return "the leader, whoever it is"
	case a == n.MeshLocalEID():
		return "mesh-local EID: use this one, it stays"
	case a.IsLinkLocalUnicast():
		return "link-local: for neighbors"
	}
	return "RLOC: changes with the place in the mesh"
}

// wayText names the nodes that a packet passes.
func (d *demo) wayText(from, to *member) string {
	way := d.path(from, to)
	if way == nil {
		return "way not known"
	}
	names := make([]string, len(way))
	for i, m := range way {
		names[i] = m.name
	}
	return strings.Join(names, " → ") + ", " + plural(len(way)-1, "hop")
}

// sumUp tells what the air went through.
func (d *demo) sumUp() {
	stats, took := d.air.Stats(), d.now()
	d.out.title("The air")
	d.out.linef("%d packets were sent in %s, with %.1f s of airtime: each node took %.1f %% of the time on average.", stats.Sent,
		strings.TrimSpace(clockTime(took)), stats.Airtime.Seconds(), 100*stats.Airtime.Seconds()/took.Seconds()/float64(d.nodes))
	d.out.linef("The channel was found busy %d times; %d packets collided at a receiver, %d met one that was sending.", stats.Busy,
		stats.Collided, stats.HalfDuplex)
	if d.file != "" {
		d.out.linef("All of them are in %s. To read it:\n\n      go run ./examples/sniff -key %s %s", d.file, key.Hex(), d.file)
	}
	d.out.printf("\n")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func ordinal(n int) string {
	suffix := "th"
	switch n {
	case 1:
		suffix = "st"
	case 2:
		suffix = "nd"
	case 3:
		suffix = "rd"
	}
	return fmt.Sprintf("%d%s", n, suffix)
}
