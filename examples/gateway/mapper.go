package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/boards"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/topology"
)

const (
	watchEvery = 2 * time.Second
	// alive is how old the last sign of life of a node may be: a child that sleeps speaks every few minutes.
	alive = 10 * time.Minute
	// walkCost is about what a question to a node and its answer take of the air, here, in full frames.
	walkCost = 4
	// walkPause is at least between walks, by the clock of the radio.
	walkPause = time.Minute
	maxAddrs  = 2000
)

// mapper keeps the map: from what this node knows by itself, every two seconds, and from walks through the mesh, as seldom as the budget of
// airtime wants it.
type mapper struct {
	g *gateway

	mu     sync.Mutex
	last   *topology.Topology
	macs   map[netip.Addr]string // who has an address
	told   map[string]struct{}   // of whom the broker has been told; the walk's alone
	talked map[string]int64      // when a node has last sent a datagram here, Unix time in milliseconds
}

func (m *mapper) init(g *gateway) {
	m.g, m.macs, m.told, m.talked = g, map[netip.Addr]string{}, map[string]struct{}{}, map[string]int64{}
}

func macText(m pymesh.MAC) string { return fmt.Sprintf("%016x", uint64(m)) }

func macOf(a ieee802154.ExtAddr) pymesh.MAC { return pymesh.MAC(binary.BigEndian.Uint64(a[:])) }

func short(id string) string {
	if len(id) == 16 {
		return id[12:]
	}
	return id
}

// printable is a payload for people: text as it is, all else in hexadecimal, and not too much of it.
func printable(b []byte) string {
	const most = 60
	s := string(b)
	if !utf8.Valid(b) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }) {
		s = fmt.Sprintf("%x", b)
	}
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}

// nodeOf names the node that has an address: by its MAC where that is known.
func (m *mapper) nodeOf(a netip.Addr) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	id, ok := m.macs[a]
	if !ok {
		id = "ip-" + strings.ReplaceAll(a.String(), ":", "-")
	}
	if _, known := m.talked[id]; !known && len(m.talked) >= maxAddrs {
		m.forgetOldest()
	}
	m.talked[id] = time.Now().UnixMilli()
	return id
}

// forgetOldest makes room in talked. m.mu is held.
func (m *mapper) forgetOldest() {
	oldest, at := "", int64(math.MaxInt64)
	for id, t := range m.talked {
		if t < at {
			oldest, at = id, t
		}
	}
	delete(m.talked, oldest)
}

// addrOf is an address at which a node is reached.
func (m *mapper) addrOf(id string) (netip.Addr, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var best netip.Addr
	local := m.g.node.Network().MeshLocalPrefix
	for a, mac := range m.macs {
		if mac == id && (!best.IsValid() || local.Contains(a) && !locator(a)) {
			best = a
		}
	}
	return best, best.IsValid()
}

// locator reports whether an address is that of a place in the mesh, which changes.
func locator(a netip.Addr) bool {
	b := a.As16()
	return [6]byte(b[8:14]) == [6]byte{0, 0, 0, 0xff, 0xfe, 0}
}

// watch shows what this node knows by itself.
func (m *mapper) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	sampled := time.Now()
	for {
		m.show()
		if time.Since(sampled) >= view.HistoryEvery {
			sampled = time.Now()
			m.sample()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (m *mapper) sample() {
	rssi := map[string]int{}
	for _, n := range m.g.node.Neighbors() {
		if n.RSSI < 0 {
			rssi[macText(n.MAC)] = n.RSSI
		}
	}
	m.g.view.Sample(rssi)
}

// walk asks the mesh about itself, gently: no more often than the budget allows.
func (m *mapper) walk(ctx context.Context) {
	budget := time.Duration(m.g.cfg.Map.Budget)
	if m.g.node.WaitAttached(ctx) != nil {
		return
	}
	for budget <= 0 { // what this node knows by itself is told all the same
		m.tellNodes()
		if !m.g.sleep(ctx, walkPause) {
			return
		}
	}
	left := budget / 2 // of the airtime; with what was saved, a mesh that comes up is on the map soon
	for {
		m.mu.Lock()
		previous := m.last
		m.mu.Unlock()
		t, err := m.g.node.Topology(ctx, pymesh.TopologyOptions{Children: m.g.cfg.Map.Children, Previous: previous})
		if ctx.Err() != nil {
			return
		}
		asked := 1
		if err != nil {
			m.g.happened("problem", "map: "+err.Error())
		} else {
			asked += len(t.Routers) + len(t.Children)
			m.mu.Lock()
			m.last = &t
			m.learn(t)
			m.mu.Unlock()
			m.show()
			m.tellNodes()
		}
		asked += m.g.askBoards(ctx)
		cost := time.Duration(asked*walkCost) * m.g.radio.Config().Airtime(127)
		left -= cost
		pause := max(walkPause, time.Duration(-left.Seconds()/budget.Seconds()*float64(time.Hour)))
		left = min(left+time.Duration(pause.Hours()*float64(budget)), budget/2)
		if !m.g.sleep(ctx, pause) {
			return
		}
	}
}

// learn notes who has which addresses. m.mu is held.
func (m *mapper) learn(t topology.Topology) {
	clear(m.macs)
	local := m.g.node.Network().MeshLocalPrefix
	for _, n := range append(append([]topology.Node{}, t.Routers...), t.Children...) {
		mac := macOf(n.MAC)
		if mac == 0 {
			continue
		}
		for _, a := range n.Addresses {
			m.macs[a] = macText(mac)
		}
		m.macs[pymesh.PycomAddress(local, mac)] = macText(mac)
	}
}

// show draws the map anew.
func (m *mapper) show() {
	n := m.g.node
	own := view.Node{
		ID: macText(n.MAC()), RLOC16: rloc(uint16(n.RLOC16())), Role: n.State().String(), Self: true, Heard: time.Now().UnixMilli(), Alive: true,
	}
	if c := m.g.cfg.Mesh; c.Latitude != 0 || c.Longitude != 0 {
		own.Latitude, own.Longitude = &c.Latitude, &c.Longitude
	}
	for _, a := range n.IPAddrs() {
		own.Addresses = append(own.Addresses, a.String())
	}
	d := drawing{now: time.Now(), nodes: map[string]*view.Node{own.ID: &own}, ids: map[uint16]string{uint16(n.RLOC16()): own.ID}, links: map[string]*view.Link{}}
	neighbors, routers := n.Neighbors(), n.Routers()
	for _, r := range routers { // whose MAC is known here goes by it, though it has told nobody yet
		if r.MAC != 0 {
			d.id(uint16(r.RLOC16), r.MAC)
		}
	}
	for _, o := range neighbors {
		d.id(uint16(o.RLOC16), o.MAC)
	}
	m.mu.Lock()
	if m.last != nil {
		d.walk(*m.last)
	}
	d.neighbors(own.ID, neighbors)
	d.routes(own.ID, routers)
	for id, at := range m.talked {
		if o := d.nodes[id]; o != nil && at > o.Heard {
			o.Heard = at
		}
	}
	m.mu.Unlock()
	d.boards(m.g.boards.Known())
	nodes, links := d.finish()
	m.g.view.SetMesh(nodes, links)
	m.g.view.SetStatus(m.status())
}

func rloc(r uint16) string { return fmt.Sprintf("%04x", r) }

func (m *mapper) status() view.Status {
	n := m.g.node
	leader, _ := n.Leader()
	s := view.Status{
		Time: time.Now().UnixMilli(), Mesh: m.g.cfg.Mesh.Name, Role: n.State().String(), RLOC16: rloc(uint16(n.RLOC16())),
		Partition: fmt.Sprintf("%08x", leader.PartitionID), Leader: rloc(uint16(leader.RLOC16)), Broker: "off", Counters: map[string]uint64{},
	}
	c := n.Counters()
	for label, name := range map[string]string{
		"frames sent": "TxFrames", "repeats": "TxRetries", "acknowledgments sent": "TxAcks", "MLE sent": "TxMLE", "datagrams sent": "TxDatagrams",
		"datagrams failed": "TxDatagramsFailed", "frames heard": "RxFrames", "datagrams received": "RxDatagrams", "frames forwarded": "Forwarded",
		"dropped, security":         "RxSecurity",
		"air, acknowledgments (ms)": "AirtimeAcks", "air, MLE (ms)": "AirtimeMLE", "air, data (ms)": "AirtimeData", "air, other (ms)": "AirtimeOther",
	} {
		s.Counters[label] = c[name]
	}
	for _, u := range m.g.usage() {
		s.Duty = append(s.Duty, view.Duty{Band: band(u.SubBand), Used: u.Used.Seconds(), Limit: u.Limit.Seconds()})
	}
	if m.g.broker != nil {
		s.Broker = "waiting"
		if m.g.broker.Connected() {
			s.Broker = "connected"
		}
		q := m.g.queue.Stats()
		s.Waiting, s.Lost = q.Records, q.Lost
	}
	return s
}

// drawing is a map in the making.
type drawing struct {
	now   time.Time
	nodes map[string]*view.Node
	ids   map[uint16]string // by RLOC16
	links map[string]*view.Link
}

func (d *drawing) id(rloc16 uint16, mac pymesh.MAC) string {
	if id, ok := d.ids[rloc16]; ok {
		return id
	}
	id := "rloc-" + rloc(rloc16)
	if mac != 0 {
		id = macText(mac)
	}
	d.ids[rloc16] = id
	return id
}

func (d *drawing) node(id string, rloc16 uint16) *view.Node {
	n := d.nodes[id]
	if n == nil {
		n = &view.Node{ID: id, Role: "router", Cost: -1}
		d.nodes[id] = n
	}
	if !n.Self {
		n.RLOC16 = rloc(rloc16)
	}
	return n
}

func (d *drawing) heard(n *view.Node, age time.Duration) {
	if age >= 0 {
		n.Heard = max(n.Heard, d.now.Add(-age).UnixMilli())
	}
}

func (d *drawing) link(a, b string) *view.Link {
	if a > b {
		a, b = b, a
	}
	l := d.links[a+"|"+b]
	if l == nil {
		l = &view.Link{A: a, B: b, AB: topology.Unknown, BA: topology.Unknown}
		d.links[l.ID()] = l
	}
	return l
}

// walk draws what the mesh has told.
func (d *drawing) walk(t topology.Topology) {
	since := d.now.Sub(t.Time)
	if since < 0 || since > 24*time.Hour { // another clock than ours, of a simulated air
		since = 0
	}
	for _, n := range append(append([]topology.Node{}, t.Routers...), t.Children...) {
		id := d.id(uint16(n.RLOC16), macOf(n.MAC))
		v := d.node(id, uint16(n.RLOC16))
		if v.Self {
			continue
		}
		switch {
		case n.Leader:
			v.Role = "leader"
		case n.IsChild():
			v.Role = "child"
			v.Parent = d.id(uint16(n.RLOC16)&0xfc00, 0)
		}
		for _, a := range n.Addresses {
			v.Addresses = append(v.Addresses, a.String())
		}
		if n.Age >= 0 {
			d.heard(v, n.Age+since)
		}
	}
	for _, l := range t.Links {
		a, b := d.id(uint16(l.A), 0), d.id(uint16(l.B), 0)
		if d.nodes[a] == nil || d.nodes[b] == nil {
			continue
		}
		v := d.link(a, b)
		v.AB, v.BA = l.AtoB.Quality, l.BtoA.Quality
		if v.A != a {
			v.AB, v.BA = v.BA, v.AB
		}
	}
}

// neighbors draws what this node hears.
func (d *drawing) neighbors(self string, list []pymesh.Neighbor) {
	for _, n := range list {
		id := d.id(uint16(n.RLOC16), n.MAC)
		v := d.node(id, uint16(n.RLOC16))
		if n.Role == pymesh.StateChild {
			v.Role, v.Parent = "child", self
		}
		d.heard(v, n.Age)
		l := d.link(self, id)
		l.AB, l.BA = n.QualityOut, n.QualityIn
		if l.A != self {
			l.AB, l.BA = n.QualityIn, n.QualityOut
		}
		if n.RSSI < 0 {
			l.RSSI = &n.RSSI
		}
	}
}

// routes draws the ways.
func (d *drawing) routes(self string, list []pymesh.Router) {
	for _, r := range list {
		id := d.id(uint16(r.RLOC16), r.MAC)
		if id == self {
			continue
		}
		v := d.node(id, uint16(r.RLOC16))
		v.Cost = int(r.PathCost)
		if uint16(r.NextHop) != 0xfffe {
			v.NextHop = d.id(uint16(r.NextHop), 0)
		}
		if r.Age > 0 {
			d.heard(v, r.Age)
		}
	}
}

// boards draws where boards with Pycom's library say that they are, and the links that they tell of.
func (d *drawing) boards(list []boards.Board) {
	ids := map[uint16]string{}
	for id := range d.nodes {
		if len(id) == 16 {
			ids[uint16(pycom.MACOf(id))] = id
		}
	}
	for _, b := range list {
		v := d.nodes[ids[b.MAC]]
		if v == nil {
			continue
		}
		v.Heard = max(v.Heard, b.Seen.UnixMilli())
		if b.Info.Positioned() {
			v.Latitude, v.Longitude = &b.Info.Latitude, &b.Info.Longitude
		}
		for _, n := range b.Info.Neighbors {
			if o := ids[n.MAC]; o != "" && o != v.ID && n.RSSI < 0 {
				if l := d.link(v.ID, o); l.RSSI == nil {
					rssi := int(n.RSSI)
					l.RSSI = &rssi
				}
			}
		}
	}
}

func (d *drawing) finish() (nodes []view.Node, links []view.Link) {
	for _, n := range d.nodes {
		n.Heard -= n.Heard % 1000
		n.Alive = n.Self || n.Heard > 0 && d.now.UnixMilli()-n.Heard < alive.Milliseconds()
		if len(n.ID) != 16 && !n.Alive { // one without a name that is silent has got another place, and is there by that
			delete(d.nodes, n.ID)
			continue
		}
		nodes = append(nodes, *n)
	}
	for _, l := range d.links {
		if d.nodes[l.A] != nil && d.nodes[l.B] != nil {
			links = append(links, *l)
		}
	}
	return nodes, links
}

// actions are what the page may ask for.
type actions struct{ g *gateway }

func (a actions) target(node string) (netip.Addr, error) {
	if addr, ok := a.g.addrOf(node); ok {
		return addr, nil
	}
	if n, ok := a.g.view.Node(node); ok {
		var r uint16
		if _, err := fmt.Sscanf(n.RLOC16, "%04x", &r); err == nil {
			return mle.RLOC16(r).Addr(a.g.node.Network().MeshLocalPrefix), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("there is no node %q", node)
}

func (a actions) Ping(ctx context.Context, node string) (string, error) {
	addr, err := a.target(node)
	if err != nil {
		return "", err
	}
	p, err := a.g.node.Ping(ctx, addr, 8)
	if err != nil {
		return "", fmt.Errorf("ping %v: %w", addr, err)
	}
	a.g.numbers.Pinged(p.RTT)
	return fmt.Sprintf("%v: %v", p.From, p.RTT.Round(time.Millisecond)), nil
}

func (a actions) Text(ctx context.Context, node, text string) (string, error) {
	if err := a.g.text(ctx, node, text); err != nil {
		return "", fmt.Errorf("text to %s: %w", short(node), err)
	}
	return stageDelivered, nil
}

func (a actions) Trace(ctx context.Context, node string) (string, error) {
	addr, err := a.target(node)
	if err != nil {
		return "", err
	}
	hops, err := a.g.node.Trace(ctx, addr)
	if err != nil {
		return "", fmt.Errorf("trace %v: %w", addr, err)
	}
	var b strings.Builder
	for i, h := range hops {
		fmt.Fprintf(&b, "%d  %s  %016x", i, rloc(uint16(h.RLOC16)), uint64(macOf(h.MAC)))
		if h.RTT > 0 {
			fmt.Fprintf(&b, "  %v", h.RTT.Round(time.Millisecond))
		}
		b.WriteByte('\n')
	}
	return b.String(), nil
}
