// Package otsim is the controller of OpenThread's simulated nodes in virtual time, for
// tests that put this project's nodes among real ones.
//
// The programs speak what package wire describes: they are started as PROGRAM NODE_ID and
// exchange events with the controller. A frame is delivered a microsecond after it was
// sent, to all others and then, as its "transmission done", to the sender itself.
//
// A program's command line is its standard input and output. One that prints wakes once
// more to do so, and announces an alarm each time. So after the barrier the controller
// waits until the process sleeps and nothing of it is left to read, which makes a run
// depend on nothing but the programs' own random numbers. It is the first thread that is
// looked at: a program with more of them, such as otcli, prints before it announces.
//
// Stations of this process, such as thread.Engine, live on the same air.
package otsim
