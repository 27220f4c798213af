package main

import (
	"net"
	"strconv"
	"time"
)

// supervisor is systemd, as a service sees it (sd_notify(3)). Without systemd it does nothing.
type supervisor struct {
	socket   string
	watchdog time.Duration // 0: none
}

// idleInterval is how often a node without a watchdog shows that it lives.
const idleInterval = time.Minute

func newSupervisor(getenv func(string) string) *supervisor {
	s := &supervisor{socket: getenv("NOTIFY_SOCKET")}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s
}

// interval returns how often alive is to be called.
func (s *supervisor) interval() time.Duration {
	if s.watchdog > 0 {
		return s.watchdog / 2
	}
	return idleInterval
}

func (s *supervisor) ready()             { s.notify("READY=1") }
func (s *supervisor) alive()             { s.notify("WATCHDOG=1") }
func (s *supervisor) status(text string) { s.notify("STATUS=" + text) }
func (s *supervisor) stopping()          { s.notify("STOPPING=1") }

// notify sends a message. A systemd that does not listen is no reason to stop.
func (s *supervisor) notify(message string) {
	if s.socket == "" {
		return
	}
	// A leading @ stands for an abstract socket, in systemd as in package net.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(message))
}
