package thread_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A transcript writes down what a mesh does, in the order of time:
//
//	# A line about what the test does.
//	   12.345  1 > 2    what node 1 sent to node 2 or to all, when it began to send
//	   12.345  1        * what has changed at node 1
//
// Times are in seconds since the mesh began. EID2 is the mesh-local EID of node 2. Acknowledgements are left out: a frame that
// got none is sent again. So are Advertisements that say what the last one of the node said; they are counted. What changed is
// found by comparing what the engines tell of themselves before and after each event of the air.
type transcript struct {
	*meshtest.Mesh
	t         *testing.T
	began     time.Time
	lines     strings.Builder
	muted     bool
	capture   bytes.Buffer
	reader    *pcap.Reader
	dissector *dissect.Dissector
	seen      []state // of each node, when it was last looked at
	adverts   []advert
}

// An advert is what the last Advertisement of a node said, and how many since have said no more.
type advert struct {
	summary string
	repeats int
}

// newTranscript returns a transcript of a mesh on the air opt; build puts nodes on it.
func newTranscript(t *testing.T, opt lorasim.Options, build func(opt lorasim.Options) *meshtest.Mesh) *transcript {
	tr := &transcript{t: t, dissector: dissect.New(meshtest.NetworkKey)}
	opt.Capture = &tr.capture
	tr.Mesh = build(opt)
	tr.Watch = tr.look
	tr.began = tr.Sim.Now()
	for _, n := range tr.Nodes {
		tr.seen, tr.adverts = append(tr.seen, tr.stateOf(n)), append(tr.adverts, advert{})
	}
	return tr
}

// say writes a line about what the test does next.
func (tr *transcript) say(format string, args ...any) {
	tr.look()
	tr.count()
	fmt.Fprintf(&tr.lines, "\n# %s\n", fmt.Sprintf(format, args...))
}

// count writes how many Advertisements have been left out since the last count.
func (tr *transcript) count() {
	var counts []string
	for i := range tr.adverts {
		if n := tr.adverts[i].repeats; n > 0 {
			counts = append(counts, fmt.Sprintf("%d of node %d", n, i+1))
		}
		tr.adverts[i].repeats = 0
	}
	if len(counts) > 0 && !tr.muted {
		fmt.Fprintf(&tr.lines, "%9s  Advertisements without news: %s\n", "", strings.Join(counts, ", "))
	}
}

// skip lets do happen unwritten, and writes how the nodes that take part are after it.
func (tr *transcript) skip(do func()) {
	tr.muted = true
	do()
	tr.look()
	tr.count()
	tr.muted = false
	for i, n := range tr.Nodes {
		if n.Role() == thread.RoleDisabled {
			continue
		}
		for _, line := range tr.seen[i].since(nil) {
			tr.write(tr.Sim.Now(), i, line)
		}
	}
}

// write adds a line about a node.
func (tr *transcript) write(at time.Time, node int, what string) {
	if !tr.muted {
		fmt.Fprintf(&tr.lines, "%9.3f  %d %s\n", at.Sub(tr.began).Seconds(), node+1, what)
	}
}

// look writes what has been sent and what has changed since the last look.
func (tr *transcript) look() {
	for tr.capture.Len() > 0 {
		if tr.reader == nil {
			tr.reader = must(pcap.NewReader(&tr.capture))
		}
		rec, err := tr.reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			tr.t.Fatal(err)
		}
		tr.sent(rec)
	}
	for i, n := range tr.Nodes {
		now := tr.stateOf(n)
		for _, line := range now.since(tr.seen[i]) {
			tr.write(tr.Sim.Now(), i, line)
		}
		tr.seen[i] = now
	}
}

// sent writes what a packet says.
func (tr *transcript) sent(rec pcap.Record) {
	f := tr.dissector.Dissect(rec.Time, slices.Clone(rec.Data))
	if f.MAC.Type == ieee802154.Ack {
		return
	}
	from := tr.index(f.MAC.Sender)
	if f.MAC.Src.Mode == ieee802154.AddrModeExt {
		from = tr.index(f.MAC.Src.Ext)
	}
	if from < 0 {
		tr.t.Fatalf("%v: a packet of nobody: %s", rec.Time, f.Summary())
	}
	summary := f.Summary()
	if f.MLE != nil && f.MLE.Command == mle.Advertisement {
		if a := &tr.adverts[from]; a.summary == summary {
			a.repeats++
			return
		}
		tr.adverts[from].summary = summary
	}
	if f.MAC.Repeat {
		summary = f.Protocol() + ", sent again"
	}
	for i, n := range tr.Nodes {
		summary = strings.ReplaceAll(summary, "ml:"+ip6.InterfaceIDOf(n.MeshLocalEID()).String(), fmt.Sprintf("EID%d", i+1))
		summary = strings.ReplaceAll(summary, n.ExtAddr().String(), fmt.Sprintf("node %d", i+1))
	}
	tr.write(rec.Time, from, fmt.Sprintf("> %-4s %s", tr.nameOf(f.MAC.Dst), summary))
}

// index returns which node has an address, or -1.
func (tr *transcript) index(ext ieee802154.ExtAddr) int {
	return slices.IndexFunc(tr.Nodes, func(n *meshtest.Node) bool { return n.ExtAddr() == ext })
}

// nameOf returns the number of the node that has an address now, or what is known of it.
func (tr *transcript) nameOf(a ieee802154.Addr) string {
	i := -1
	switch {
	case a.IsBroadcast():
		return "all"
	case a.Mode == ieee802154.AddrModeExt:
		i = tr.index(a.Ext)
	default:
		i = slices.IndexFunc(tr.Nodes, func(n *meshtest.Node) bool { return n.RLOC16() == mle.RLOC16(a.Short) })
	}
	if i < 0 {
		return a.String()
	}
	return fmt.Sprint(i + 1)
}

// A state is what is known of a node, in words.
type state []fact

// A fact has a key that tells it from others of its node, and says what is, and what it is to have no such fact any more: nothing
// for the facts that each attached node has, which come first.
type fact struct{ key, is, gone string }

func (tr *transcript) stateOf(n *meshtest.Node) state {
	var s state
	add := func(key, is, gone string) { s = append(s, fact{key, is, gone}) }
	role := n.Role().String()
	if n.RLOC16().Valid() {
		role += " " + n.RLOC16().String()
	}
	add("role", role, "")
	if l, ok := n.Leader(); ok {
		add("partition", fmt.Sprintf("partition %08x, led by router %d", l.PartitionID, l.LeaderRouterID), "")
	}
	if seq := n.Console().Keys.Sequence(); seq > 0 {
		add("key", fmt.Sprintf("key sequence %d", seq), "")
	}
	var ids []string
	for _, r := range n.Routers() {
		ids = append(ids, fmt.Sprint(r.ID))
	}
	if len(ids) > 0 {
		add("routers", "routers "+strings.Join(ids, " "), "")
	}
	for _, o := range n.Neighbors() {
		what := fmt.Sprintf("%s %s", kindOf(n, o), tr.nameOf(ieee802154.ExtAddress(o.ExtAddr)))
		is := fmt.Sprintf("%s: %v, quality %d in", what, o.RLOC16, o.LinkQualityIn)
		if o.Role != thread.RoleChild {
			is += fmt.Sprintf(", %d out", o.LinkQualityOut)
		}
		add(what, is, "no "+what)
	}
	for _, r := range n.Routers() {
		if r.NextHop.Valid() && r.NextHop != r.ID {
			what := fmt.Sprintf("route to router %d", r.ID)
			add(what, fmt.Sprintf("%s by router %d, from there at cost %d", what, r.NextHop, r.PathCost), "no "+what)
		}
	}
	return s
}

// kindOf says what a neighbor is to a node.
func kindOf(n *meshtest.Node, o thread.NeighborInfo) string {
	switch {
	case o.Role == thread.RoleChild:
		return "child"
	case n.Role() == thread.RoleChild:
		return "parent"
	default:
		return "link to"
	}
}

// change goes in front of what is and is not, under what is sent.
const change = "       * "

// since returns, in lines, what has changed since before.
func (s state) since(before state) []string {
	var general, gone, particular []string
	for _, f := range s {
		switch {
		case slices.Contains(before, f):
		case f.gone == "":
			general = append(general, change+f.is)
		default:
			particular = append(particular, change+f.is)
		}
	}
	for _, f := range before {
		if f.gone != "" && !slices.ContainsFunc(s, func(g fact) bool { return g.key == f.key }) {
			gone = append(gone, change+f.gone)
		}
	}
	return slices.Concat(general, gone, particular)
}

// Steps of scenarios. Nodes have their numbers, from 1.

func (tr *transcript) start(i int, then time.Duration) {
	tr.say("%d starts.", i)
	tr.Nodes[i-1].Start()
	tr.Run(then)
}

func (tr *transcript) restart(i int, then time.Duration) {
	tr.say("%d restarts.", i)
	tr.Nodes[i-1].Restart()
	tr.Run(then)
}

// ping waits a moment longer than for the reply, for what follows it.
func (tr *transcript) ping(from, to, size int) {
	tr.say("%d pings %d with %d bytes.", from, to, size)
	if _, ok := tr.Nodes[from-1].Ping(tr.Nodes[to-1].MeshLocalEID(), size, 10*time.Second); !ok {
		tr.say("No reply.")
	}
	tr.Run(time.Second)
}

func (tr *transcript) keySequence(i int, seq keys.Sequence) {
	n := tr.Nodes[i-1]
	if err := n.Console().SetKeySequence(tr.Sim.Now(), seq); err != nil {
		tr.t.Fatal(err)
	}
	n.Antenna.Touch()
}

// text returns all that was written.
func (tr *transcript) text(about string) string {
	tr.look()
	tr.count()
	return "# " + about + "\n" + tr.lines.String()
}

// firstDifference shows where two transcripts part, with some lines before.
func firstDifference(want, got string) string {
	const before = 3
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(w) && i < len(g) && w[i] == g[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return lines[i]
		}
		return "(the end)"
	}
	return fmt.Sprintf("line %d:\n  %s\n- %s\n+ %s", i+1, strings.Join(w[max(0, i-before):min(i, len(w))], "\n  "), line(w), line(g))
}
