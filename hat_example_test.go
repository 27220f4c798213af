package pymesh_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/hats"
)

// A node on a LoRa hat, which is the same one after a restart.
func ExampleNew() {
	board, err := hats.Parse("dragino")
	if err != nil {
		log.Fatal(err)
	}
	radio, err := board.Open(lora.Config{Frequency: 868_100 * lora.KHz})
	if err != nil {
		log.Fatal(err) // says what to do
	}
	defer radio.Close()
	store, err := pymesh.OpenFileStore("/var/lib/hello/node.store")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	key, err := pymesh.ParseKey("…") // from a file that nobody else reads
	if err != nil {
		log.Fatal(err)
	}
	node, err := pymesh.New(radio, pymesh.WithKey(key), pymesh.WithStore(store))
	if err != nil {
		log.Fatal(err)
	}
	defer node.Close()
	if err := node.WaitAttached(context.Background()); err != nil {
		log.Fatal(err)
	}
}

// A goroutine that reads, in place of a handler.
func ExampleUDPConn_ReadFromUDPAddrPort() {
	node, peer := twoNodes()
	conn, err := node.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
	if err != nil {
		log.Fatal(err)
	}
	arrived := make(chan string)
	reader := func() error {
		buf := make([]byte, pymesh.MaxDatagramSize)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return err // the node is closed
			}
			arrived <- fmt.Sprintf("%s, from the peer: %v", buf[:n], from.Addr() == peer.MeshLocalEID())
		}
	}
	go reader()

	ip := node.MeshLocalEID()
	other, err := peer.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
	if err != nil {
		log.Fatal(err)
	}
	defer other.Close()
	send := func(conn *pymesh.UDPConn) {
		conn.WriteToUDPAddrPort([]byte("Hello World!"), netip.AddrPortFrom(ip, 1234))
	}
	send(other)
	fmt.Println(<-arrived)
	conn.Close()
	// Output: Hello World!, from the peer: true
}
