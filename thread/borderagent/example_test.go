package borderagent_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/borderagent"
	"github.com/gopymesh/pymesh/thread/dtls"
)

// A program that knows the network's PSKc connects: between the two lies the host's network, here nothing.
func Example() {
	now := time.Unix(0, 0)
	pskc := [16]byte{0x10, 0x0c, 0x4a, 0x1d, 0x3a, 0xe4, 0x4e, 0x4b, 0x6c, 0xf9, 0x0f, 0x2d, 0x37, 0x04, 0xc0, 0x9e}
	agent, err := borderagent.New(borderagent.Config{Key: pskc, Rand: rand.Reader})
	if err != nil {
		log.Fatal(err)
	}
	from := netip.MustParseAddrPort("192.0.2.7:50000")
	commissioner, err := dtls.Dial(now, dtls.Config{Password: pskc[:], Rand: rand.Reader, Timing: borderagent.LANTiming()})
	if err != nil {
		log.Fatal(err)
	}
	for progress := true; progress; {
		progress = false
		for b, ok := commissioner.PollTransmit(); ok; b, ok = commissioner.PollTransmit() {
			progress = true
			agent.HandleDatagram(now, from, b)
		}
		for o, ok := agent.PollTransmit(); ok; o, ok = agent.PollTransmit() {
			progress = true
			commissioner.HandleDatagram(now, o.Datagram)
		}
	}
	for ev, ok := agent.PollEvent(); ok; ev, ok = agent.PollEvent() {
		fmt.Println(ev.Peer, ev.Kind)
	}
	// Output: 192.0.2.7:50000 connected
}
