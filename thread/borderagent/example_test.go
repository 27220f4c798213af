package borderagent_test

import (
	"crypto/rand"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/borderagent"
	"github.com/gopymesh/pymesh/thread/dtls"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// A commissioner connects. What the two send each other passes at once here; a program has a socket between them, and an engine (thread.Engine's
// HandleRequest and PollReport) for what the agent wants of the mesh.
func ExampleAgent() {
	pskc, err := meshcop.PSKc("correct horse battery", "home", [8]byte{1})
	if err != nil {
		fmt.Println(err)
		return
	}
	agent, err := borderagent.New(borderagent.Config{Key: pskc, Rand: rand.Reader})
	if err != nil {
		fmt.Println(err)
		return
	}
	now, peer := time.Now(), netip.MustParseAddrPort("192.0.2.7:50000")
	commissioner, err := dtls.Dial(now, dtls.Config{Password: pskc[:], Rand: rand.Reader})
	if err != nil {
		fmt.Println(err)
		return
	}
	for commissioner.State() == dtls.Handshaking {
		for b, ok := commissioner.PollTransmit(); ok; b, ok = commissioner.PollTransmit() {
			agent.HandleDatagram(now, peer, b)
		}
		for out, ok := agent.PollTransmit(); ok; out, ok = agent.PollTransmit() {
			commissioner.HandleDatagram(now, out.Datagram)
		}
	}
	for ev, ok := agent.PollEvent(); ok; ev, ok = agent.PollEvent() {
		fmt.Println(ev.Kind, ev.Peer)
	}
	// Output: connected 192.0.2.7:50000
}
