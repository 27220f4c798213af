package topology

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/mle"
)

// WriteText writes a table of the nodes and one of the links.
func (t Topology) WriteText(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "RLOC16\tROLE\tMAC\tMODE\tAGE\tADDRESS")
	for _, n := range t.nodes() {
		fmt.Fprintf(tw, "%v\t%s\t%s\t%v\t%s\t%s\n", n.RLOC16, role(n), mac(n.MAC), n.Mode, age(n), address(n))
	}
	fmt.Fprintln(tw)
	fmt.Fprintln(tw, "LINK\t\tQUALITY\t\tRSSI")
	for _, l := range t.Links {
		fmt.Fprintf(tw, "%v\t%v\t→%s\t←%s\t→%s ←%s\n", l.A, l.B, quality(l.AtoB), quality(l.BtoA), rssi(l.AtoB), rssi(l.BtoA))
	}
	return tw.Flush()
}

// nodes are the routers, each before its children.
func (t Topology) nodes() (list []Node) {
	for _, r := range t.Routers {
		list = append(list, r)
		for _, c := range t.Children {
			if c.RLOC16.RouterID() == r.RLOC16.RouterID() {
				list = append(list, c)
			}
		}
	}
	return list
}

func role(n Node) string {
	switch {
	case n.Leader:
		return "leader"
	case n.IsChild():
		return "child"
	}
	return "router"
}

func mac(a ieee802154.ExtAddr) string {
	if a == (ieee802154.ExtAddr{}) {
		return "?"
	}
	return a.String()
}

func age(n Node) string {
	silent := ""
	if n.Asked && !n.Answered {
		silent = " silent"
	}
	if n.Age < 0 {
		return "?" + silent
	}
	return n.Age.Round(time.Second).String() + silent
}

// address is the node's mesh-local EID, or what else it has.
func address(n Node) string {
	for _, a := range n.Addresses {
		if _, isLocator := mle.LocatorOf(a); !isLocator && !a.IsLinkLocalUnicast() {
			return a.String()
		}
	}
	return "?"
}

func quality(d Direction) string {
	if d.Quality == Unknown {
		return "?"
	}
	return strconv.Itoa(d.Quality)
}

func rssi(d Direction) string {
	if d.RSSI == RSSIUnknown {
		return "?"
	}
	return strconv.Itoa(d.RSSI)
}

// WriteDOT writes a graph for Graphviz: routers as boxes, children as ellipses, silent nodes dashed; the width of a link is its poorer quality.
func (t Topology) WriteDOT(w io.Writer) error {
	var b strings.Builder
	b.WriteString("graph mesh {\n\tnode [fontname=\"sans-serif\"];\n")
	for _, n := range t.nodes() {
		shape, style := "box", "solid"
		if n.IsChild() {
			shape = "ellipse"
		}
		if n.Asked && !n.Answered {
			style = "dashed"
		}
		fmt.Fprintf(&b, "\t%q [label=%q, shape=%s, style=%s];\n", n.RLOC16.String(),
			fmt.Sprintf("%v %s\n%s", n.RLOC16, role(n), mac(n.MAC)), shape, style)
	}
	for _, l := range t.Links {
		width := max(min(l.AtoB.Quality, l.BtoA.Quality), 1)
		fmt.Fprintf(&b, "\t%q -- %q [label=\"%s/%s\", penwidth=%d];\n", l.A.String(), l.B.String(), quality(l.AtoB), quality(l.BtoA), width)
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// MarshalJSON writes RLOC16s and MACs in hexadecimal, ages in seconds, and null for what is not known.
func (t Topology) MarshalJSON() ([]byte, error) {
	type node struct {
		RLOC16    string       `json:"rloc16"`
		Role      string       `json:"role"`
		MAC       string       `json:"mac,omitempty"`
		Parent    string       `json:"parent,omitempty"`
		Mode      string       `json:"mode"`
		Addresses []netip.Addr `json:"addresses,omitempty"`
		Timeout   float64      `json:"timeout,omitempty"`
		Asked     bool         `json:"asked"`
		Answered  bool         `json:"answered"`
		Age       *float64     `json:"age"`
	}
	type link struct {
		A    string    `json:"a"`
		B    string    `json:"b"`
		AtoB direction `json:"a_to_b"`
		BtoA direction `json:"b_to_a"`
	}
	out := struct {
		Time      time.Time `json:"time"`
		Partition string    `json:"partition"`
		Nodes     []node    `json:"nodes"`
		Links     []link    `json:"links"`
	}{Time: t.Time, Partition: fmt.Sprintf("%08x", t.PartitionID)}
	for _, n := range t.nodes() {
		v := node{
			RLOC16: n.RLOC16.String(), Role: role(n), Mode: n.Mode.String(), Addresses: n.Addresses, Timeout: n.Timeout.Seconds(),
			Asked: n.Asked, Answered: n.Answered,
		}
		if n.MAC != (ieee802154.ExtAddr{}) {
			v.MAC = n.MAC.String()
		}
		if n.IsChild() {
			v.Parent = n.RLOC16.RouterID().RLOC16().String()
		}
		if n.Age >= 0 {
			seconds := n.Age.Seconds()
			v.Age = &seconds
		}
		out.Nodes = append(out.Nodes, v)
	}
	for _, l := range t.Links {
		out.Links = append(out.Links, link{l.A.String(), l.B.String(), jsonDirection(l.AtoB), jsonDirection(l.BtoA)})
	}
	return json.Marshal(out)
}

// A Way is what a trace has found, from the first hop on.
type Way []Hop

// WriteText writes a line for each hop.
func (w Way) WriteText(out io.Writer) error {
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "HOP\tRLOC16\tMAC\tQUALITY\tRSSI\tRTT")
	for i, h := range w {
		rtt := "?"
		if h.RTT > 0 {
			rtt = h.RTT.Round(time.Millisecond).String()
		}
		fmt.Fprintf(tw, "%d\t%v\t%s\t→%s ←%s\t→%s ←%s\t%s\n", i+1, h.RLOC16, mac(h.MAC), quality(h.Forth), quality(h.Back), rssi(h.Forth), rssi(h.Back), rtt)
	}
	return tw.Flush()
}

// MarshalJSON writes RLOC16s and MACs in hexadecimal, times in seconds, and null for what is not known.
func (w Way) MarshalJSON() ([]byte, error) {
	type hop struct {
		RLOC16 string    `json:"rloc16"`
		MAC    string    `json:"mac,omitempty"`
		Forth  direction `json:"forth"`
		Back   direction `json:"back"`
		RTT    *float64  `json:"rtt"`
	}
	list := []hop{}
	for _, h := range w {
		v := hop{RLOC16: h.RLOC16.String(), Forth: jsonDirection(h.Forth), Back: jsonDirection(h.Back)}
		if h.MAC != (ieee802154.ExtAddr{}) {
			v.MAC = h.MAC.String()
		}
		if h.RTT > 0 {
			seconds := h.RTT.Seconds()
			v.RTT = &seconds
		}
		list = append(list, v)
	}
	return json.Marshal(list)
}

// direction is a Direction in JSON.
type direction struct {
	Quality *int `json:"quality"`
	RSSI    *int `json:"rssi"`
}

func jsonDirection(d Direction) direction {
	known := func(v, unknown int) *int {
		if v == unknown {
			return nil
		}
		return &v
	}
	return direction{known(d.Quality, Unknown), known(d.RSSI, RSSIUnknown)}
}
