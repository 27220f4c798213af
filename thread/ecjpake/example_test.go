package ecjpake_test

import (
	"crypto/rand"
	"fmt"
	"log"

	"github.com/gopymesh/pymesh/thread/ecjpake"
)

// Two sides with one password agree on a secret, in two rounds of messages. Each message may be read by anybody.
func Example() {
	session := func(role ecjpake.Role) *ecjpake.Session {
		s, err := ecjpake.New(role, []byte("J01NME"), rand.Reader)
		if err != nil {
			log.Fatal(err)
		}
		return s
	}
	client, server := session(ecjpake.Client), session(ecjpake.Server)
	for _, pair := range [][2]*ecjpake.Session{{client, server}, {server, client}} {
		if err := pair[1].HandleRoundOne(pair[0].RoundOne()); err != nil {
			log.Fatal(err)
		}
	}
	for _, pair := range [][2]*ecjpake.Session{{client, server}, {server, client}} {
		message, err := pair[0].RoundTwo()
		if err != nil {
			log.Fatal(err)
		}
		if err := pair[1].HandleRoundTwo(message); err != nil {
			log.Fatal(err)
		}
	}
	a, err := client.Secret()
	if err != nil {
		log.Fatal(err)
	}
	b, err := server.Secret()
	fmt.Println(a == b, err)
	// Output: true <nil>
}
