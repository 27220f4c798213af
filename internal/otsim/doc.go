// Package otsim is the controller of OpenThread's simulated nodes in virtual time, for
// tests that put this project's nodes among real ones.
//
// A simulated node is OpenThread's command line program for its simulation platform
// ("posix" until 2019), built for virtual time. It is started as PROGRAM NODE_ID with
// PORT_OFFSET in its environment and talks over UDP on 127.0.0.1: the node at port
// 9000 + 34·PORT_OFFSET + NODE_ID, the controller at 9000 + 34·PORT_OFFSET. A datagram
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
// The controller's delay counts from the event that it delivered to that node last. A
// node answers each event with what it transmits and then one alarm: the barrier on
// which the controller goes on. A frame is delivered a microsecond after it was sent,
// to all others and then, as its "transmission done", to the sender itself. There is no
// airtime and no collision, and every link has -20 dBm.
//
// A program's command line is its standard input and output. One that prints wakes once
// more to do so, and announces an alarm each time. So after the barrier the controller
// waits until the process sleeps and nothing of it is left to read, which makes a run
// depend on nothing but the programs' own random numbers.
//
// Stations of this process, such as thread.Engine, live on the same air.
package otsim
