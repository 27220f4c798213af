// Package pycom reads and writes what Pycom's own library for its boards sends over a mesh: messages between boards on UDP port 1234, what they
// send to the world through a border router, and the datagrams of Pybytes.
//
// All numbers are big endian. A packet on port 1234 is a type (1 byte), the length of the rest (2 bytes), and the rest:
//
//	0x10  message    MAC of the sender 8, identifier 2, length 2, text
//	0x11  received   MAC of who has received it 8, identifier 2
//	0xF4  what is known of a node?   its MAC 2
//	0x84  this is known              role 1, and for a router (3) a description, for a child (2) a neighbor
//	0xF2  which nodes are there?     no content
//	0x82  these nodes                count 2, MAC 2 each
//	0xF3  which links are there?     no content
//	0x83  these links                count 2, MAC 2, MAC 2, RSSI 1 each
//	0x80  who are your neighbors?    no content
//	0xF0  these are my neighbors     a description
//
// A description is MAC 2, RLOC16 2, latitude and longitude 4 each (IEEE 754), count 1, and the neighbors. A neighbor is MAC 2, RLOC16 2, role 1,
// RSSI 1, age in seconds 1. A MAC address of 2 bytes is the end of the whole one, and what an address of the library ends with, see [Address].
//
// The library repeats nothing, and takes each message that comes for a new one. 0xF2 and 0xF3 it asks the leader of the mesh.
//
// The formats were read off the library's packets (version of October 2021), which are in testdata, and its documentation.
package pycom

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// Port is where the library listens.
const Port = 1234

// Kind is the type of a packet.
type Kind uint8

// Kinds of packets.
const (
	KindText         Kind = 0x10
	KindReceived     Kind = 0x11
	KindAskNeighbors Kind = 0x80
	KindNodes        Kind = 0x82
	KindPairs        Kind = 0x83
	KindInfo         Kind = 0x84
	KindNeighbors    Kind = 0xf0
	KindAskNodes     Kind = 0xf2
	KindAskPairs     Kind = 0xf3
	KindAskInfo      Kind = 0xf4
)

var kindNames = map[Kind]string{
	KindText: "text", KindReceived: "received", KindNodes: "nodes", KindPairs: "pairs", KindInfo: "info", KindNeighbors: "neighbors",
	KindAskNodes: "ask nodes", KindAskPairs: "ask pairs", KindAskInfo: "ask info", KindAskNeighbors: "ask neighbors",
}

func (k Kind) String() string {
	if name, ok := kindNames[k]; ok {
		return name
	}
	return fmt.Sprintf("Kind(0x%02x)", uint8(k))
}

// Roles that 0x84 tells: it is a router's description, or what a router knows of its child.
const (
	RoleChild  uint8 = 2
	RoleRouter uint8 = 3
)

// Bounds.
const (
	headerSize = 3
	// MaxText is the longest text that fits into a datagram beside its headers.
	MaxText = 1000
	// MaxNodes is how many nodes or links one packet lists.
	MaxNodes = 100
)

// Errors.
var (
	ErrTruncated = errors.New("pycom: truncated")
	ErrLength    = errors.New("pycom: wrong length")
	ErrKind      = errors.New("pycom: unknown type")
	ErrTooLong   = errors.New("pycom: too long")
)

// Text is a message from one board to another.
type Text struct {
	MAC  uint64 // of the sender
	ID   uint16
	Text string
}

// Received says that a message has come. The library knows by MAC which of its messages that is.
type Received struct {
	MAC uint64 // of who has received it
	ID  uint16
}

// Neighbor is a link of a node.
type Neighbor struct {
	MAC    uint16 // its last two bytes
	RLOC16 uint16
	Role   uint8
	RSSI   int8 // dBm
	Age    uint8
}

// Info is what is known of a node: a router's description, or with RoleChild its parent's entry of it.
type Info struct {
	Role      uint8
	MAC       uint16
	RLOC16    uint16
	Latitude  float64 // degrees; NaN if not known
	Longitude float64
	Neighbors []Neighbor
	// Link is all that there is of a child.
	Link Neighbor
}

// Where a board says to be that was not told: the maker's office.
const (
	unsetLatitude  = 51.45
	unsetLongitude = 5.45313
)

// Positioned reports whether the node has told a place on earth.
func (i Info) Positioned() bool {
	office := math.Abs(i.Latitude-unsetLatitude) < 1e-5 && math.Abs(i.Longitude-unsetLongitude) < 1e-5
	return i.Role != RoleChild && math.Abs(i.Latitude) <= 90 && math.Abs(i.Longitude) <= 180 && (i.Latitude != 0 || i.Longitude != 0) && !office
}

// Pair is a link between two nodes.
type Pair struct {
	A, B uint16
	RSSI int8
}

// Packet is one packet of port 1234; the field that Kind says is set.
type Packet struct {
	Kind     Kind
	Text     Text
	Received Received
	About    uint16 // whom KindAskInfo asks for
	Info     Info   // of KindInfo and KindNeighbors
	Nodes    []uint16
	Pairs    []Pair
}

// Parse reads a packet of port 1234. What follows its length is ignored, as the library does.
func Parse(b []byte) (p Packet, err error) {
	if len(b) < headerSize {
		return Packet{}, ErrTruncated
	}
	n := int(binary.BigEndian.Uint16(b[1:]))
	if len(b) < headerSize+n {
		return Packet{}, ErrLength
	}
	p.Kind = Kind(b[0])
	r := reader{b: b[headerSize : headerSize+n]}
	switch p.Kind {
	case KindText:
		p.Text = r.text()
	case KindReceived:
		p.Received = Received{r.u64(), r.u16()}
	case KindAskInfo:
		p.About = r.u16()
	case KindInfo:
		if p.Info.Role = r.u8(); p.Info.Role == RoleChild {
			p.Info.Link = r.neighbor()
			p.Info.MAC, p.Info.RLOC16 = p.Info.Link.MAC, p.Info.Link.RLOC16
			break
		}
		p.Info = r.description(p.Info.Role)
	case KindNeighbors:
		p.Info = r.description(RoleRouter)
	case KindNodes:
		for range r.count() {
			p.Nodes = append(p.Nodes, r.u16())
		}
	case KindPairs:
		for range r.count() {
			p.Pairs = append(p.Pairs, Pair{r.u16(), r.u16(), int8(r.u8())})
		}
	case KindAskNodes, KindAskPairs, KindAskNeighbors:
	default:
		return Packet{}, ErrKind
	}
	if r.err != nil {
		return Packet{}, r.err
	}
	return p, nil
}

// reader takes numbers off a packet; after an error it returns zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if len(r.b) < n {
		r.err, r.b = ErrTruncated, nil
		return make([]byte, n)
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) u8() uint8   { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.BigEndian.Uint16(r.take(2)) }
func (r *reader) u64() uint64 { return binary.BigEndian.Uint64(r.take(8)) }

func (r *reader) float() float64 {
	f := float64(math.Float32frombits(binary.BigEndian.Uint32(r.take(4))))
	if math.IsInf(f, 0) {
		return math.NaN()
	}
	return f
}

// count reads a number of entries that follow.
func (r *reader) count() int {
	n := int(r.u16())
	if n > MaxNodes {
		r.err = ErrLength
		return 0
	}
	return n
}

func (r *reader) text() Text {
	t := Text{MAC: r.u64(), ID: r.u16()}
	n := int(r.u16())
	if n > len(r.b) {
		r.err = ErrLength
		return Text{}
	}
	t.Text = strings.ToValidUTF8(string(r.take(n)), "\uFFFD")
	return t
}

func (r *reader) neighbor() Neighbor {
	return Neighbor{r.u16(), r.u16(), r.u8(), int8(r.u8()), r.u8()}
}

func (r *reader) description(role uint8) Info {
	i := Info{Role: role, MAC: r.u16(), RLOC16: r.u16(), Latitude: r.float(), Longitude: r.float()}
	for range int(r.u8()) {
		n := r.neighbor()
		if r.err != nil {
			return Info{}
		}
		i.Neighbors = append(i.Neighbors, n)
	}
	return i
}

// AppendBinary appends the packet to b.
func (p Packet) AppendBinary(b []byte) ([]byte, error) {
	start := len(b)
	b = append(b, byte(p.Kind), 0, 0)
	be := binary.BigEndian
	switch p.Kind {
	case KindText:
		if len(p.Text.Text) > MaxText {
			return b[:start], ErrTooLong
		}
		b = be.AppendUint16(be.AppendUint16(be.AppendUint64(b, p.Text.MAC), p.Text.ID), uint16(len(p.Text.Text)))
		b = append(b, p.Text.Text...)
	case KindReceived:
		b = be.AppendUint16(be.AppendUint64(b, p.Received.MAC), p.Received.ID)
	case KindAskInfo:
		b = be.AppendUint16(b, p.About)
	case KindInfo, KindNeighbors:
		if len(p.Info.Neighbors) > math.MaxUint8 {
			return b[:start], ErrTooLong
		}
		if p.Kind == KindInfo {
			b = append(b, p.Info.Role)
		}
		if p.Kind == KindInfo && p.Info.Role == RoleChild {
			b = p.Info.Link.append(b)
			break
		}
		b = p.Info.append(b)
	case KindNodes:
		if len(p.Nodes) > MaxNodes {
			return b[:start], ErrTooLong
		}
		b = be.AppendUint16(b, uint16(len(p.Nodes)))
		for _, n := range p.Nodes {
			b = be.AppendUint16(b, n)
		}
	case KindPairs:
		if len(p.Pairs) > MaxNodes {
			return b[:start], ErrTooLong
		}
		b = be.AppendUint16(b, uint16(len(p.Pairs)))
		for _, l := range p.Pairs {
			b = append(be.AppendUint16(be.AppendUint16(b, l.A), l.B), byte(l.RSSI))
		}
	case KindAskNodes, KindAskPairs, KindAskNeighbors:
	default:
		return b[:start], ErrKind
	}
	be.PutUint16(b[start+1:], uint16(len(b)-start-headerSize))
	return b, nil
}

func (i Info) append(b []byte) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(be.AppendUint16(b, i.MAC), i.RLOC16)
	b = be.AppendUint32(b, math.Float32bits(float32(i.Latitude)))
	b = be.AppendUint32(b, math.Float32bits(float32(i.Longitude)))
	b = append(b, byte(len(i.Neighbors)))
	for _, n := range i.Neighbors {
		b = n.append(b)
	}
	return b
}

func (n Neighbor) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, n.MAC), n.RLOC16)
	return append(b, n.Role, byte(n.RSSI), n.Age)
}

// Address is the address that the library gives each node: the mesh-local prefix, and the last 16 bits of its MAC address as the interface
// identifier.
func Address(meshLocal netip.Prefix, mac uint64) netip.Addr {
	a := meshLocal.Masked().Addr().As16()
	clear(a[8:])
	binary.BigEndian.PutUint16(a[14:], uint16(mac))
	return netip.AddrFrom16(a)
}

// ExternalType marks what the library sends to the world: the type, the length of the rest in 2 bytes, and the rest.
const ExternalType = 0x90

// ParseExternal takes the header off what a board sends to the world, and returns the whole if it has none.
func ParseExternal(b []byte) (payload []byte, wrapped bool) {
	if len(b) < headerSize || b[0] != ExternalType || int(binary.BigEndian.Uint16(b[1:])) != len(b)-headerSize {
		return b, false
	}
	return b[headerSize:], true
}

// AppendExternal appends what the library sends to the world: the header and the payload.
func AppendExternal(b, payload []byte) ([]byte, error) {
	if len(payload) > MaxText {
		return b, ErrTooLong
	}
	return append(binary.BigEndian.AppendUint16(append(b, ExternalType), uint16(len(payload))), payload...), nil
}

// Signal is a value for Pybytes.
type Signal struct {
	Number uint16 // the UDP port that it was sent to
	Token  string // of the device
	Text   string
}

const tokenMark = "tkn#"

// MonitorSignal is the number of the signal that tells how a node is, in JSON, see [ParseMonitor].
const MonitorSignal = 2

// ParseSignal reads a datagram of Pybytes, "tkn#", the device's token, "#" and the text.
func ParseSignal(b []byte, port uint16) (s Signal, ok bool) {
	rest, ok := strings.CutPrefix(string(b), tokenMark)
	if !ok {
		return Signal{}, false
	}
	token, text, ok := strings.Cut(rest, "#")
	if !ok || token == "" || strings.ContainsAny(token, "/+\x00") {
		return Signal{}, false
	}
	return Signal{port, strings.ToValidUTF8(token, "\uFFFD"), strings.ToValidUTF8(text, "\uFFFD")}, true
}

// AppendSignal appends a datagram of Pybytes.
func AppendSignal(b []byte, s Signal) ([]byte, error) {
	if _, ok := ParseSignal([]byte(tokenMark+s.Token+"#"+s.Text), s.Number); !ok || len(s.Token)+len(s.Text) > MaxText {
		return b, ErrLength
	}
	return append(b, tokenMark+s.Token+"#"+s.Text...), nil
}

// monitor is how Pybytes' boards tell how they are: RLOC16, role, age, place, neighbors and MAC address. The neighbors are MAC, RLOC16, role,
// RSSI and age.
type monitor struct {
	RLOC16    uint16           `json:"ip"`
	Role      uint8            `json:"r"`
	Place     *place           `json:"l"`
	Neighbors [][5]json.Number `json:"nei"`
	MAC       uint64           `json:"loRa_mac"`
}

type place struct {
	Latitude  float64 `json:"lat"`
	Longitude float64 `json:"lng"`
}

// ParseMonitor reads what a board of Pybytes tells of itself with [MonitorSignal].
func ParseMonitor(text string) (i Info, mac uint64, ok bool) {
	var m monitor
	if json.Unmarshal([]byte(text), &m) != nil || m.MAC == 0 || len(m.Neighbors) > math.MaxUint8 {
		return Info{}, 0, false
	}
	i = Info{Role: RoleRouter, MAC: uint16(m.MAC), RLOC16: m.RLOC16, Latitude: math.NaN(), Longitude: math.NaN()}
	if m.Place != nil {
		i.Latitude, i.Longitude = m.Place.Latitude, m.Place.Longitude
	}
	for _, n := range m.Neighbors {
		neighbor, ok := monitored(n)
		if !ok {
			return Info{}, 0, false
		}
		i.Neighbors = append(i.Neighbors, neighbor)
	}
	return i, m.MAC, true
}

func monitored(n [5]json.Number) (Neighbor, bool) {
	mac, err := strconv.ParseUint(n[0].String(), 10, 64)
	if err != nil {
		return Neighbor{}, false
	}
	var v [4]int64
	for at, bounds := range [4][2]int64{{0, math.MaxUint16}, {0, math.MaxUint8}, {math.MinInt8, math.MaxInt8}, {0, math.MaxInt32}} {
		if v[at], err = n[at+1].Int64(); err != nil || v[at] < bounds[0] || v[at] > bounds[1] {
			return Neighbor{}, false
		}
	}
	return Neighbor{uint16(mac), uint16(v[0]), uint8(v[1]), int8(v[2]), uint8(min(v[3], math.MaxUint8))}, true
}

// MACOf reads a MAC address of hexadecimal digits; 0 is none.
func MACOf(digits string) uint64 {
	mac, err := strconv.ParseUint(digits, 16, 64)
	if err != nil {
		return 0
	}
	return mac
}
