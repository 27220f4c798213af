package thread

import (
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/addresses"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/internal/mac"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/internal/networkdata"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Limits that this implementation chose.
const (
	// maxDiagnosticChildren is how many children an answer tells of: as many as a TLV without extended length has place for.
	maxDiagnosticChildren = 84
	// maxDiagnosticAnswers is how many answers to queries wait for their random delay.
	maxDiagnosticAnswers = 4
	// maxDiagnosticQueries is how many queries of this node's are answered at a time.
	maxDiagnosticQueries = 4
	// diagnosticEvery is how often queries are answered, in airtimes of the longest frame: of one after the other, a tenth of the time or
	// less goes into answers of a few frames.
	diagnosticEvery = 50
	// maxDiagnosticSize bounds an answer, in bytes: it must fit a datagram.
	maxDiagnosticSize = 1100
)

// channelPage is that of 2.4 GHz (IEEE 802.15.4-2006 §6.1.2.2), to which all channel numbers of Thread belong.
const channelPage = 0

// A Diagnostic is one node's answer to GetDiagnostics.
type Diagnostic struct {
	From netip.Addr
	// TLVs are what the node has told. Those that it does not know are missing. The callee may keep them.
	TLVs tmf.Diagnostics
	// Err says that a single node has not answered, or not in order: then there are no TLVs.
	Err error
}

// diagnostics tells other nodes how this one is doing, and asks them (Thread 1.1 §10.11).
//
//	get ─► d/dg ─► one node: its response is the answer
//	    └► d/dq ─► a group: each node's d/da is one
//	d/dg, d/dq from others ─► fill ─► response, d/da after a random delay
type diagnostics struct {
	*self
	neighbors *neighbors.Table
	addresses *addresses.Table
	netData   *networkdata.Data
	distrib   *distributor
	parent    *parentSide
	mac       *mac.MAC
	tmf       *tmfMessenger

	base    tmf.MACCounters // what was counted before the last reset
	asked   []diagnosticQuery
	lastID  uint32
	waiting []diagnosticAnswer
	answers core.Limiter // to queries
}

// A diagnosticQuery is a query of this node's to a group, which is answered by who knows how many.
type diagnosticQuery struct {
	id     uint32
	answer func(Diagnostic)
}

// A diagnosticAnswer waits for its random delay.
type diagnosticAnswer struct {
	at    time.Time
	to    netip.Addr
	types tmf.TypeList
}

// get asks a node, or a group of nodes, for diagnostic TLVs. The id is for cancel.
func (x *diagnostics) get(to netip.Addr, types []tmf.DiagnosticType, answer func(Diagnostic)) (id uint32, err error) {
	if !x.attached() {
		return 0, ErrDetached
	}
	if !x.addresses.IsTMF(x.tmf.path(to).Local, to) && !to.IsMulticast() {
		return 0, ErrArgument
	}
	x.lastID = max(x.lastID+1, firstDiagnosticID)
	id = x.lastID
	payload := tmf.AppendTypeList(nil, types...)
	if to.IsMulticast() {
		if len(x.asked) == maxDiagnosticQueries {
			x.asked = slices.Delete(x.asked, 0, 1)
		}
		x.asked = append(x.asked, diagnosticQuery{id, answer})
		m := newPost(coap.NonConfirmable, tmf.URIDiagnosticGetQuery, payload)
		m.Token = x.tmf.coap.NewToken()
		x.tmf.coap.Send(x.tmf.path(to), m)
		x.tmf.drain()
		return id, nil
	}
	return id, x.request(to, tmf.URIDiagnosticGetRequest, payload, id, answer)
}

// firstDiagnosticID keeps the ids of diagnostic requests apart from those of others, which are small.
const firstDiagnosticID = 1 << 31

func (x *diagnostics) request(to netip.Addr, uri string, payload []byte, id uint32, answer func(Diagnostic)) error {
	m := newPost(coap.Confirmable, uri, payload)
	m.Token = x.tmf.coap.NewToken()
	tag := tmfTag{id: id, answer: func(ev tmfEvent) error { return x.answered(to, ev, answer) }}
	err := x.tmf.coap.Request(x.Now, x.tmf.path(to), m, tag)
	x.tmf.drain()
	if err != nil {
		return ErrBusy
	}
	return nil
}

// answered hands on what became of a request.
func (x *diagnostics) answered(to netip.Addr, ev tmfEvent, answer func(Diagnostic)) error {
	d, err := Diagnostic{From: to}, ev.Err
	if ev.Kind == coap.ResponseReceived {
		d.From = ev.Path.Peer.Addr()
		switch {
		case ev.Message.Code != coap.Changed:
			err = ErrRejected
		default:
			d.TLVs, err = tmf.ParseDiagnostics(slices.Clone(ev.Message.Payload))
		}
	}
	if d.Err = err; err != nil {
		d.TLVs = nil
	}
	answer(d)
	return nil
}

// cancel forgets a question: what comes as an answer is not handed on any more.
func (x *diagnostics) cancel(id uint32) {
	x.asked = slices.DeleteFunc(x.asked, func(q diagnosticQuery) bool { return q.id == id })
	if id >= firstDiagnosticID {
		x.tmf.cancel(id)
	}
}

// handleGet answers the question of a node.
func (x *diagnostics) handleGet(ev tmfEvent, p tmf.Payload) error {
	types, err := tmf.Diagnostics(p).TypeList()
	if err != nil {
		return err
	}
	x.tmf.respond(ev, x.fill(nil, types))
	return nil
}

// handleQuery answers a question to a group, of which all answer: after a random delay, and not too often.
//
// Deviation: the reference answers at once and always. On LoRa the answers would fall upon each other, and one member of the mesh could
// have all others fill the air.
func (x *diagnostics) handleQuery(ev tmfEvent, p tmf.Payload) error {
	types, err := tmf.Diagnostics(p).TypeList()
	if err != nil {
		return err
	}
	if ev.Message.Type == coap.Confirmable {
		x.tmf.coap.Respond(x.Now, ev, coap.Message{Code: coap.Empty})
	}
	if len(x.waiting) == maxDiagnosticAnswers || !x.answers.Allow(x.Now) {
		x.counters.TMFRefused++
		return nil
	}
	x.waiting = append(x.waiting, diagnosticAnswer{
		at: x.Now.Add(x.RandomUpTo(x.timing.ResponseDelay)), to: ev.Path.Peer.Addr(), types: slices.Clone(types),
	})
	return nil
}

// handleAnswer hands on an answer to a query of this node's. It does not say to which.
func (x *diagnostics) handleAnswer(ev tmfEvent, p tmf.Payload) error {
	x.tmf.acknowledge(ev)
	if len(x.asked) == 0 {
		return errTMFUnexpected
	}
	for _, q := range slices.Clone(x.asked) {
		q.answer(Diagnostic{From: ev.Path.Peer.Addr(), TLVs: tmf.Diagnostics(slices.Clone(p))})
	}
	return nil
}

// handleReset counts anew what the MAC Counters TLV counts. Nothing else can be reset.
func (x *diagnostics) handleReset(ev tmfEvent, p tmf.Payload) error {
	types, err := tmf.Diagnostics(p).TypeList()
	if err != nil {
		return err
	}
	if slices.Contains(types, byte(tmf.DiagnosticMACCounters)) {
		x.base = x.macCounters()
	}
	x.tmf.respond(ev, nil)
	return nil
}

// reset asks a node to count anew. Nobody is told of the answer.
func (x *diagnostics) reset(to netip.Addr, types []tmf.DiagnosticType) error {
	if !x.attached() {
		return ErrDetached
	}
	return x.request(to, tmf.URIDiagnosticReset, tmf.AppendTypeList(nil, types...), 0, func(Diagnostic) {})
}

// NextTimeout returns when the next answer's random delay is over.
func (x *diagnostics) NextTimeout() (next time.Time, ok bool) {
	for i := range x.waiting {
		next = core.Earliest(next, x.waiting[i].at)
	}
	return next, !next.IsZero()
}

// HandleTimeout sends the answers whose random delay is over.
func (x *diagnostics) HandleTimeout() {
	for i := 0; i < len(x.waiting); {
		w := x.waiting[i]
		if !x.IsDue(w.at) {
			i++
			continue
		}
		x.waiting = slices.Delete(x.waiting, i, i+1)
		if x.attached() {
			_ = x.request(w.to, tmf.URIDiagnosticGetAnswer, x.fill(nil, w.types), 0, func(Diagnostic) {}) // busy: the answer is lost
		}
	}
}

// stop forgets what waits.
func (x *diagnostics) stop() { x.waiting, x.asked = x.waiting[:0], x.asked[:0] }

// fill appends the TLVs asked for, each of them once, as far as this node has them.
//
// Deviation: the reference answers nothing to a list with a type that it does not know, and repeats what is asked for twice.
func (x *diagnostics) fill(b []byte, types tmf.TypeList) []byte {
	for t := range types.All() {
		if more := x.append(b, t); len(more) <= maxDiagnosticSize {
			b = more
		}
	}
	return b
}

func (x *diagnostics) append(b []byte, t tmf.DiagnosticType) []byte {
	switch t {
	case tmf.DiagnosticExtendedMACAddress:
		return tmf.AppendDiagnosticAddress(b, x.Ext)
	case tmf.DiagnosticAddress16:
		return tmf.AppendDiagnosticMLE(b, t, mle.AppendAddress16, x.rloc)
	case tmf.DiagnosticMode:
		return tmf.AppendDiagnosticMLE(b, t, mle.AppendMode, x.mode)
	case tmf.DiagnosticConnectivity:
		return tmf.AppendDiagnosticMLE(b, t, mle.AppendConnectivity, x.parent.connectivity())
	case tmf.DiagnosticRoute64:
		if x.fullThreadDevice() {
			return tmf.AppendDiagnosticMLE(b, t, mle.AppendRoute64, x.neighbors.Routers.Route64())
		}
	case tmf.DiagnosticLeaderData:
		return tmf.AppendDiagnosticMLE(b, t, mle.AppendLeaderData, x.distrib.leaderData())
	case tmf.DiagnosticNetworkData:
		return tmf.AppendDiagnostic(b, t, x.netData.TLVs())
	case tmf.DiagnosticIPv6AddressList:
		return tmf.AppendIPv6Addresses(b, x.addresses.All())
	case tmf.DiagnosticMACCounters:
		return tmf.AppendMACCounters(b, subtract(x.macCounters(), x.base))
	case tmf.DiagnosticChildTable:
		if x.isRouter() {
			return tmf.AppendChildTable(b, x.children())
		}
	case tmf.DiagnosticChannelPages:
		return tmf.AppendDiagnostic(b, t, []byte{channelPage})
	case tmf.DiagnosticMaxChildTimeout:
		if longest := x.maxChildTimeout(); longest > 0 {
			return tmf.AppendDiagnosticMLE(b, t, mle.AppendTimeout, longest)
		}
	}
	return b
}

// children are this node's, as its Child Table TLV has them.
//
// Deviation: Thread 1.1 reserves the bits in which Thread 1.2 tells how well the child is heard. Nobody else knows it.
func (x *diagnostics) children() (list []tmf.ChildEntry) {
	for c := range x.neighbors.Children.Established() {
		if c.Valid() && len(list) < maxDiagnosticChildren {
			list = append(list, tmf.ChildEntry{
				Timeout: c.Timeout, LinkQualityIn: c.Link.Quality, ID: c.RLOC16.ChildID(), Mode: c.Mode,
			})
		}
	}
	return list
}

func (x *diagnostics) maxChildTimeout() (longest time.Duration) {
	if x.isRouter() {
		for c := range x.neighbors.Children.Established() {
			if c.Valid() {
				longest = max(longest, c.Timeout)
			}
		}
	}
	return longest
}

// macCounters are the MAC's by the names of RFC 2863.
func (x *diagnostics) macCounters() tmf.MACCounters {
	c := &x.mac.Counters
	return tmf.MACCounters{
		InUnknownProtocols: uint32(c.RxUnsupported),
		InErrors:           uint32(c.RxUnknownNeighbor + c.RxOwnSource + c.RxSecurity + c.RxMalformed),
		InUnicast:          uint32(c.RxUnicast), InBroadcast: uint32(c.RxBroadcast),
		InDiscards: uint32(c.RxFiltered + c.RxOtherDestination + c.RxDuplicate),
		OutErrors:  uint32(c.TxDeferred), OutUnicast: uint32(c.TxUnicast), OutBroadcast: uint32(c.TxBroadcast),
		OutDiscards: uint32(c.TxChannelBusy),
	}
}

func subtract(c, base tmf.MACCounters) tmf.MACCounters {
	return tmf.MACCounters{
		InUnknownProtocols: c.InUnknownProtocols - base.InUnknownProtocols,
		InErrors:           c.InErrors - base.InErrors, OutErrors: c.OutErrors - base.OutErrors,
		InUnicast: c.InUnicast - base.InUnicast, InBroadcast: c.InBroadcast - base.InBroadcast, InDiscards: c.InDiscards - base.InDiscards,
		OutUnicast: c.OutUnicast - base.OutUnicast, OutBroadcast: c.OutBroadcast - base.OutBroadcast,
		OutDiscards: c.OutDiscards - base.OutDiscards,
	}
}

// GetDiagnostics asks a node, by a unicast address on the mesh-local prefix, or nodes, by a multicast address, for diagnostic TLVs (Thread 1.1
// §10.11). Answer is called by a later input of the engine's: once for a single node, even if it is silent; and for each of many that
// answers, until the id is given to CancelDiagnostics, or to make place for later queries. It must not call the engine, and may keep what it is
// given.
//
// The errors are ErrDetached, ErrArgument for an address that is no node's, and ErrBusy, which passes.
func (v surveys) GetDiagnostics(now time.Time, to netip.Addr, types []tmf.DiagnosticType, answer func(Diagnostic)) (id uint32, err error) {
	v.e.Advance(now)
	id, err = v.e.diagnostics.get(to, types, answer)
	v.e.settle()
	return id, err
}

// CancelDiagnostics ends the wait for answers to a GetDiagnostics.
func (v surveys) CancelDiagnostics(id uint32) { v.e.diagnostics.cancel(id) }

// OwnDiagnostics returns what this node would answer to GetDiagnostics.
func (v surveys) OwnDiagnostics(types ...tmf.DiagnosticType) tmf.Diagnostics {
	list := make(tmf.TypeList, len(types))
	for i, t := range types {
		list[i] = byte(t)
	}
	return v.e.diagnostics.fill(nil, list)
}

// ResetDiagnostics asks a node to count its MAC counters anew, if types has tmf.DiagnosticMACCounters; all others are not reset by anybody. The
// errors are those of GetDiagnostics. Whether the node has done so its counters tell.
func (v surveys) ResetDiagnostics(now time.Time, to netip.Addr, types []tmf.DiagnosticType) error {
	v.e.Advance(now)
	err := v.e.diagnostics.reset(to, types)
	v.e.settle()
	return err
}
