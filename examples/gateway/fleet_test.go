package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/brokertest"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// fleetSpeed is how much faster than ours the meshes live.
const fleetSpeed = 30

// meshOf is a mesh with several gateways, on its own air.
type meshOf struct {
	name     string
	air      *lorasim.Air
	gateways []*gateway
	boards   []*pymesh.Node
	sockets  []*pymesh.UDPConn
	stops    []func() error
	mu       sync.Mutex
	texts    []string // that have come to boards
}

// newMesh starts a mesh: gateways and boards in a circle in which everybody hears everybody.
func newMesh(t *testing.T, name string, first pymesh.MAC, gateways, boards int, broker string) *meshOf {
	t.Helper()
	m := &meshOf{name: name, air: lorasim.NewAir(lorasim.Options{Seed: uint64(first), Speed: fleetSpeed})}
	key := pymesh.NewKey()
	for i := range gateways + boards {
		radio := m.air.Radio(lora.Config{}, lorasim.Position{X: float64(i) * 100})
		node, err := pymesh.New(radio, pymesh.WithKey(key), pymesh.WithMAC(first+pymesh.MAC(i)), pymesh.WithStore(new(pymesh.MemoryStore)), pymesh.WithPycomAddress())
		if err != nil {
			t.Fatal(err)
		}
		if i < gateways {
			m.start(t, node, radio, broker)
			continue
		}
		s, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), pycom.Port))
		if err != nil {
			t.Fatal(err)
		}
		m.boards, m.sockets = append(m.boards, node), append(m.sockets, s)
		go m.answer(node, s)
		m.stops = append(m.stops, node.Close)
	}
	t.Cleanup(func() {
		for _, stop := range m.stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
	})
	return m
}

// start starts a gateway on a node.
func (m *meshOf) start(t *testing.T, node *pymesh.Node, radio lora.Radio, broker string) {
	t.Helper()
	cfg := defaults()
	cfg.Mesh.Name, cfg.Web.Listen = m.name, ""
	cfg.MQTT.URL, cfg.MQTT.Spool, cfg.MQTT.Downlink, cfg.MQTT.DownlinkPorts = broker, filepath.Join(t.TempDir(), "spool"), true, []int{pycom.Port}
	g, err := newGateway(t.Context(), cfg, node, radio, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- g.run(ctx) }()
	m.gateways = append(m.gateways, g)
	m.stops = append(m.stops, sync.OnceValue(func() error { cancel(); return errors.Join(<-done, g.close(), node.Close()) }))
}

// answer is Pycom's library on a board: it says that texts have come.
func (m *meshOf) answer(node *pymesh.Node, s *pymesh.UDPConn) {
	buf := make([]byte, pymesh.MaxDatagramSize)
	for {
		n, from, err := s.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		p, err := pycom.Parse(buf[:n])
		if err != nil || p.Kind != pycom.KindText {
			continue
		}
		m.mu.Lock()
		m.texts = append(m.texts, p.Text.Text)
		m.mu.Unlock()
		b, err := pycom.Packet{Kind: pycom.KindReceived, Received: pycom.Received{MAC: uint64(node.MAC()), ID: p.Text.ID}}.AppendBinary(nil)
		if err == nil {
			_, _ = s.WriteToUDPAddrPort(b, netip.AddrPortFrom(from.Addr(), pycom.Port))
		}
	}
}

// say has a board send a reading to everybody.
func (m *meshOf) say(i int, text string) {
	_ = m.sockets[i].SetWriteDeadline(m.air.Clock().Now().Add(time.Minute))
	_, _ = m.sockets[i].WriteToUDPAddrPort([]byte(text), netip.AddrPortFrom(netip.MustParseAddr("ff03::1"), readingPort))
}

func (m *meshOf) attached(t *testing.T, ctx context.Context) {
	t.Helper()
	for _, n := range m.boards {
		if err := n.WaitAttached(ctx); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range m.gateways {
		if err := g.node.WaitAttached(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// heard is what a subscriber of a fleet makes of what it hears: readings by mesh and text, with the gateways that told of each, and their ids.
type heard struct {
	gateways map[string]map[string]bool
	ids      map[string]map[string]bool
}

func listen(all []*paho.Publish) (h heard) {
	h.gateways, h.ids = map[string]map[string]bool{}, map[string]map[string]bool{}
	for _, p := range all {
		parts := strings.Split(p.Topic, "/")
		if len(parts) != 6 || parts[4] != "json" || parts[5] != fmt.Sprint(readingPort) {
			continue
		}
		var v struct{ Text, GW, ID, Also string }
		if json.Unmarshal(p.Payload, &v) != nil {
			continue
		}
		key := parts[1] + " " + v.Text
		if h.gateways[key] == nil {
			h.gateways[key], h.ids[key] = map[string]bool{}, map[string]bool{}
		}
		h.gateways[key][v.GW] = true
		if !h.ids[key][v.Also] {
			h.ids[key][v.ID] = true
		}
	}
	return h
}

// TestFleet has three gateways, two meshes and one broker.
func TestFleet(t *testing.T) {
	broker := brokertest.Start(t, "allow_anonymous true")
	c := brokertest.Connect(t, broker.URL(), "world", nil, "#")
	north := newMesh(t, "north", 0x70b3d54990000100, 2, 2, broker.URL())
	south := newMesh(t, "south", 0x70b3d54990000200, 1, 2, broker.URL())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	north.attached(t, ctx)
	south.attached(t, ctx)

	// Readings: what both gateways hear has one id, and each mesh its own topics.
	both, single := false, false
	for n := 0; (!both || !single) && ctx.Err() == nil; n++ {
		north.say(n%2, fmt.Sprintf("n%d", n))
		south.say(n%2, fmt.Sprintf("s%d", n))
		time.Sleep(300 * time.Millisecond)
		for key, gateways := range listen(c.Heard()).gateways {
			both = both || len(gateways) == 2
			single = single || strings.HasPrefix(key, "south")
		}
	}
	h := listen(c.Heard())
	for key, gateways := range h.gateways {
		if len(h.ids[key]) != 1 || strings.HasPrefix(key, "south s") && len(gateways) != 1 || !strings.HasPrefix(key, "south s") && !strings.HasPrefix(key, "north n") {
			t.Errorf("%s: gateways %v, ids %v", key, gateways, h.ids[key])
		}
	}
	if !both || !single {
		t.Fatalf("heard %v", h.gateways)
	}

	// A text: one of the gateways takes it, and the board gets it once. Then one gateway is gone, and the other one takes it.
	north.text(t, c, "to the board", 0)
	if err := north.stops[0](); err != nil {
		t.Error(err)
	}
	c.Await("the first gateway is offline", 0, func(p *paho.Publish) bool {
		return p.Topic == "pymesh/north/gw/"+macText(north.gateways[0].node.MAC())+"/state" && string(p.Payload) == "offline"
	})
	north.text(t, c, "by the other gateway", 1)
	if len(south.texts) > 0 {
		t.Errorf("the other mesh has %q", south.texts)
	}
}

// text sends a text to the second board by the broker, more than once where the air loses it, and expects that nobody gets one twice.
func (m *meshOf) text(t *testing.T, c *brokertest.Client, text string, salt int) {
	t.Helper()
	for try := range 4 {
		answers, each := fmt.Sprintf("answers/%d/%d", salt, try), fmt.Sprintf("%s %d", text, try)
		c.Publish(&paho.Publish{
			Topic: "pymesh/" + m.name + "/node/" + macText(m.boards[1].MAC()) + "/text", Payload: []byte(each),
			Properties: &paho.PublishProperties{ResponseTopic: answers},
		})
		p, _ := c.Await("what becomes of "+each, 0, func(p *paho.Publish) bool {
			s := string(p.Payload)
			return p.Topic == answers && s != stageQueued && s != stageSent
		})
		m.mu.Lock()
		n := 0
		for _, s := range m.texts {
			if s == each {
				n++
			}
		}
		m.mu.Unlock()
		if n > 1 {
			t.Errorf("%s: %d times", each, n)
		}
		if string(p.Payload) == stageDelivered {
			return
		}
		t.Logf("%s: %s", each, p.Payload)
		time.Sleep(time.Second) // half a minute, there
	}
	t.Errorf("%s: not delivered", text)
}
