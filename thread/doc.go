// Package thread is one Thread 1.1 node as a state machine: attaching, routing, partitions, forwarding, address query, network
// management. It has no goroutine, no clock, no lock and no randomness of its own: whoever drives an [Engine] brings the time
// and the random numbers, and moves packets between it and a radio. Package pymesh does that in real time; lora/lorasim's event
// loop does it for thousands of engines in virtual time.
//
//	     host: HandlePacket ▼  ▲ PollPacket                    PollEvent, Role, Neighbors, Routers, Leader …
//	┌──────────────────────────────────────────────────────────────────────────────────────────────┐
//	│ lifecycle.go, network.go, parameters.go, macfilter.go  commands  tables.go, snapshot.go  getters│
//	│ ip.go       IPv6, ICMPv6, UDP, MPL             management.go, leader.go   TMF: router IDs       │
//	│ address.go  addresses                          resolver.go                address query         │
//	│ mle.go      MLE security, neighbors                                                             │
//	│ attach.go, keepalive.go  child │ parent.go  parent │ link.go, route.go  router │ role.go        │
//	│ forward.go, receive.go   6LoWPAN: queue, mesh header, fragments                                 │
//	│ mac.go      CSMA-CA, acknowledgements, retries, frame security                                  │
//	└──────────────────────────────────────────────────────────────────────────────────────────────┘
//	     radio: HandleFrame ▼  ▲ PollTransmit, HandleTransmitDone       time: NextTimeout, HandleTimeout
//
// The codecs are packages of their own, one for each standard, below this one.
//
// Files are ordered by concern; [Timing] holds every duration. A comment that starts with "Deviation:" marks where the engine
// leaves the way of Thread or of OpenThread, and says why.
package thread
