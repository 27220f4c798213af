// Package wire is what OpenThread's simulated nodes speak, and the node's side of it.
//
// A simulated node is OpenThread's command line program for its simulation platform
// ("posix" until 2019), started as PROGRAM NODE_ID. Nodes with the same PORT_OFFSET share
// an air of UDP on 127.0.0.1, node i at port 9000 + 34·PORT_OFFSET + i.
//
// In real time a frame is one datagram to the ports of all others:
//
//	0         1
//	+---------+--------- … ------+
//	| channel | PSDU with FCS    |
//	+---------+--------- … ------+
//
// In virtual time nodes talk to a controller at 9000 + 34·PORT_OFFSET alone. A datagram
// is one event, packed, little endian:
//
//	0                 8      9        11
//	+-----------------+------+--------+---------- … -----+
//	| delay in µs     | type | length | data, 0 to 1024  |
//	+-----------------+------+--------+---------- … -----+
//
//	type      node to controller              controller to node
//	0 alarm   asleep until delay has passed   delay has passed
//	1 radio   transmits channel and PSDU      delay has passed, then channel and PSDU are heard
//
// The controller's delay counts from the event that it delivered to that node last, and
// is all that moves the node's clock. A node answers each event with what it transmits
// and then one alarm, the barrier on which the controller goes on. Its own frame comes
// back to it as "transmission done".
//
// Everybody hears everybody, with -20 dBm. There is no airtime, no collision and no busy
// channel.
package wire
