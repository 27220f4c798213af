package topology

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

var start = time.Unix(1000, 0)

// model is a mesh: the qualities of its links, quality[a][b] being that of frames from b at a, by router ID, and children.
type model struct {
	quality  map[mle.RouterID]map[mle.RouterID]uint8
	children map[mle.RouterID][]tmf.ChildEntry
	silent   map[mle.RLOC16]bool
	asked    []mle.RLOC16
}

// row is a mesh of routers that hear those next to them alone.
func row(ids ...mle.RouterID) *model {
	m := &model{quality: map[mle.RouterID]map[mle.RouterID]uint8{}, children: map[mle.RouterID][]tmf.ChildEntry{}, silent: map[mle.RLOC16]bool{}}
	for i, id := range ids {
		m.quality[id] = map[mle.RouterID]uint8{}
		if i > 0 {
			m.quality[id][ids[i-1]] = 3
			m.quality[ids[i-1]][id] = 2
		}
	}
	return m
}

// route is what a router tells of its routes.
func (m *model) route(from mle.RouterID) mle.Route64 {
	var r mle.Route64
	distance := map[mle.RouterID]int{from: 0}
	for range m.quality { // Bellman and Ford
		for a, links := range m.quality {
			for b := range links {
				link := costs[min(m.quality[a][b], m.quality[b][a])]
				if d, ok := distance[a]; ok {
					if old, ok := distance[b]; !ok || d+link < old {
						distance[b] = d + link
					}
				}
			}
		}
	}
	for id := range m.quality {
		r.Routers = r.Routers.Add(id)
		r.Routes[id] = mle.Route{LinkQualityIn: m.quality[from][id], LinkQualityOut: m.quality[id][from], Cost: uint8(distance[id])}
	}
	r.Routes[from] = mle.Route{Cost: 1}
	return r
}

// answer is that of a node.
func (m *model) answer(rloc mle.RLOC16) tmf.Diagnostics {
	b := tmf.AppendDiagnosticAddress(nil, ieee802154.ExtAddr{0xaa, 6: byte(rloc >> 8), 7: byte(rloc)})
	b = tmf.AppendDiagnosticMLE(b, tmf.DiagnosticAddress16, mle.AppendAddress16, rloc)
	b = tmf.AppendIPv6Addresses(b, []netip.Addr{rloc.Addr(netip.MustParsePrefix("fd00::/64")), netip.MustParseAddr("fd00::1234")})
	if rloc.IsChild() {
		return tmf.AppendDiagnosticMLE(b, tmf.DiagnosticConnectivity, mle.AppendConnectivity, mle.Connectivity{LinkQuality2: 1})
	}
	id := rloc.RouterID()
	b = tmf.AppendDiagnosticMLE(b, tmf.DiagnosticRoute64, mle.AppendRoute64, m.route(id))
	b = tmf.AppendDiagnosticMLE(b, tmf.DiagnosticLeaderData, mle.AppendLeaderData, mle.LeaderData{PartitionID: 7, LeaderRouterID: 1})
	return tmf.AppendChildTable(b, m.children[id])
}

// walk walks the mesh from a router on, a second for each question.
func (m *model) walk(w *Walker, from mle.RLOC16) Topology {
	now := start
	w.Seed(from, now)
	for {
		rloc, ok := w.Next()
		if !ok {
			return w.Result(now)
		}
		now = now.Add(time.Second)
		m.asked = append(m.asked, rloc)
		if !m.silent[rloc] {
			w.Answer(now, rloc, m.answer(rloc))
		}
	}
}

func routerIDs(t Topology) (list []mle.RouterID) {
	for _, r := range t.Routers {
		list = append(list, r.RLOC16.RouterID())
	}
	return list
}

// A walk asks every router once, and children if it shall, but never one that sleeps.
func TestWalk(t *testing.T) {
	const sleepy = mle.ModeSecureDataRequests
	awake := mle.ModeRxOnWhenIdle | sleepy
	for _, children := range []bool{false, true} {
		m := row(1, 5, 9)
		m.children[5] = []tmf.ChildEntry{{ID: 1, Mode: awake, Timeout: 256 * time.Second, LinkQualityIn: 3}, {ID: 2, Mode: sleepy, Timeout: time.Hour}, {ID: 0}}
		got := m.walk(New(Options{Children: children}), 0x0400)
		want := []mle.RLOC16{0x0400, 0x1400, 0x2400}
		if children {
			want = append(want, 0x1401)
		}
		if !slices.Equal(m.asked, want) {
			t.Errorf("asked %v, want %v", m.asked, want)
		}
		if got.PartitionID != 7 || !slices.Equal(routerIDs(got), []mle.RouterID{1, 5, 9}) || len(got.Children) != 2 || !got.Routers[0].Leader || got.Routers[1].Leader {
			t.Errorf("%+v", got)
		}
		c := got.Children[0]
		if c.RLOC16 != 0x1401 || c.Mode != awake || c.Timeout != 256*time.Second || c.Answered != children || !c.IsChild() {
			t.Errorf("%+v", c)
		}
		back := Unknown
		if children {
			back = 2
		}
		unknown := Direction{Unknown, RSSIUnknown}
		links := []Link{
			{0x0400, 0x1400, Direction{3, RSSIUnknown}, Direction{2, RSSIUnknown}},
			{0x1400, 0x1401, Direction{back, RSSIUnknown}, Direction{3, RSSIUnknown}},
			{0x1400, 0x1402, unknown, unknown},
			{0x1400, 0x2400, Direction{3, RSSIUnknown}, Direction{2, RSSIUnknown}},
		}
		if !slices.Equal(got.Links, links) {
			t.Errorf("links %+v\nwant %+v", got.Links, links)
		}
	}
}

// Who does not answer stays, with what others and an earlier walk know of it.
func TestSilent(t *testing.T) {
	m := row(1, 5, 9)
	before := m.walk(New(Options{}), 0x0400)
	m.silent[0x2400] = true
	m.asked = nil
	w := New(Options{Previous: &before})
	w.Measured(0x0400, 0x1400, -90, 1)
	got := m.walk(w, 0x0400)
	n, ok := got.Find(0x2400)
	if !ok || n.Answered || !n.Asked || n.Age != 0 || n.MAC == (ieee802154.ExtAddr{}) || len(n.Addresses) != 2 {
		t.Errorf("%+v, %v", n, ok)
	}
	if l := got.Links[0]; l.BtoA != (Direction{1, -90}) {
		t.Errorf("what was measured: %+v", l)
	}
	if l := got.Links[1]; l.AtoB.Quality != 3 || l.BtoA.Quality != 2 {
		t.Errorf("what the other end says: %+v", l)
	}
	// Without an earlier walk only what this node has heard itself is known.
	m.silent[0x1400] = true
	w = New(Options{})
	w.Seed(0x1400, start.Add(-time.Minute))
	got = m.walk(w, 0x0400)
	a, _ := got.Find(0x1400)
	b, _ := got.Find(0x2400)
	if a.Age != time.Minute+3*time.Second || b.Age >= 0 || b.MAC != (ieee802154.ExtAddr{}) {
		t.Errorf("%+v\n%+v", a, b)
	}
	if _, ok := got.Find(0x7400); ok {
		t.Error("found nobody's RLOC16")
	}
	// Who is gone is forgotten in the end.
	gone := row(1, 5)
	got = gone.walk(New(Options{Previous: &before}), 0x0400)
	if n, ok := got.Find(0x2400); !ok || n.Asked {
		t.Errorf("a router that has gone: %+v, %v", n, ok)
	}
	before.Time = start.Add(-2 * time.Hour)
	if got := gone.walk(New(Options{Previous: &before}), 0x0400); len(got.Routers) != 2 {
		t.Errorf("%+v", got.Routers)
	}
}

// Nonsense does no harm: RLOC16s that are none, answers of somebody else, malformed TLVs.
func TestNonsense(t *testing.T) {
	w := New(Options{Children: true})
	w.Seed(mle.InvalidRLOC16, start)
	if _, ok := w.Next(); ok {
		t.Error("an invalid RLOC16 is asked")
	}
	w.Answer(start, mle.InvalidRLOC16, nil)
	w.Answer(start, 0x0400, tmf.AppendDiagnosticMLE(nil, tmf.DiagnosticAddress16, mle.AppendAddress16, 0x0800))
	if n, _ := w.Result(start).nodes(), 0; n[0].Answered {
		t.Error("somebody else's answer was taken")
	}
	w.Answer(start, 0x0400, tmf.Diagnostics{5, 1, 0, 16, 1, 0, 4, 0, 6, 0, 8, 1, 1, 0, 0})
	if got := w.Result(start); len(got.Routers) != 1 || !got.Routers[0].Answered || len(got.Links) != 0 {
		t.Errorf("%+v", got)
	}
}

// FuzzWalker: whatever nodes tell, a walk ends, within bounds.
func FuzzWalker(f *testing.F) {
	m := row(1, 5, 9)
	m.children[5] = []tmf.ChildEntry{{ID: 1, Mode: 0xf}}
	f.Add([]byte(m.answer(0x0400)), []byte(m.answer(0x1400)))
	f.Fuzz(func(t *testing.T, a, b []byte) {
		w := New(Options{Children: true})
		w.Seed(0x0400, start)
		for i := 0; ; i++ {
			rloc, ok := w.Next()
			if !ok {
				break
			}
			if i > maxAsked {
				t.Fatal("no end")
			}
			w.Answer(start, rloc, [][]byte{a, b}[i%2])
		}
		got := w.Result(start)
		if _, err := json.Marshal(got); err != nil {
			t.Error(err)
		}
		var out bytes.Buffer
		if err := errors.Join(got.WriteText(&out), got.WriteDOT(&out)); err != nil {
			t.Error(err)
		}
	})
}

// trace follows the way, and returns how many routers were asked.
func (m *model) trace(from, to mle.RouterID) (way []mle.RouterID, asked int, err error) {
	tr := NewTracer(from, to)
	tr.Answer(from, m.route(from))
	for {
		ask, done, err := tr.Step()
		if done || err != nil {
			return tr.Way(), asked, err
		}
		asked++
		if m.silent[ask.RLOC16()] {
			tr.Silent(ask)
		} else {
			tr.Answer(ask, m.route(ask))
		}
	}
}

func TestTrace(t *testing.T) {
	m := row(1, 2, 3, 4, 5)
	way, asked, err := m.trace(1, 5)
	if err != nil || !slices.Equal(way, []mle.RouterID{2, 3, 4, 5}) || asked > 4 {
		t.Error(way, asked, err)
	}
	if way, asked, err := m.trace(3, 3); err != nil || len(way) != 0 || asked != 0 {
		t.Error(way, asked, err)
	}
	if way, _, err := m.trace(2, 1); err != nil || !slices.Equal(way, []mle.RouterID{1}) {
		t.Error(way, err)
	}
	// Of two ways the cheaper one.
	link := func(a, b mle.RouterID, q uint8) {
		if m.quality[a] == nil {
			m.quality[a] = map[mle.RouterID]uint8{}
		}
		if m.quality[b] == nil {
			m.quality[b] = map[mle.RouterID]uint8{}
		}
		m.quality[a][b], m.quality[b][a] = q, q
	}
	link(1, 9, 3)
	link(9, 5, 3)
	if way, _, err := m.trace(1, 5); err != nil || !slices.Equal(way, []mle.RouterID{9, 5}) {
		t.Error(way, err)
	}
	// The direct link is dearer than the way round.
	link(1, 5, 1)
	if way, _, err := m.trace(1, 5); err != nil || !slices.Equal(way, []mle.RouterID{9, 5}) {
		t.Error(way, err)
	}
	// A silent router hides the way behind it.
	m = row(1, 2, 3, 4)
	m.silent[mle.RouterID(2).RLOC16()] = true
	if way, _, err := m.trace(1, 4); !errors.Is(err, ErrNoWay) || len(way) != 0 {
		t.Error(way, err)
	}
	delete(m.quality, 4)
	delete(m.quality[3], 4)
	if way, _, err := m.trace(1, 4); !errors.Is(err, ErrNoWay) {
		t.Error(way, err)
	}
}

func TestTracerLinks(t *testing.T) {
	m := row(1, 2, 3)
	tr := NewTracer(1, 3)
	if f, b := tr.Link(1, 2); f.Quality != Unknown || b.Quality != Unknown {
		t.Error(f, b)
	}
	tr.Answer(2, m.route(2))
	if f, b := tr.Link(1, 2); f.Quality != 3 || b.Quality != 2 {
		t.Error(f, b)
	}
	if f, b := tr.Link(2, 3); f.Quality != 3 || b.Quality != 2 {
		t.Error(f, b)
	}
}

func TestFormats(t *testing.T) {
	m := row(1, 5)
	m.children[5] = []tmf.ChildEntry{{ID: 1, Mode: 0xf, Timeout: 4 * time.Second}}
	m.silent[0x1401] = true
	top := m.walk(New(Options{Children: true}), 0x0400)
	var text, dot, way bytes.Buffer
	hops := Way{{RLOC16: 0x1400, MAC: ieee802154.ExtAddr{1}, Forth: Direction{3, -90}, Back: Direction{Unknown, RSSIUnknown}, RTT: time.Second}, {RLOC16: 0x1401}}
	if err := errors.Join(top.WriteText(&text), top.WriteDOT(&dot), hops.WriteText(&way)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		form string
		want []string
	}{
		{text.String(), []string{"0x0400", "leader", "aa00000000000400", "fd00::1234", "? silent", "→3", "←2", "child"}},
		{dot.String(), []string{`"0x0400" -- "0x1400" [label="3/2", penwidth=2];`, "style=dashed", "shape=ellipse"}},
		{way.String(), []string{"1    0x1400", "→3 ←?", "→-90 ←?", "1s", "2    0x1401"}},
		{string(must(json.Marshal(top))), []string{`"rloc16":"0x1401"`, `"parent":"0x1400"`, `"age":null`, `"a_to_b":{"quality":3,"rssi":null}`}},
		{string(must(json.Marshal(hops))), []string{`"rloc16":"0x1400","mac":"0100000000000000","forth":{"quality":3,"rssi":-90},"back":{"quality":null,"rssi":null},"rtt":1`}},
	} {
		for _, want := range tt.want {
			if !strings.Contains(tt.form, want) {
				t.Errorf("%q is missing in\n%s", want, tt.form)
			}
		}
	}
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}
