package wire

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

// Node ids and ports.
const (
	// MaxNodeID is the largest node id; the smallest is 1. Id 0 is the controller.
	MaxNodeID = 33
	// ListenerID is the id of a program that only listens, in real time.
	ListenerID = 34
	// MaxPortOffset keeps all ports below 18000, as controllers want it.
	MaxPortOffset = 264

	basePort      = 9000
	portsPerGroup = 34
)

// Group is one network of simulated nodes: a range of ports.
type Group struct {
	// Base is the port of the controller.
	Base int
	// Offset is the number by which settings of different groups are told apart.
	Offset int
}

// NewGroup returns the group with a port offset, 0 to MaxPortOffset.
func NewGroup(offset int) (Group, error) {
	if offset < 0 || offset > MaxPortOffset {
		return Group{}, fmt.Errorf("wire: port offset %d is not in 0 to %d", offset, MaxPortOffset)
	}
	return Group{Base: basePort + portsPerGroup*offset, Offset: offset}, nil
}

// Environment variables of a simulated node.
const (
	portOffsetVariable  = "PORT_OFFSET"
	portBaseVariable    = "PORT_BASE" // since 2019
	virtualTimeVariable = "VIRTUAL_TIME"
)

// EnvironmentGroup returns the group that PORT_OFFSET and PORT_BASE name; both may be missing.
func EnvironmentGroup() (Group, error) {
	offset, err := environmentInt(portOffsetVariable, 0)
	if err != nil {
		return Group{}, err
	}
	g, err := NewGroup(offset)
	if err != nil {
		return Group{}, err
	}
	base, err := environmentInt(portBaseVariable, basePort)
	if err != nil {
		return Group{}, err
	}
	g.Base += base - basePort
	if g.Base < 1 || g.Port(ListenerID) > 1<<16-1 {
		return Group{}, fmt.Errorf("wire: %s %d leaves no room for the ports", portBaseVariable, base)
	}
	return g, nil
}

// environmentInt reads a number, decimal or 0x….
func environmentInt(name string, def int) (int, error) {
	s := os.Getenv(name)
	if s == "" {
		return def, nil
	}
	v, err := strconv.ParseInt(s, 0, 32)
	if err != nil {
		return 0, fmt.Errorf("wire: %s %q is not a number", name, s)
	}
	return int(v), nil
}

// VirtualTime reports whether the environment asks for virtual time.
func VirtualTime() bool {
	v := os.Getenv(virtualTimeVariable)
	return v != "" && v != "0"
}

// Port returns the port of a node id, of the controller for id 0.
func (g Group) Port(id int) int { return g.Base + id }

func (g Group) addr(id int) *net.UDPAddr {
	return &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: g.Port(id)}
}

func checkNodeID(id int) error {
	if id < 1 || id > MaxNodeID {
		return fmt.Errorf("wire: node id %d is not in 1 to %d", id, MaxNodeID)
	}
	return nil
}
