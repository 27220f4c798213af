package meshtest

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
)

// A Peer is a radio that the test plays by hand, with the key of the network. By itself it acknowledges what is addressed to
// it, no more.
type Peer struct {
	ExtAddr ieee802154.ExtAddr
	// RLOC16 is a second address to which the peer listens, and under which it sends datagrams; none at first.
	RLOC16 mle.RLOC16
	// KeySequence, MLECounter and MACCounter are those of the next MLE message and of the next secured frame.
	KeySequence keys.Sequence
	MLECounter  uint32
	MACCounter  uint32
	// Deaf keeps the peer from acknowledging. It hears all the same.
	Deaf bool
	// OnMLE, if set, is called with each MLE message that is meant for this peer, to all or to it alone.
	OnMLE func(Heard)

	// Frames is what the peer has heard, and Heard the MLE messages in it, whomever they were meant for.
	Frames [][]byte
	Heard  []Heard

	// Antenna stands for the peer on the air.
	Antenna *lorasim.Node

	tb        testing.TB
	mesh      *Mesh
	fragments *lowpan.Reassembler
	dsn       uint8
	tag       uint16
	attached  byte // how often
	out       [][]byte
}

// AddPeer puts a peer on the air. Its number gives it an [ExtAddr], which no node may have.
func (m *Mesh) AddPeer(i int, pos lorasim.Position) *Peer {
	p := &Peer{ExtAddr: ExtAddr(i), RLOC16: mle.InvalidRLOC16, tb: m.tb, mesh: m}
	p.Antenna = m.Sim.Add(station{p}, pos)
	return p
}

// station is the side of a Peer that the air sees.
type station struct{ *Peer }

func (station) NextTimeout() (time.Time, bool) { return time.Time{}, false }
func (station) HandleTimeout(time.Time)        {}

func (p station) PollTransmit() ([]byte, bool) {
	if len(p.out) == 0 {
		return nil, false
	}
	return p.out[0], true
}

func (p station) HandleTransmitDone(_ time.Time, err error) {
	if err == nil { // else the channel was busy: try again
		p.out = p.out[1:]
	}
}

func (p station) HandleFrame(now time.Time, psdu []byte, _ int) {
	p.Frames = append(p.Frames, slices.Clone(psdu))
	f, err := ieee802154.ParseFrame(psdu)
	if err != nil {
		p.tb.Errorf("%v: %x", err, psdu)
		return
	}
	mine := f.Dst == ieee802154.ExtAddress(p.ExtAddr) || f.Dst == ieee802154.ShortAddress(ieee802154.ShortAddr(p.RLOC16))
	if mine && f.AckRequest && !p.Deaf {
		p.out = slices.Insert(p.out, 0, ieee802154.AppendAck(nil, f.Seq, false))
	}
	h, err := OpenMLE(psdu)
	if err != nil {
		h, err = p.reassemble(now, &f, psdu)
	}
	if err != nil {
		return
	}
	h.At = now
	p.Heard = append(p.Heard, h)
	if p.OnMLE != nil && p.isFor(h) {
		p.OnMLE(h)
	}
}

func (p *Peer) isFor(h Heard) bool { return h.Dst.IsMulticast() || h.Dst == LinkLocal(p.ExtAddr) }

// Transmit puts a packet on the air as it is.
func (p *Peer) Transmit(psdu []byte) {
	p.out = append(p.out, psdu)
	p.Antenna.Touch()
}

// Frame returns a data frame from this peer, from its extended address, for the test to change and send.
func (p *Peer) Frame(dst ieee802154.Addr, payload []byte) *ieee802154.Frame {
	p.dsn++
	return &ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: !dst.IsBroadcast(), PANIDCompression: true, Seq: p.dsn,
		DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID, Dst: dst, Src: ieee802154.ExtAddress(p.ExtAddr), Payload: payload,
	}
}

// SendFrame sends a frame, secured if its security level says so, and returns it as it is on the air.
func (p *Peer) SendFrame(f *ieee802154.Frame) []byte {
	p.tb.Helper()
	var psdu []byte
	var err error
	if f.Security.Level == ieee802154.SecurityNone {
		psdu, err = f.AppendBinary(nil)
	} else {
		f.Security.KeyIDMode, f.Security.KeyIndex, f.Security.FrameCounter = ieee802154.KeyIDModeIndex, p.KeySequence.Index(), p.MACCounter
		p.MACCounter++
		psdu, err = f.AppendSealed(nil, macCipher(p.KeySequence), p.ExtAddr)
	}
	if err != nil {
		p.tb.Fatal(err)
	}
	p.Transmit(psdu)
	return psdu
}

// SendDatagram sends an IPv6 datagram in one secured frame: from RLOC16, if there is one and dst is a short address too.
func (p *Peer) SendDatagram(dst ieee802154.Addr, datagram []byte) []byte {
	p.tb.Helper()
	f := p.Frame(dst, nil)
	f.Security.Level, f.Security.KeyIDMode = ieee802154.SecurityENCMIC32, ieee802154.KeyIDModeIndex
	if p.RLOC16 != mle.InvalidRLOC16 && dst.Mode == ieee802154.AddrModeShort {
		f.Src = ieee802154.ShortAddress(ieee802154.ShortAddr(p.RLOC16))
	}
	p.fill(f, datagram, 0)
	return p.SendFrame(f)
}

// SendMLE sends an MLE message, the command and its TLVs, secured under KeySequence and MLECounter, in one frame.
func (p *Peer) SendMLE(dst netip.Addr, plain []byte) []byte {
	p.tb.Helper()
	return p.SendSealedMLE(dst, p.sealMLE(dst, plain))
}

// SendSealedMLE sends an MLE message that is secured already, well or badly.
func (p *Peer) SendSealedMLE(dst netip.Addr, payload []byte) []byte {
	p.tb.Helper()
	to := ieee802154.ShortAddress(ieee802154.BroadcastAddr)
	if !dst.IsMulticast() {
		to = lowpan.AddrOf(ip6.InterfaceIDOf(dst))
	}
	f := p.Frame(to, nil)
	p.fill(f, p.datagramMLE(dst, payload), 0)
	return p.SendFrame(f)
}

// SendFragmentedMLE sends an MLE message to one node in as many frames as it takes, secured by the MAC too (Thread 1.1 §4.9).
func (p *Peer) SendFragmentedMLE(dst netip.Addr, plain []byte) {
	p.tb.Helper()
	datagram := p.datagramMLE(dst, p.sealMLE(dst, plain))
	p.tag++
	for offset := 0; offset < len(datagram); {
		f := p.Frame(lowpan.AddrOf(ip6.InterfaceIDOf(dst)), nil)
		f.Security = ieee802154.SecurityHeader{Level: ieee802154.SecurityENCMIC32, KeyIDMode: ieee802154.KeyIDModeIndex}
		offset = p.fill(f, datagram, offset)
		f.FramePending = offset < len(datagram)
		p.SendFrame(f)
	}
}

func (p *Peer) sealMLE(dst netip.Addr, plain []byte) []byte {
	payload := mle.AppendSealed(nil, LinkLocal(p.ExtAddr), dst, p.ExtAddr, p.KeySequence, p.MLECounter, mleCipher(p.KeySequence), plain)
	p.MLECounter++
	return payload
}

func (p *Peer) datagramMLE(dst netip.Addr, payload []byte) []byte {
	p.tb.Helper()
	h := ip6.Header{HopLimit: mle.HopLimit, Src: LinkLocal(p.ExtAddr), Dst: dst}
	datagram, err := ip6.AppendUDP(nil, h, mle.UDPPort, mle.UDPPort, payload)
	if err != nil {
		p.tb.Fatal(err)
	}
	return datagram
}

// fill puts as much of a datagram into a frame as fits, and returns where the rest begins.
func (p *Peer) fill(f *ieee802154.Frame, datagram []byte, offset int) int {
	p.tb.Helper()
	packet := lowpan.Packet{Datagram: datagram, Tag: p.tag, Src: f.Src, Dst: f.Dst}
	payload, next, err := packet.AppendFrame(nil, offset, ieee802154.MaxPSDU-f.Overhead(), contexts())
	if err != nil {
		p.tb.Fatal(err)
	}
	f.Payload = payload
	return next
}

// Find returns the messages of a command that the peer heard from a node, in their order.
func (p *Peer) Find(c mle.Command, from ieee802154.ExtAddr) []Heard {
	var found []Heard
	for _, h := range p.Heard {
		if h.Command == c && h.ExtAddr == from {
			found = append(found, h)
		}
	}
	return found
}

// Answers is Find for the messages that were meant for this peer, to all or to it alone.
func (p *Peer) Answers(c mle.Command, from ieee802154.ExtAddr) []Heard {
	return slices.DeleteFunc(p.Find(c, from), func(h Heard) bool { return !p.isFor(h) })
}

// Commands returns the commands of all MLE messages that the peer heard from a node, in their order.
func (p *Peer) Commands(from ieee802154.ExtAddr) []mle.Command {
	var c []mle.Command
	for _, h := range p.Heard {
		if h.ExtAddr == from {
			c = append(c, h.Command)
		}
	}
	return c
}

// Await lets time pass until a message of a command has come from a node to this peer, counting from now, and fails if that
// takes longer than limit.
func (p *Peer) Await(c mle.Command, from ieee802154.ExtAddr, limit time.Duration) Heard {
	p.tb.Helper()
	before := len(p.Answers(c, from))
	if !p.mesh.runUntil(func() bool { return len(p.Answers(c, from)) > before }, limit) {
		p.tb.Fatalf("no %v from %v within %v", c, from, limit)
	}
	return p.Answers(c, from)[before]
}

// Attach makes the peer a child of a node, and gives it the RLOC16 that it gets.
func (p *Peer) Attach(to *Node, mode mle.Mode, timeout time.Duration) {
	p.tb.Helper()
	p.attached++ // a parent ignores a challenge that it knows
	p.SendMLE(ip6.LinkLocalAllRouters, ParentRequest(Challenge(p.attached), mle.ScanRouters|mle.ScanEndDevices))
	response := p.Await(mle.ParentResponse, to.ExtAddr(), 6*time.Second)
	p.SendMLE(LinkLocal(to.ExtAddr()), p.ChildIDRequest(response, mode, timeout))
	rloc, err := p.Await(mle.ChildIDResponse, to.ExtAddr(), 5*time.Second).Address16()
	if err != nil {
		p.tb.Fatal(err)
	}
	p.RLOC16 = rloc
}
