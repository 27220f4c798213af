// Package thread is one Thread 1.1 node as a state machine: attaching, routing, partitions, forwarding, address query, network
// management. It has no goroutine, no clock, no lock and no randomness of its own: whoever drives an [Engine] brings the time
// and the random numbers, and moves packets between it and a radio. Package pymesh does that in real time; lora/lorasim's event
// loop does it for thousands of engines in virtual time.
//
// An engine is made of rooms. Each has its own state, timers and tests, and knows no Engine; what it needs of another it is handed
// when the engine is wired (wire.go). Those below thread/internal have the compiler as their doorkeeper.
//
//	     host: HandlePacket ▼  ▲ PollPacket              PollEvent, Role, Neighbors, Routers, Leader …
//	┌───────────────────────────────────────────────────────────────────────────────────────────────────┐
//	│ engine.go   inputs, outputs, timers    transition.go  becomeX    store.go  what a restart needs    │
//	│ roles       attacher, keepAlive │ parentSide │ links, routes, selection │ leading                  │
//	│ services    distributor (network data, dataset) │ registrar (what this node offers)                │
//	│             queries (addresses) │ leases (DHCPv6)                                                  │
//	│             management (datasets), commissioner, announcer, admission (joiners)                    │
//	│             internal/networkdata, internal/dataset, internal/commissioning, internal/resolver      │
//	│             internal/joining: joiner and joiner router, over dtls and ecjpake                      │
//	│             internal/slaac, dhcp                                                                   │
//	│             diagnostics │ surroundings (scans, beacons, Discovery, Announce), internal/scan        │
//	│ messengers  mleMessenger: command → handler    tmfMessenger: resource → handler                    │
//	│ ip          ipLayer, internal/addresses, mpl.Domain                                                │
//	│ 6LoWPAN     meshLayer: fragments, mesh headers, ways    internal/sender: queue, fragments, pauses, │
//	│                                                         what is held for children that sleep       │
//	│ mac         internal/mac: CSMA-CA, acknowledgements, retries, security    internal/keychain        │
//	│             internal/polling: when a node that sleeps asks its parent                              │
//	│ below all   internal/neighbors: parent, children, routers    internal/core: now, chance, log       │
//	└───────────────────────────────────────────────────────────────────────────────────────────────────┘
//	     radio: HandleFrame ▼  ▲ PollTransmit, HandleTransmitDone       time: NextTimeout, HandleTimeout
//
// A frame on its way in:
//
//  1. Engine.HandleFrame: mac.Ignore counts a frame for another node, which is most of them, and that is all.
//  2. mac.HandleFrame parses it, queues the acknowledgement, and asks neighbors whose it is.
//  3. The MAC's filter, replay check and cipher (keychain) let it pass; the neighbor's link quality learns of it.
//  4. Engine.receive: a child's poll goes to parentSide, beacons and requests for them to surroundings, all else to
//     meshLayer.receive: a mesh header for another node goes to relay, and so back to the sender with one hop less.
//  5. meshLayer.arrive collects fragments, or decompresses the datagram; handUp parses it, as far as is seen on the way.
//  6. The resolver learns where its source is.
//  7. ipLayer.receive: for this node, for a group of it, or for a child, to which it is forwarded; multicasts pass mpl.Domain.
//     One that leaves the mesh by this node goes to PollForward.
//  8. ipLayer.deliver: UDP to MLE or TMF, an echo request to its answer, all else to PollPacket.
//  9. mleMessenger.receive opens and checks the message, and calls the handler of its row in Engine.commands.
//  10. Engine.settle gives an idle MAC its next frame, and keepDeadline finds when the next timer is due.
//
// A datagram on its way out:
//
//  1. Engine.HandlePacket, or a messenger by ipLayer.sendUDP and mleMessenger.send, makes a sender.Message of it.
//  2. ipLayer.send: to itself it is delivered, beyond the link as a multicast it gets an MPL option; else
//  3. sender.Enqueue puts it into the queue by its priority.
//  4. Engine.settle: sender.Choose takes the message whose turn it is, once the MAC is idle.
//  5. meshLayer.Route tells its way: this link, the parent, a neighbor, one beside this node by shortcuts, or a router by neighbors.Routers.NextHop.
//  6. An address whose place is unknown is asked for (resolver, queries); the datagram waits, for Release or Refuse.
//  7. sender.Start has an MLE message secured (mleMessenger.secure), compresses the datagram, without the addresses that its receiver knows (ends), and cuts a fragment if it must; a mesh header leads on from the next hop.
//  8. mac.Send secures the frame under the next frame counter, and backs off.
//  9. PollTransmit hands it to the radio; HandleTransmitDone and the acknowledgement end it, or it is tried again.
//  10. mac.PollSent tells sender.Sent: the next fragment follows, or the message is done.
//
// The codecs are packages of their own, one for each standard, below this one.
//
// Files are ordered by concern; [Timing] holds every duration. A comment that starts with "Deviation:" marks where the engine
// leaves the way of Thread or of OpenThread, and says why.
package thread
