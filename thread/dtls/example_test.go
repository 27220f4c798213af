package dtls_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/gopymesh/pymesh/thread/dtls"
)

// Both sides know a password; then they have a connection, and a key in common that was never sent.
func Example() {
	now := time.Unix(0, 0)
	cfg := dtls.Config{Password: []byte("J01NME"), Rand: rand.Reader}
	client, err := dtls.Dial(now, cfg)
	if err != nil {
		log.Fatal(err)
	}
	cookies, err := dtls.NewCookies(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	var server *dtls.Conn
	for progress := true; progress; {
		progress = false
		for b, ok := client.PollTransmit(); ok; b, ok = client.PollTransmit() {
			progress = true
			if server != nil {
				server.HandleDatagram(now, b)
				continue
			}
			// A stranger gets a cookie, and who brings it back is there.
			reply, known := cookies.Check(now, []byte("fe80::1"), b)
			if !known {
				client.HandleDatagram(now, reply)
			} else if server, err = dtls.Accept(now, cfg, b); err != nil {
				log.Fatal(err)
			}
		}
		if server == nil {
			continue
		}
		for b, ok := server.PollTransmit(); ok; b, ok = server.PollTransmit() {
			progress = true
			client.HandleDatagram(now, b)
		}
	}
	fmt.Println(client.State() == dtls.Established, server.State() == dtls.Established, client.KEK() == server.KEK())
	// Output: true true true
}
