package thread_test

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Two engines driven by hand, without goroutine or clock: each packet that one has for its radio the other hears at once, and time jumps
// to the next deadline.
func Example() {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var nodes [2]*thread.Engine
	for i := range nodes {
		e, err := thread.New(thread.Config{
			NetworkKey: [16]byte{1, 2, 3}, // of your network
			ExtAddr:    ieee802154.ExtAddr{7: byte(i + 1)},
			Rand:       rand.NewChaCha8([32]byte{byte(i)}), // for a real node crypto/rand's Reader
			Timing:     thread.TimingIEEE802154(),
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		nodes[i] = e
	}

	// transmit carries packets until nobody has one more.
	transmit := func() {
		for again := true; again; {
			again = false
			for i, e := range nodes {
				if psdu, ok := e.PollTransmit(); ok {
					nodes[1-i].HandleFrame(now, psdu, -60)
					e.HandleTransmitDone(now, nil)
					again = true
				}
				e.Flush()
			}
		}
	}
	// run lets time pass until done or for a minute.
	run := func(done func() bool) {
		for end := now.Add(time.Minute); !done(); {
			first := nodes[0]
			next, ok := first.NextTimeout()
			if t, too := nodes[1].NextTimeout(); too && (!ok || t.Before(next)) {
				first, next = nodes[1], t
			}
			if next.After(end) {
				return
			}
			now = next
			first.HandleTimeout(now)
			transmit()
		}
	}

	_ = nodes[0].Start(now) // it fails only if the store does
	run(func() bool { return nodes[0].Role() == thread.RoleLeader })
	_ = nodes[1].Start(now)
	run(func() bool { return nodes[1].Role() == thread.RoleChild })
	fmt.Println(nodes[0].Role(), nodes[1].Role())

	// A datagram from the child's host to the leader's.
	src, dst := nodes[1].MeshLocalEID(), nodes[0].MeshLocalEID()
	packet, err := ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: src, Dst: dst}, 1234, 1234, []byte("hello"))
	if err == nil {
		err = nodes[1].HandlePacket(now, packet)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	var got ip6.Datagram
	run(func() (ok bool) {
		got, ok = nodes[0].PollPacket()
		return ok
	})
	fmt.Printf("%s\n", got.Payload[ip6.UDPHeaderSize:])
	// Output:
	// leader child
	// hello
}
