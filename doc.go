// Package pymesh lets a Linux host take part in a Pymesh, Pycom's mesh of LoPy4 and FiPy boards: Thread 1.1 over raw LoRa.
//
// # Quick start
//
//	key, err := pymesh.ParseKey(text) // the same on all nodes; pymesh.NewKey() makes one for a new mesh
//	...
//	store, err := pymesh.OpenFileStore("/var/lib/myprogram/node.store")
//	...
//	defer store.Close()
//	node, err := pymesh.New(radio, pymesh.WithKey(key), pymesh.WithStore(store))
//	...
//	defer node.Close()
//	if err := node.WaitReachable(ctx, peer); err != nil { // the peer's node.MeshLocalEID()
//		return err
//	}
//	conn, err := node.ListenUDP(netip.MustParseAddrPort("[::]:1234"))
//	...
//	conn.WriteToUDPAddrPort([]byte("Hello World!"), netip.AddrPortFrom(peer, 1234))
//
// The radio is a [github.com/gopymesh/pymesh/lora.Radio]: one on a simulated air (package lora/lorasim), a LoRa hat (lora/hats names those that
// are known; lora/sx1276 and lora/sx126x drive the chips), or any other that sends and receives whole LoRa packets. One node has it at a time.
//
// The store is what a restart needs. A node without one is another node each time, with another address, and its log says so.
//
// # The mesh
//
// A node attaches by itself: it looks for a parent, becomes its child, and a router where routers are few; where nobody
// answers it founds a partition and leads it. Partitions that meet merge. [Node.State] tells the present role, [Node.Events]
// this and all other changes. [Node.WaitAttached] waits until the node has its place, if need be alone; [Node.WaitNeighbor] and
// [Node.WaitReachable] wait for others. Attaching takes 5 to 15 seconds, founding a partition 12 to 20, becoming a router up to two minutes more.
//
// Each node has several IPv6 addresses, see [Node.IPAddrs]. Applications use the mesh-local EID, [Node.MeshLocalEID]: it stays
// when the topology changes. A datagram to it may have to wait for an address query, some seconds.
//
// # The network
//
// [Node.Network] tells the network's name and numbers. [Node.ChangeNetwork] gives all nodes of a running mesh others, or another key, at about
// the same time, and [Node.Events] tells each of them. What has changed so is stored, and goes before the options of New as long as those
// stay the same.
//
// # Joining
//
// A node need not be given the key: [Join] lets it into a mesh by a password of its own, once [Node.Commission] and [Commissioner.Allow] on any
// node of that mesh have said so. What it is told is in its store.
//
// # Sockets
//
// [Node.ListenUDP] and [Node.DialUDP] give a [UDPConn], which is a net.PacketConn and, dialled, a net.Conn; [Node.ListenPacket] and
// [Node.DialContext] are the same with the signatures that libraries take, of CoAP or DTLS. Sockets behave as those of Linux: a write waits while
// there is no room, errors are errnos, and what the mesh says of a datagram later comes out of the next call of a dialled socket, or of
// [UDPConn.ReadError]. Datagrams have at most 1224 bytes ([MaxDatagramSize]), and large ones cost much air: 1000 bytes are twelve frames on each
// hop. [UDPConn.ReadMsg] tells more of a datagram, [UDPConn.TryRead] does not wait, and [Node.OnReceive] has a function called for each datagram
// that arrives.
//
// Methods of [Node] fail with the same errnos, so that errors.Is(err, syscall.ENETUNREACH) holds where the node is part of no mesh.
//
// # Border routers
//
// [Node.BorderRouter] gives all nodes an address in a prefix, and makes this node their way to the outside: what they send there comes to
// [Node.OnForward], or with a [BorderRouterHeader] to a socket; [Node.Forward] and [Node.ForwardUDP] are the way back in. Nothing is forwarded to
// the host's own network by itself.
//
// Boards can have that role, too. What is known of them, from Pycom's published source, not from hardware: a board remembers only the prefix
// that it was given last when it decides what to hand to its program. The header of 19 bytes is not counted against the 512 of a place in its
// queue, so that payloads above 493 bytes overrun it: send no more than 493 through a board. It loses a message buffer for each datagram that
// its program is not to get, such as mesh-local UDP to its own address, TCP, and ICMPv6 errors: send it little of that, and give a host the higher
// preference. A board has no DHCPv6.
//
// # Lifecycle
//
// A Node runs from [New] to [Node.Close]. Close leaves no goroutine behind and does not close the radio. A node with a store
// ([WithStore], [OpenFileStore]) that is made again takes up its old place in the mesh, with its address; one without is another node.
//
// # Where it differs from the firmware
//
//   - What must survive a restart is kept where [WithStore] says; the firmware has its flash.
//   - A key of more than 16 bytes is an error; the firmware cuts it.
//   - A node has up to 1024 sockets; WithMaxSockets(3) gives the firmware's bound.
//   - Ports 19788 and 61631, which the mesh itself uses, look as if they were taken.
//   - OnReceive's function is called once for each datagram, with the socket that has it, rather than with an argument; a handler that reads all
//     sockets until they are empty works as well, with TryRead.
//   - A socket's queue holds 64 datagrams of any size; the firmware's holds 5 of at most 512 bytes. Both drop the oldest.
//   - Reading from an empty socket waits; the firmware returns an empty result at once, as TryRead does.
//   - A datagram to a group reaches the other sockets of the node, too: see UDPConn.SetMulticastLoopback.
//   - A datagram to the outside goes to one place, the handler of OnForward or one socket; the firmware's callback runs for any socket.
//   - PathCost is 0 for every router with a good direct connection, even where a way over others is known too.
//   - Timing is Pycom's, except where a constant's comment in package thread starts with "Deviation:".
//
// # Stability
//
// Versions follow Semantic Versioning. Within v0, the API of this package and of lora, lora/hats, lora/lorasim, lora/meshtest, lora/periphpins,
// lora/sx126x, lora/sx1276, lora/transceiver, netif and thread/topology changes in a minor version only (v0.2.0), with a line in CHANGELOG.md
// for each change; a patch (v0.1.1) leaves it as it is. A golden file of each is in testdata/api. What may change at any time: package thread and those below it, which show how Thread works to
// those who look; the names in [Counters]; what is inside of [Settings], of which later versions read earlier ones; texts of errors and logs; the
// example programs. Structs that are returned may get more fields: compare and build them with field names.
//
// # Limits
//
// Boards of Pycom have not been tried with a hat yet: everything on the air is proven against OpenThread's own simulation, of the version that the
// boards have. Commands of the command line that are not there are named by [github.com/gopymesh/pymesh/thread/cli]; README.md says what
// works, protocol by protocol.
//
// The border agent ([Node.ServeCommissioner]) has met OpenThread's commissioner, and no telephone yet. Commercial commissioning (Thread 1.2) is not there.
package pymesh
