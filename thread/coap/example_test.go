package coap_test

import (
	"fmt"
	"log"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
)

// A confirmable request and its response, between two endpoints that are driven by hand.
func Example() {
	now := time.Unix(0, 0)
	endpoint := func(seed uint64) *coap.Endpoint[string] {
		return coap.NewEndpoint[string](coap.Config{Timing: coap.DefaultTiming(), Rand: rand.New(rand.NewPCG(seed, 0))})
	}
	client, server := endpoint(1), endpoint(2)
	from, to := netip.MustParseAddrPort("[fe80::1]:5683"), netip.MustParseAddrPort("[fe80::2]:5683")

	options, err := coap.Options(nil).AppendURIPath("led/1")
	if err != nil {
		log.Fatal(err)
	}
	request := coap.Message{Type: coap.Confirmable, Code: coap.PUT, Token: client.NewToken(), Options: options, Payload: []byte("on")}
	if err := client.Request(now, coap.Path{Local: from.Addr(), Peer: to}, request, "my tag"); err != nil {
		log.Fatal(err)
	}
	t, _ := client.PollTransmit()
	if err := server.HandleDatagram(now, coap.Path{Local: to.Addr(), Peer: from}, t.Payload); err != nil {
		log.Fatal(err)
	}
	event, _ := server.PollEvent()
	fmt.Println(event.Message.Code, event.Message.Options.URIPath(), string(event.Message.Payload))

	server.Respond(now, event, coap.Message{Code: coap.Changed})
	t, _ = server.PollTransmit()
	if err := client.HandleDatagram(now, coap.Path{Local: from.Addr(), Peer: to}, t.Payload); err != nil {
		log.Fatal(err)
	}
	event, _ = client.PollEvent()
	fmt.Println(event.Message.Code, event.Tag)
	// Output:
	// 0.03 led/1 on
	// 2.04 my tag
}
