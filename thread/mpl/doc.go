// Package mpl is the Multicast Protocol for Low-Power and Lossy Networks (RFC 7731) as Thread uses it: proactive
// forwarding of multicasts through the mesh, without control messages.
//
// Every datagram carries an MPL option (RFC 7731 §6.1, see package ip6) with a seed, who put it into the mesh, and a
// sequence number. A [SeedSet] tells new datagrams from those heard before. A new one is handed up and kept in a
// [Buffer], which gives it out again to be broadcast, a fixed number of times at random points of consecutive
// intervals:
//
//	          arrives    forwarded         forwarded
//	-------------|-----------t---|---------t-----|-----
//	             0               I               2I
//
//	     originated            repeated
//	-------------|-----------t---|---------------
//	             0               I
//
// Routers send each datagram twice, others not at all (Thread 1.1 §5): that is the caller's number of expirations.
// The datagram that a node puts into the mesh itself counts as its first transmission.
//
// A [Domain] is both together, with the node's own multicasts and their sequence: a node needs nothing else.
package mpl
