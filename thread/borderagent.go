package thread

import (
	"bytes"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/borderagent"
	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/sender"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// agency is what a border agent does in the mesh (Thread 1.1 §8.7), for a commissioner that is outside: it has the commissioner's locator, and passes
// on what comes for it. Package borderagent is the part that faces outward:
//
//	Request ─► do ─► leader, joiner router, any node ─► Report
//	RLY_RX, UDP to the commissioner's locator ───────► Report
type agency struct {
	*self
	tmf       *tmfMessenger
	ip        *ipLayer
	addresses *addresses.Table
	update    func() // derives the addresses again

	active  bool   // the commissioner outside is that of the mesh
	session uint16 // its session
	reports []borderagent.Report
}

// maxReports bounds what waits to be fetched, but for answers, of which there are no more than questions.
const maxReports = 32

// ALOC returns the anycast locator of the commissioner outside, and false if there is none.
func (x *agency) ALOC() (mle.RLOC16, bool) { return commissioning.ALOCOf(x.session), x.active }

// addr is the commissioner's address in the mesh.
func (x *agency) addr() netip.Addr { return commissioning.ALOCOf(x.session).Addr(x.addresses.Prefix()) }

func (x *agency) become(session uint16, active bool) {
	if x.active == active && x.session == session {
		return
	}
	x.Log.Info("commissioner outside", "active", active, "session", session)
	x.session, x.active = session, active
	x.update()
}

// stop ends what this node is in the partition.
func (x *agency) stop() {
	if x.active {
		x.become(x.session, false)
		x.reports = append(x.reports, borderagent.Report{Kind: borderagent.Ended})
	}
}

// do carries out what is wanted from outside.
func (x *agency) do(r borderagent.Request) {
	switch r.Kind {
	case borderagent.Ask:
		x.ask(r)
	case borderagent.Relay:
		if x.active && x.attached() {
			x.tmf.post(r.Router.Addr(x.addresses.Prefix()), tmf.URIRelayTransmit, r.Payload)
			x.tmf.drain()
		}
	case borderagent.Datagram:
		if x.active && x.attached() && x.reaches(r.Dst.Addr()) {
			x.ip.sendUDP(x.addr(), r.SrcPort, r.Dst, r.Payload, sender.PriorityNet)
		}
	case borderagent.Resign:
		if x.attached() {
			payload := meshcop.AppendCommissionerSessionID(meshcop.AppendState(nil, meshcop.StateReject), r.Session)
			_ = x.tmf.askLeader(tmf.URILeaderKeepAlive, payload, tmfTag{}) // or the leader finds out by itself
		}
		if r.Session == x.session {
			x.become(r.Session, false)
		}
	}
}

// reaches reports whether a commissioner may send to an address: one of the mesh itself, or a group in it.
func (x *agency) reaches(dst netip.Addr) bool {
	return x.addresses.OnMesh(dst) || dst.IsMulticast() && ip6.ScopeOf(dst) <= ip6.ScopeRealmLocal
}

// ask has the leader answer.
func (x *agency) ask(r borderagent.Request) {
	failed := borderagent.Report{Kind: borderagent.Answer, ID: r.ID}
	if !x.attached() {
		x.reports = append(x.reports, failed)
		return
	}
	err := x.tmf.askLeader(r.URI, r.Payload, tmfTag{answer: func(ev tmfEvent) error {
		if ev.Kind != coap.ResponseReceived {
			x.reports = append(x.reports, failed)
			return nil
		}
		x.learn(r, ev.Message)
		x.reports = append(x.reports, borderagent.Report{
			Kind: borderagent.Answer, ID: r.ID, Code: ev.Message.Code, Payload: bytes.Clone(ev.Message.Payload),
		})
		return nil
	}})
	if err != nil {
		x.reports = append(x.reports, failed)
	}
}

// learn follows what the leader says to a petition, or a sign of life.
func (x *agency) learn(r borderagent.Request, m coap.Message) {
	if m.Code != coap.Changed || r.URI != tmf.URILeaderPetition && r.URI != tmf.URILeaderKeepAlive {
		return
	}
	value, _ := tlv.Find(m.Payload, meshcop.TypeState)
	state, err := meshcop.ParseState(value)
	if err != nil {
		return
	}
	of := m.Payload
	if r.URI == tmf.URILeaderKeepAlive {
		of = r.Payload
	}
	value, _ = tlv.Find(of, meshcop.TypeCommissionerSessionID)
	session, err := meshcop.ParseCommissionerSessionID(value)
	switch {
	case err != nil:
	case r.URI == tmf.URILeaderPetition && state == meshcop.StateAccept:
		x.become(session, true)
	case r.URI == tmf.URILeaderKeepAlive && state != meshcop.StateAccept && session == x.session:
		x.become(session, false)
	}
}

// takes reports whether a datagram is for the commissioner outside. It comes from the mesh itself.
func (x *agency) takes(d *ip6.Datagram) bool {
	return x.active && d.Dst == x.addr() && x.addresses.OnMesh(d.Src)
}

func (x *agency) receive(d *ip6.Datagram, udp ip6.UDPHeader, payload []byte) {
	x.report(borderagent.Report{
		Kind: borderagent.Received, Src: netip.AddrPortFrom(d.Src, udp.SrcPort), DstPort: udp.DstPort, Payload: slices.Clone(payload),
	})
}

// relayed takes what a joiner sends (RLY_RX), and reports whether it is for the commissioner outside.
func (x *agency) relayed(payload []byte) bool {
	if !x.active {
		return false
	}
	if _, err := meshcop.ParseRelayed(payload); err != nil {
		x.counters.TMFMalformed++
		return true
	}
	x.report(borderagent.Report{Kind: borderagent.Relayed, Payload: slices.Clone(payload)})
	return true
}

// datasetChanged passes on that somebody else has changed the dataset, and reports whether there is somebody to tell. The leader tells the border
// agent by its own address.
func (x *agency) datasetChanged(from netip.AddrPort) bool {
	if !x.active {
		return false
	}
	m := newPost(coap.NonConfirmable, tmf.URIDatasetChanged, nil)
	m.MessageID = uint16(x.Rand.Uint32())
	b, err := m.AppendBinary(nil)
	if err == nil {
		x.report(borderagent.Report{Kind: borderagent.Received, Src: from, DstPort: tmf.UDPPort, Payload: b})
	}
	return true
}

func (x *agency) report(r borderagent.Report) {
	if len(x.reports) >= maxReports {
		x.counters.HostQueueFull++
		return
	}
	x.reports = append(x.reports, r)
}

// agents is what a host needs to be a border agent.
type agents struct{ e *Engine }

// HandleRequest does in the mesh what a commissioner from outside wants, who has shown that it may: a borderagent.Agent says what. An Ask is answered
// by a report in any case, sooner or later.
func (v agents) HandleRequest(now time.Time, r borderagent.Request) {
	v.e.Advance(now)
	v.e.agency.do(r)
	v.e.settle()
}

// PollReport returns what the mesh has for a commissioner outside, to be handed to the borderagent.Agent, and false if there is nothing.
func (v agents) PollReport() (r borderagent.Report, ok bool) {
	return core.Pop(&v.e.agency.reports)
}

// Reports returns how many reports wait for PollReport.
func (v agents) Reports() int { return len(v.e.agency.reports) }
