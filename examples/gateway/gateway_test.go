package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/outbox"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
)

// alone runs a gateway without broker, page and socket among n simulated nodes, in virtual time.
func alone(t *testing.T, n int, test func(t *testing.T, ctx context.Context, g *gateway, f *field)) {
	aloneAs(t, n, func(*config) {}, test)
}

// aloneAs is alone with another configuration.
func aloneAs(t *testing.T, n int, change func(*config), test func(t *testing.T, ctx context.Context, g *gateway, f *field)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f, err := newField(pymesh.DefaultKey(), n, 1)
		if err != nil {
			t.Fatal(err)
		}
		node, err := pymesh.New(f.own, pymesh.WithKey(pymesh.DefaultKey()), pymesh.WithMAC(0x70b3d54990000001),
			pymesh.WithStore(new(pymesh.MemoryStore)), pymesh.WithPycomAddress())
		if err != nil {
			t.Fatal(err)
		}
		cfg := defaults()
		cfg.Web.Listen = ""
		cfg.Mesh.Latitude, cfg.Mesh.Longitude = 52, 5
		change(&cfg)
		g, err := newGateway(ctx, cfg, node, f.own, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() { done <- g.run(ctx) }()
		f.talk(ctx, node)
		test(t, ctx, g, f)
		cancel()
		if err := errors.Join(<-done, g.close(), f.close(), node.Close()); err != nil {
			t.Error(err)
		}
	})
}

// tries allows for packets that the air loses.
func tries(t *testing.T, what string, f func() error) {
	t.Helper()
	var err error
	for range 4 {
		if err = f(); err == nil {
			return
		}
	}
	t.Errorf("%s: %v", what, err)
}

// TestBoards talks with boards that have Pycom's library.
func TestBoards(t *testing.T) {
	alone(t, 3, func(t *testing.T, ctx context.Context, g *gateway, f *field) {
		for begin := time.Now(); len(g.boards.Known()) < 2 || len(librarian{g}.Nodes()) < 4; time.Sleep(time.Minute) {
			if time.Since(begin) > 6*time.Hour {
				t.Fatalf("after hours there are %v and the boards %v", librarian{g}.Nodes(), g.boards.Known())
			}
		}
		time.Sleep(time.Hour) // in which they are asked
		s, err := f.nodes[2].ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), pycom.Port))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tries(t, "to a board that is known", func() error {
			_, err := g.command(ctx, "text 0010 hello there")
			return err
		})
		if _, err := g.command(ctx, "text 70b3d54990000012 hello"); err == nil || err.Error() != stageTimeout {
			t.Errorf("to a node that does not answer: %v", err)
		}
		if _, err := g.command(ctx, "text 0099 hello"); err == nil || err.Error() != stageNoRoute {
			t.Errorf("to a board that is not there: %v", err)
		}
		for line, want := range map[string]string{
			"text": "InvalidArgs", "text 0010": "InvalidArgs", "text zz hello": "no MAC address",
			"text 0010 " + strings.Repeat("x", pycom.MaxText+1): "at most",
		} {
			if _, err := g.command(ctx, line); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%.20q: %v, want %q", line, err, want)
			}
		}
		for line, want := range map[string]string{"boards": "0010 heard", "nodes": "this gateway", "help": commandText, "state": "er"} {
			if out, err := g.command(ctx, line); err != nil || !strings.Contains(out, want) {
				t.Errorf("%s: %q, %v", line, out, err)
			}
		}
		for _, n := range g.view.Snapshot().Nodes {
			if (n.ID == "70b3d54990000010" || n.Self) != (n.Latitude != nil) && n.ID != "70b3d54990000011" {
				t.Errorf("%s: %v", n.ID, n.Latitude)
			}
		}
		askTheGateway(t, g, s)
	})
}

// askTheGateway asks what a board asks, from its socket.
func askTheGateway(t *testing.T, g *gateway, s *pymesh.UDPConn) {
	for { // what has come so far
		_ = s.SetReadDeadline(time.Now().Add(time.Second))
		if _, _, err := s.ReadFromUDPAddrPort(make([]byte, pymesh.MaxDatagramSize)); err != nil {
			break
		}
	}
	own := pymesh.PycomAddress(g.node.Network().MeshLocalPrefix, g.node.MAC())
	for _, kind := range []pycom.Kind{pycom.KindAskInfo, pycom.KindAskNodes, pycom.KindAskPairs, pycom.KindAskNeighbors} {
		b, err := pycom.Packet{Kind: kind, About: uint16(g.node.MAC())}.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		var p pycom.Packet
		tries(t, kind.String(), func() error {
			if _, err := s.WriteToUDPAddrPort(b, netip.AddrPortFrom(own, pycom.Port)); err != nil {
				return err
			}
			_ = s.SetReadDeadline(time.Now().Add(time.Minute))
			answer := make([]byte, pymesh.MaxDatagramSize)
			n, _, err := s.ReadFromUDPAddrPort(answer)
			if err == nil {
				p, err = pycom.Parse(answer[:n])
			}
			return err
		})
		if kind == pycom.KindAskNodes && len(p.Nodes) != 4 || kind == pycom.KindAskInfo && (!p.Info.Positioned() || len(p.Info.Neighbors) == 0) {
			t.Errorf("%v: %+v", kind, p)
		}
	}
}

// TestDownlink sends datagrams, as the broker has it.
func TestDownlink(t *testing.T) {
	alone(t, 2, func(t *testing.T, ctx context.Context, g *gateway, f *field) {
		time.Sleep(30 * time.Minute)
		send := func(node string, port uint16, size int) (stages string) {
			c := make(chan string, 8)
			g.submit(outbox.Item{Node: node, Port: port, Payload: make([]byte, size), Result: func(stage string) { c <- stage }})
			time.Sleep(2 * time.Minute)
			for len(c) > 0 {
				stages += <-c + " "
			}
			return stages
		}
		s, err := f.nodes[1].ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), 5000))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		tries(t, "to a node", func() error {
			if got := send("70b3d54990000011", 5000, 10); got != "sent " {
				return errors.New(got)
			}
			_ = s.SetReadDeadline(time.Now().Add(time.Second)) // the minutes in which it came have passed
			_, _, err := s.ReadFromUDPAddrPort(make([]byte, 100))
			return err
		})
		if got := send("00000000000000aa", 5000, 10); got != "no-route " {
			t.Errorf("to a node that is not there: %s", got)
		}
		var got string
		for range 20 {
			got = send("70b3d54990000011", 5000, 1000)
		}
		if got != "duty-cycle " {
			t.Errorf("more than it may: %s", got)
		}
	})
}

// TestOutside hears what boards send to the world.
func TestOutside(t *testing.T) {
	alone(t, 1, func(t *testing.T, _ context.Context, g *gateway, _ *field) {
		from, to := netip.MustParseAddrPort("[fd00::5]:1234"), netip.MustParseAddrPort("[1:2:3::5]:2")
		monitor := `tkn#4f3a-77#{"ip": 1024, "r": 3, "nei": [], "l": {"lat": 52.1, "lng": 5.125}, "loRa_mac": 5}`
		wrapped, err := pycom.AppendExternal(nil, []byte(monitor))
		if err != nil {
			t.Fatal(err)
		}
		g.outside(pymesh.Forwarded{Source: from, Destination: to, Payload: wrapped})
		if k := g.boards.Known(); len(k) != 1 || k[0].MAC != 5 || !k[0].Info.Positioned() {
			t.Errorf("%+v", k)
		}
		b, err := pymesh.BorderRouterHeader{Destination: to}.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		if !g.relayed(from, append(b, wrapped...)) {
			t.Error("what a border router of Pycom's has passed on")
		}
		if g.relayed(from, append(b, "hello"...)) || g.relayed(from, wrapped) {
			t.Error("something else")
		}
	})
}

// TestTold has all that a board says as JSON.
func TestTold(t *testing.T) {
	for kind := range 256 {
		p := pycom.Packet{Kind: pycom.Kind(kind), Info: pycom.Info{Role: uint8(kind % 4)}}
		if _, err := p.AppendBinary(nil); err != nil {
			continue
		}
		var v map[string]any
		if err := json.Unmarshal(told(p), &v); err != nil || v["kind"] != p.Kind.String() {
			t.Errorf("%v: %v, %v", p.Kind, v, err)
		}
	}
}
