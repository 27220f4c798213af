// Package meshtest puts Thread nodes on a simulated air for tests: whole meshes in virtual time, without goroutines or
// clocks, the same for the same seed, packet by packet.
//
//	m := meshtest.Chain(t, lorasim.Options{Seed: 1}, 3, nil)
//	m.StartEach(time.Second)
//	m.Until(15*time.Minute, "one mesh", m.OneMesh)
//	m.Nodes[0].Reach(m.Nodes[2].MeshLocalEID(), 50, 5*time.Minute)
//
// A [Mesh] is a [lorasim.Sim] with nodes on it. A [Node] is a thread.Engine at an antenna. All its methods are there; after
// one that gives it something to do, other than those of Node itself, the air has to be told:
//
//	err := n.HandlePacket(m.Sim.Now(), packet)
//	n.Antenna.Touch()
//
// A [Peer] is no node but a radio that the test plays by hand: it keeps what it hears, and sends what the test wants,
// well-formed or not. An [Intruder] is one without the key.
//
// Time passes in [Mesh.Run], [Mesh.Until], [Node.Ping], [Node.Reach], [Peer.Await] and [Peer.Attach] alone. An hour of a
// small mesh takes some milliseconds.
package meshtest
