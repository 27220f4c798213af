//go:build linux

package vmtest

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// TestMesh makes a mesh of two nodes on two hats, and sends a datagram each way.
func TestMesh(t *testing.T) {
	if testing.Short() {
		t.Skip("takes most of a minute")
	}
	b := newBench(t)
	const port = 1234
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	var nodes []*pymesh.Node
	var conns []*pymesh.UDPConn
	for i, board := range []sx1276.Board{sx1276.DraginoHAT, secondHat()} {
		b.plug(board)
		radio, err := sx1276.Open(board, lora.Config{})
		must(t, err)
		t.Cleanup(func() { must(t, radio.Close()) }) // after its node: tests to come need the lines
		node, err := pymesh.New(radio, pymesh.WithKey(pymesh.MustParseKey("696e2061206d616368696e65")), pymesh.WithMAC(0x70b3d54990000001+pymesh.MAC(i)),
			pymesh.WithStore(new(pymesh.MemoryStore)))
		must(t, err)
		t.Cleanup(func() { must(t, node.Close()) })
		start := time.Now()
		must(t, node.WaitAttached(ctx))
		t.Logf("%s: %v after %v", board.Name, node.State(), time.Since(start).Round(time.Second))
		conn, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
		must(t, err)
		nodes, conns = append(nodes, node), append(conns, conn)
	}
	for i, from := range conns {
		to := conns[1-i]
		must(t, to.SetReadDeadline(time.Now().Add(30*time.Second)))
		text := "from " + nodes[i].String()
		_, err := from.WriteToUDPAddrPort([]byte(text), netip.AddrPortFrom(nodes[1-i].MeshLocalEID(), port))
		must(t, err)
		buf := make([]byte, 100)
		n, _, err := to.ReadFromUDPAddrPort(buf)
		if err != nil || string(buf[:n]) != text {
			t.Errorf("received %q, %v, want %q", buf[:n], err, text)
		}
	}
}
