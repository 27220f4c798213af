package main

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	key := pymesh.NewKey()                            // all nodes of a mesh have the same
	air := lorasim.NewAir(lorasim.Options{Speed: 25}) // time passes 25 times as fast on it
	start := func(meters float64) *pymesh.Node {
		radio := air.Radio(lora.Config{}, lorasim.Position{X: meters})
		node, err := pymesh.New(radio, pymesh.WithKey(key)) // a real node has a store, too
		if err != nil {
			log.Fatal(err)
		}
		return node
	}
	alice, bob := start(0), start(500)
	defer alice.Close()
	defer bob.Close()

	// Applications use the mesh-local EID of a node: it stays the same.
	peer := netip.AddrPortFrom(bob.MeshLocalEID(), 1234)
	if err := alice.WaitReachable(ctx, peer.Addr()); err != nil {
		log.Fatal(err)
	}
	in, err := bob.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
	if err != nil {
		log.Fatal(err)
	}
	out, err := alice.DialUDP(netip.AddrPort{}, peer)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := out.Write([]byte("Hello World!")); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, pymesh.MaxDatagramSize)
	n, from, err := in.ReadFromUDPAddrPort(buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, from %v\n", buf[:n], from)
}
