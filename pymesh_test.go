package pymesh_test

import (
	"context"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

func TestTwoNodes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		air := lorasim.NewAir(lorasim.Options{Seed: 1})
		key := []byte{0x11, 0x22, 0x33}
		var nodes []*pymesh.Node
		for i := range 2 {
			n, err := pymesh.New(air.Radio(lora.Config{}, lorasim.Position{X: float64(i) * 100}), pymesh.WithKey(key))
			if err != nil {
				t.Fatal(err)
			}
			defer n.Close()
			nodes = append(nodes, n)
			if err := n.WaitAttached(context.Background()); err != nil {
				t.Fatal(err)
			}
			t.Log(time.Now(), n)
		}
		a, b := nodes[0], nodes[1]
		ca, err := a.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
		if err != nil {
			t.Fatal(err)
		}
		cb, err := b.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ca.WriteToUDPAddrPort([]byte("Hello World!"), netip.AddrPortFrom(b.MeshLocalEID(), 1234)); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 100)
		cb.SetReadDeadline(time.Now().Add(time.Minute))
		n, from, err := cb.ReadFromUDPAddrPort(buf)
		t.Log(string(buf[:n]), from, err, time.Now())
		p, err := b.Ping(context.Background(), a.MeshLocalEID(), 8)
		t.Log(p, err)
		t.Log(a.IPAddrs(), a.Neighbors(), a.Routers())
		l, _ := b.Leader()
		t.Log(l)
	})
}
