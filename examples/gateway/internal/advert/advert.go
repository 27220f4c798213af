// Package advert tells commissioner programs in the local network of a border agent: mDNS with the service _meshcop._udp (Thread 1.1 §8.4.1.1.2).
package advert

import (
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/mdns"
	"github.com/miekg/dns"
)

// service is the type of what is told of.
const service = "_meshcop._udp"

// Info is what is told of a border agent.
type Info struct {
	Instance  string // name of the service, as people see it
	Port      int
	Network   string
	ExtPANID  [8]byte
	MAC       uint64
	Partition uint32
	Attached  bool // the node is part of a mesh
	Model     string
}

// Bits of the state bitmap.
const (
	connectByPSKc     = 1
	interfaceUp       = 1 << 3 // and not part of a mesh
	interfaceActive   = 2 << 3
	highAvailability  = 1 << 5
	txtRecordVersion  = "1"
	threadVersion     = "1.1.1"
	maxInstanceLength = 63
)

// TXT returns the strings of the service's TXT record. Some have bytes in them that are no text.
func (i Info) TXT() []string {
	state := uint32(connectByPSKc | interfaceUp | highAvailability)
	if i.Attached {
		state = connectByPSKc | interfaceActive | highAvailability
	}
	texts := []string{
		"rv=" + txtRecordVersion, "vn=pymesh", "mn=" + i.Model, "nn=" + i.Network, "xp=" + string(i.ExtPANID[:]), "tv=" + threadVersion,
		"xa=" + string(binary.BigEndian.AppendUint64(nil, i.MAC)), "sb=" + string(binary.BigEndian.AppendUint32(nil, state)),
	}
	if i.Attached {
		texts = append(texts, "pt="+string(binary.BigEndian.AppendUint32(nil, i.Partition)))
	}
	return texts
}

// Advertiser answers those who ask for border agents.
type Advertiser struct {
	zone   atomic.Pointer[mdns.MDNSService]
	host   string
	ips    []net.IP
	server *mdns.Server
}

// Start begins to answer, on all interfaces, or on one.
func Start(info Info, on *net.Interface) (*Advertiser, error) {
	a := new(Advertiser)
	name, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("mdns: %w", err)
	}
	name, _, _ = strings.Cut(name, ".")
	a.host = name + ".local."
	if a.ips, err = addresses(on); err != nil {
		return nil, fmt.Errorf("mdns: %w", err)
	}
	if err := a.Set(info); err != nil {
		return nil, err
	}
	a.server, err = mdns.NewServer(&mdns.Config{Zone: a, Iface: on, Logger: log.New(io.Discard, "", 0)})
	if err != nil {
		return nil, fmt.Errorf("mdns: %w", err)
	}
	return a, nil
}

// addresses are those at which the host is reached; of a link alone only if there are no others.
func addresses(on *net.Interface) (ips []net.IP, err error) {
	var list []net.Addr
	if on != nil {
		list, err = on.Addrs()
	} else {
		list, err = net.InterfaceAddrs()
	}
	var onLink []net.IP
	for _, a := range list {
		switch n, ok := a.(*net.IPNet); {
		case !ok || on == nil && n.IP.IsLoopback() || n.IP.IsMulticast():
		case n.IP.IsLinkLocalUnicast():
			onLink = append(onLink, n.IP)
		default:
			ips = append(ips, n.IP)
		}
	}
	if len(ips) == 0 {
		ips = onLink
	}
	if len(ips) == 0 && err == nil {
		err = fmt.Errorf("this host has no address")
	}
	return ips, err
}

// Set changes what is told.
func (a *Advertiser) Set(info Info) error {
	var txt []string
	for _, s := range info.TXT() {
		txt = append(txt, strings.ReplaceAll(s, `\`, `\\`)) // the library takes a backslash for an escape
	}
	name := info.Instance[:min(len(info.Instance), maxInstanceLength)]
	z, err := mdns.NewMDNSService(strings.NewReplacer(`\`, `\\`, ".", `\.`).Replace(name), service, "", a.host, info.Port, a.ips, txt)
	if err != nil {
		return fmt.Errorf("mdns: %w", err)
	}
	a.zone.Store(z)
	return nil
}

// Records answers a question.
func (a *Advertiser) Records(q dns.Question) []dns.RR { return a.zone.Load().Records(q) }

// Close ends it.
func (a *Advertiser) Close() error { return a.server.Shutdown() }
