// Package view is what a gateway knows of its mesh, and tells those who watch: a snapshot at first, then what changes.
package view

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"
)

// Bounds.
const (
	MaxNodes  = 1000
	MaxLinks  = 4000
	MaxEvents = 200
	// History is how many strengths are kept of a neighbor, one each [HistoryEvery].
	History      = 360
	HistoryEvery = 10 * time.Second

	watcherQueue = 16
	maxWatchers  = 64
)

// Node is a node of the mesh.
type Node struct {
	ID        string   `json:"id"` // the MAC address in 16 hexadecimal digits; "rloc-" and the RLOC16 as long as that is not known
	RLOC16    string   `json:"rloc16"`
	Role      string   `json:"role"` // leader, router, child, sleeper
	Self      bool     `json:"self,omitempty"`
	Parent    string   `json:"parent,omitempty"`
	Addresses []string `json:"addresses,omitempty"`
	Latitude  *float64 `json:"lat,omitempty"`
	Longitude *float64 `json:"lon,omitempty"`
	NextHop   string   `json:"nextHop,omitempty"` // the ID of the first router on the way there
	Cost      int      `json:"cost"`              // of the way there; negative if not known
	Heard     int64    `json:"heard"`             // Unix time in milliseconds at which it was last heard of; 0 never
	Alive     bool     `json:"alive"`
}

// Link is a direct radio connection. Qualities are 0 to 3, negative if not known.
type Link struct {
	A    string `json:"a"`
	B    string `json:"b"`
	AB   int    `json:"ab"` // how well B hears A
	BA   int    `json:"ba"`
	RSSI *int   `json:"rssi,omitempty"` // dBm, where the gateway is one of the two
}

// ID names a link.
func (l Link) ID() string { return l.A + "|" + l.B }

// Duty is what was sent in a sub-band in the last hour.
type Duty struct {
	Band  string  `json:"band"`
	Used  float64 `json:"used"`  // seconds
	Limit float64 `json:"limit"` // seconds; 0 is no limit
}

// Status is how the gateway is.
type Status struct {
	Time      int64             `json:"time"` // Unix time in milliseconds
	Mesh      string            `json:"mesh"`
	Role      string            `json:"role"`
	RLOC16    string            `json:"rloc16"`
	Partition string            `json:"partition"`
	Leader    string            `json:"leader"`
	Duty      []Duty            `json:"duty"`
	Counters  map[string]uint64 `json:"counters"`
	Broker    string            `json:"broker"` // connected, waiting, off
	Waiting   int               `json:"waiting"`
	Lost      uint64            `json:"lost"`
}

// Event is something that has happened.
type Event struct {
	Time int64  `json:"time"`
	Kind string `json:"kind"` // mesh, node, message, broker, problem
	Text string `json:"text"`
}

// Snapshot is all of it.
type Snapshot struct {
	Status  Status           `json:"status"`
	Nodes   []Node           `json:"nodes"`
	Links   []Link           `json:"links"`
	Events  []Event          `json:"events"`
	History map[string][]int `json:"history"` // strengths of neighbors, the latest last, one each ten seconds
}

// Delta is what has changed. Gone names nodes and links that are forgotten.
type Delta struct {
	Status *Status        `json:"status,omitempty"`
	Nodes  []Node         `json:"nodes,omitempty"`
	Links  []Link         `json:"links,omitempty"`
	Gone   []string       `json:"gone,omitempty"`
	Events []Event        `json:"events,omitempty"`
	RSSI   map[string]int `json:"rssi,omitempty"` // a sample for the history
}

func (d *Delta) empty() bool {
	return d.Status == nil && len(d.Nodes) == 0 && len(d.Links) == 0 && len(d.Gone) == 0 && len(d.Events) == 0 && len(d.RSSI) == 0
}

// View holds the latest. Its methods may be called by many goroutines at once.
type View struct {
	mu       sync.Mutex
	status   Status
	nodes    map[string]Node
	links    map[string]Link
	events   []Event
	history  map[string][]int
	watchers map[*Watcher]struct{}
}

// New returns an empty View.
func New() *View {
	return &View{nodes: map[string]Node{}, links: map[string]Link{}, history: map[string][]int{}, watchers: map[*Watcher]struct{}{}}
}

// Watcher gets deltas, encoded, until it is too slow or closed.
type Watcher struct {
	C    <-chan []byte // closed when the watcher was too slow
	c    chan []byte
	view *View
}

// Close ends the deltas.
func (w *Watcher) Close() {
	w.view.mu.Lock()
	defer w.view.mu.Unlock()
	w.view.drop(w)
}

// Watch returns the snapshot, encoded, and a watcher of all that comes after it; ok is false if there are too many.
func (v *View) Watch() (snapshot []byte, w *Watcher, ok bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.watchers) >= maxWatchers {
		return nil, nil, false
	}
	c := make(chan []byte, watcherQueue)
	w = &Watcher{C: c, c: c, view: v}
	v.watchers[w] = struct{}{}
	return encode(v.snapshot()), w, true
}

// Watchers is how many watch.
func (v *View) Watchers() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.watchers)
}

func (v *View) drop(w *Watcher) {
	if _, ok := v.watchers[w]; ok {
		delete(v.watchers, w)
		close(w.c)
	}
}

func encode(x any) []byte {
	b, err := json.Marshal(x)
	if err != nil { // a number that is none: none of the fields can hold one
		return []byte("{}")
	}
	return b
}

// Snapshot returns all of it.
func (v *View) Snapshot() Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.snapshot()
}

func (v *View) snapshot() Snapshot {
	s := Snapshot{Status: v.status, Nodes: []Node{}, Links: []Link{}, Events: append([]Event{}, v.events...), History: map[string][]int{}}
	for _, n := range v.nodes {
		s.Nodes = append(s.Nodes, n)
	}
	slices.SortFunc(s.Nodes, func(a, b Node) int { return strings.Compare(a.ID, b.ID) })
	for _, l := range v.links {
		s.Links = append(s.Links, l)
	}
	slices.SortFunc(s.Links, func(a, b Link) int { return strings.Compare(a.ID(), b.ID()) })
	for id, h := range v.history {
		s.History[id] = slices.Clone(h)
	}
	return s
}

// send tells all watchers. v.mu is held.
func (v *View) send(d Delta) {
	if d.empty() || len(v.watchers) == 0 {
		return
	}
	b := encode(d)
	for w := range v.watchers {
		select {
		case w.c <- b:
		default: // it comes back for a new snapshot
			v.drop(w)
		}
	}
}

// SetStatus replaces the status.
func (v *View) SetStatus(s Status) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.status = s
	v.send(Delta{Status: &s})
}

// SetMesh replaces nodes and links, and tells of those that are different.
func (v *View) SetMesh(nodes []Node, links []Link) {
	v.mu.Lock()
	defer v.mu.Unlock()
	var d Delta
	kept := make(map[string]bool)
	for _, n := range nodes[:min(len(nodes), MaxNodes)] {
		kept[n.ID] = true
		if old, ok := v.nodes[n.ID]; !ok || !sameNode(old, n) {
			v.nodes[n.ID] = n
			d.Nodes = append(d.Nodes, n)
		}
	}
	for _, l := range links[:min(len(links), MaxLinks)] {
		kept[l.ID()] = true
		if old, ok := v.links[l.ID()]; !ok || !sameLink(old, l) {
			v.links[l.ID()] = l
			d.Links = append(d.Links, l)
		}
	}
	for id := range v.nodes {
		if !kept[id] {
			delete(v.nodes, id)
			delete(v.history, id)
			d.Gone = append(d.Gone, id)
		}
	}
	for id := range v.links {
		if !kept[id] {
			delete(v.links, id)
			d.Gone = append(d.Gone, id)
		}
	}
	v.send(d)
}

// Node returns a node by its ID.
func (v *View) Node(id string) (Node, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	n, ok := v.nodes[id]
	return n, ok
}

func sameNode(a, b Node) bool {
	same := func(x, y *float64) bool { return x == y || x != nil && y != nil && *x == *y }
	return a.ID == b.ID && a.RLOC16 == b.RLOC16 && a.Role == b.Role && a.Self == b.Self && a.Parent == b.Parent && a.NextHop == b.NextHop &&
		a.Cost == b.Cost && a.Heard == b.Heard && a.Alive == b.Alive && slices.Equal(a.Addresses, b.Addresses) &&
		same(a.Latitude, b.Latitude) && same(a.Longitude, b.Longitude)
}

func sameLink(a, b Link) bool {
	return a.AB == b.AB && a.BA == b.BA && (a.RSSI == b.RSSI || a.RSSI != nil && b.RSSI != nil && *a.RSSI == *b.RSSI)
}

// Happened notes an event.
func (v *View) Happened(e Event) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.events) >= MaxEvents {
		v.events = slices.Delete(v.events, 0, 1)
	}
	v.events = append(v.events, e)
	v.send(Delta{Events: []Event{e}})
}

// Sample notes the strengths of neighbors, by node ID.
func (v *View) Sample(rssi map[string]int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for id, dBm := range rssi {
		h := v.history[id]
		if len(h) >= History {
			h = slices.Delete(h, 0, 1)
		}
		v.history[id] = append(h, dBm)
	}
	v.send(Delta{RSSI: rssi})
}
