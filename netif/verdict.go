package netif

import "fmt"

// Verdict says what has become of a packet.
type Verdict uint8

// Verdicts. All but Passed are drops; those marked with a code are answered with an ICMPv6 error, where RFC 4443 §2.4 allows one.
const (
	Passed      Verdict = iota
	Malformed           // no whole IPv6 datagram, or IPv4
	Chatter             // what a kernel says by itself: router solicitations, neighbor discovery, MLD
	Discovery           // mDNS, LLMNR, SSDP, DHCP: what programs send on every interface
	Scope               // a multicast of interface or link scope, or a link-local address
	ForeignSrc          // the source is no address of this node (code 1)
	Control             // UDP to the ports of MLE and of Thread management (code 1)
	NotAllowed          // TCP without leave, an ICMPv6 type that is not for the mesh, or no rule of the border router allows it (code 1)
	Spoofed             // a source that cannot come from there
	TooLong             // more than the mesh carries (Packet Too Big)
	HopLimit            // used up (Time Exceeded)
	Collapsed           // an equal packet came after it, before it was sent
	Late                // it would have waited for airtime longer than Options.MaxWait (code 1)
	Full                // the queue was full (code 1)
	NoRoute             // not attached, or no way (code 0)
	Unreachable         // nobody has the address (code 3)
	Returned            // it came from the mesh, and a route of the host leads it back (code 0)
	HostFailed          // the kernel did not take it
	numVerdicts
)

func (v Verdict) String() string {
	names := [numVerdicts]string{"passed", "malformed", "chatter", "discovery", "scope", "foreign source", "control", "not allowed", "spoofed",
		"too long", "hop limit", "collapsed", "late", "full", "no route", "unreachable", "returned", "host failed"}
	if v < numVerdicts {
		return names[v]
	}
	return fmt.Sprintf("Verdict(%d)", uint8(v))
}

// Count is a number of packets, and their bytes.
type Count struct{ Packets, Bytes uint64 }

// Stats counts packets by what has become of them. Each packet is in exactly one count.
type Stats struct {
	// ToMesh are the packets that the host had for the mesh, ToHost those that the mesh had for the host.
	ToMesh, ToHost map[Verdict]Count
	// Queued is how many packets wait for airtime.
	Queued int
	// Flows is how many conversations of the border router are known.
	Flows int
}

// tally counts the packets of one direction.
type tally [numVerdicts]Count

func (t *tally) add(v Verdict, size int) {
	t[v].Packets++
	t[v].Bytes += uint64(size)
}

func (t *tally) counts() map[Verdict]Count {
	m := make(map[Verdict]Count)
	for v, c := range t {
		if c.Packets > 0 {
			m[Verdict(v)] = c
		}
	}
	return m
}
