package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

// infoEvery is how often the broker hears how the gateway is.
const infoEvery = time.Minute

// info is what the broker hears of the gateway.
type info struct {
	Version   string      `json:"version"`
	Mesh      string      `json:"mesh"`
	Role      string      `json:"role"`
	RLOC16    string      `json:"rloc16"`
	Partition string      `json:"partition"`
	Leader    string      `json:"leader"`
	Addresses []string    `json:"addresses"`
	Nodes     int         `json:"nodes"`
	Duty      []view.Duty `json:"duty"`
	Queue     struct {
		Waiting int    `json:"waiting"`
		Bytes   int64  `json:"bytes"`
		Lost    uint64 `json:"lost"`
	} `json:"queue"`
}

func (g *gateway) info() info {
	s := g.mapper.status()
	i := info{
		Version: version(), Mesh: s.Mesh, Role: s.Role, RLOC16: s.RLOC16, Partition: s.Partition, Leader: s.Leader, Addresses: []string{}, Duty: s.Duty,
		Nodes: len(g.view.Snapshot().Nodes),
	}
	for _, a := range g.node.IPAddrs() {
		i.Addresses = append(i.Addresses, a.String())
	}
	if g.queue != nil {
		q := g.queue.Stats()
		i.Queue.Waiting, i.Queue.Bytes, i.Queue.Lost = q.Records, q.Bytes, q.Lost
	}
	return i
}

// tell publishes how the gateway is, each minute and when its role changes, until ctx ends.
func (g *gateway) tell(ctx context.Context) {
	if g.broker == nil {
		return
	}
	tick := time.NewTicker(infoEvery)
	defer tick.Stop()
	for {
		g.broker.Info(g.info())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-g.roleChanged:
		}
	}
}

// link is what the broker hears of a node.
type link struct {
	view.Node
	Links []nodeLink `json:"links"`
}

// nodeLink is a link of a node: how well it hears the other, and the other it; the strength in dBm, where it is known.
type nodeLink struct {
	To   string `json:"to"`
	In   int    `json:"in"`
	Out  int    `json:"out"`
	RSSI *int   `json:"rssi,omitempty"`
}

// linksOf are the links of each node of a map.
func linksOf(s view.Snapshot) map[string]link {
	all := map[string]link{}
	for _, n := range s.Nodes {
		if len(n.ID) == 16 {
			all[n.ID] = link{Node: n, Links: []nodeLink{}}
		}
	}
	add := func(n, to string, in, out int, rssi *int) {
		if k, ok := all[n]; ok {
			k.Links = append(k.Links, nodeLink{to, in, out, rssi})
			all[n] = k
		}
	}
	for _, l := range s.Links {
		add(l.A, l.B, l.BA, l.AB, l.RSSI)
		add(l.B, l.A, l.AB, l.BA, l.RSSI)
	}
	return all
}

// tellNodes publishes what is known of each node, and removes those that are forgotten.
func (m *mapper) tellNodes() {
	if m.g.broker == nil {
		return
	}
	all := linksOf(m.g.view.Snapshot())
	for id, k := range all {
		m.g.broker.Node(id, k.Alive, k)
	}
	for id := range m.told {
		if _, ok := all[id]; !ok {
			m.g.broker.Forget(id)
			delete(m.told, id)
		}
	}
	for id := range all {
		m.told[id] = struct{}{}
	}
}

// request does what the broker asks of the gateway.
func (g *gateway) request(ctx context.Context, verb string, body []byte) (any, error) {
	var ask struct {
		Node string `json:"node"`
		Text string `json:"text"`
	}
	if len(body) > 0 {
		if err := json.Unmarshal(body, &ask); err != nil {
			return nil, errors.New(`want {"node": "…"}`)
		}
	}
	switch verb {
	case "info":
		return g.info(), nil
	case "nodes":
		return g.view.Snapshot().Nodes, nil
	case "ping":
		return actions{g}.Ping(ctx, ask.Node)
	case "trace":
		out, err := actions{g}.Trace(ctx, ask.Node)
		return strings.Split(strings.TrimSpace(out), "\n"), err
	case "text":
		return actions{g}.Text(ctx, ask.Node, ask.Text)
	}
	return nil, fmt.Errorf("%q is none of info, nodes, ping, trace, text", verb)
}

// became notes that the role has changed.
func (g *gateway) became(s pymesh.State) {
	g.roleChanges.Add(1)
	if s >= pymesh.StateChild {
		g.attached.CompareAndSwap(0, time.Now().Unix())
	} else {
		g.attached.Store(0)
	}
	g.happened("mesh", "this node is "+s.String())
	select {
	case g.roleChanged <- struct{}{}:
	default:
	}
}
