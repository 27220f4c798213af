package thread

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/lowpan"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// Turns that a role can take in the fuzz engine's small world, where everybody acknowledges and nobody answers.

// pass lets time pass, and returns the MLE messages that the node sends.
func pass(t *testing.T, e *Engine, d time.Duration) (sent []mle.Command) {
	t.Helper()
	e.settle()
	for end := e.Now.Add(d); ; {
		if psdu, ok := e.PollTransmit(); ok {
			f, err := ieee802154.ParseFrame(psdu)
			if err != nil {
				t.Fatal(err)
			}
			if c, ok := commandIn(e, &f); ok {
				sent = append(sent, c)
			}
			e.HandleTransmitDone(e.Now, nil)
			if f.AckRequest {
				e.HandleFrame(e.Now, ieee802154.AppendAck(nil, f.Seq, false), -50)
			}
			continue
		}
		next, ok := e.NextTimeout()
		if !ok || next.After(end) {
			e.Advance(end)
			return sent
		}
		e.HandleTimeout(next)
	}
}

// commandIn returns the command of the MLE message in a frame of this node.
func commandIn(e *Engine, f *ieee802154.Frame) (mle.Command, bool) {
	b, consumed, err := lowpan.Decompress(nil, f.Payload, f.Src, f.Dst, &e.contexts, 0)
	if f.Security.Level != ieee802154.SecurityNone || err != nil {
		return 0, false
	}
	d, err := ip6.ParseDatagram(append(b, f.Payload[consumed:]...))
	if err != nil {
		return 0, false
	}
	payload := d.Payload[ip6.UDPHeaderSize:]
	h, err := mle.ParseHeader(payload)
	if err != nil {
		return 0, false
	}
	opened, err := h.Open(nil, payload, d.Src, d.Dst, e.Ext, e.keys.MLE(h.KeySequence))
	if err != nil {
		return 0, false
	}
	return mle.Command(opened[0]), true
}

// Thread 1.1 §5.16.4: a router that is not needed becomes a child. One that finds no parent, or whose parent does not keep its word, is needed: it
// stays what it is, with its address, its children and its Advertisements, and considers it again later.
func TestDowngrade_NoParent(t *testing.T) {
	for _, promised := range []bool{false, true} {
		e := newFuzzEngine(t, 0)
		e.selection.downgradeAt = 0
		e.selection.selectAt = e.Now.Add(time.Second)
		e.startHousekeeping()
		sent := pass(t, e, 1100*time.Millisecond)
		if e.attach.idle() || e.attach.mode != attachSameDowngrade {
			t.Fatalf("state %v, mode %v, sent %v", e.attach.state, e.attach.mode, sent)
		}
		for len(sent) < 100 && !slices.Contains(sent, mle.ParentRequest) {
			sent = append(sent, pass(t, e, 100*time.Millisecond)...)
		}
		if promised {
			c := neighbors.Candidate{Neighbor: neighbors.Neighbor{Ext: ieee802154.ExtAddr{7}, RLOC16: mle.RouterRLOC16(9), QualityOut: 3}}
			c.Link.Reset(&e.scale, -50)
			e.neighbors.SetCandidate(c)
		}
		sent = append(sent, pass(t, e, 4*time.Second)...)
		if slices.Contains(sent, mle.ChildIDRequest) != promised || !slices.Contains(sent, mle.ParentRequest) {
			t.Errorf("promised %v: sent %v", promised, sent)
		}
		children := e.neighbors.Children.Attached()
		if e.role != RoleRouter || e.rloc != fuzzOwnRLOC || !e.attach.idle() || e.neighbors.Searching || children != 1 {
			t.Errorf("promised %v: role %v, %v, state %v, %d children", promised, e.role, e.rloc, e.attach.state, children)
		}
		if sent := pass(t, e, 40*time.Second); !slices.Contains(sent, mle.Advertisement) || slices.Contains(sent, mle.ParentRequest) {
			t.Errorf("promised %v: sent %v afterwards", promised, sent)
		}
		// It is considered anew when too many routers are heard of again.
		if e.selection.selectAt = e.Now; !e.selection.due() {
			t.Fatal("not due")
		}
		e.selection.selectAsRouter()
		if e.attach.idle() {
			t.Error("not considered again")
		}
	}
}

// A leader that has restarted without its partition's data asks the others for them. If no router is left that could have them, they are lost,
// and the leader begins with data of its own: else it could never take a child again.
func TestLeaderWithoutNetworkData(t *testing.T) {
	e := newFuzzEngine(t, 1)
	child := func() error {
		m, err := mle.ParseMessage(mle.AppendCommand(nil, mle.ChildIDRequest))
		if err != nil {
			t.Fatal(err)
		}
		return e.parent.handleChildIDRequest(m, mleInfo{ext: fuzzChild})
	}
	e.netData.Invalidate()
	if pass(t, e, 10*time.Second); !e.netData.Outdated() {
		t.Error("data of its own although another router has those of the partition")
	}
	if err := child(); !errors.Is(err, errMLEUnexpected) {
		t.Errorf("a child without network data: %v", err)
	}
	e.neighbors.DropLinks()
	sent := pass(t, e, 3*time.Second)
	if e.netData.Outdated() || !slices.Contains(sent, mle.DataResponse) {
		t.Errorf("outdated %v, data % x, sent %v", e.netData.Outdated(), e.netData.TLVs(), sent)
	}
	if err := child(); errors.Is(err, errMLEUnexpected) {
		t.Errorf("a child: %v", err)
	}
	version := e.netData.Version()
	if pass(t, e, 10*time.Second); e.netData.Version() != version {
		t.Error("founded again and again")
	}
}

// Thread 1.1 §5.18: who hears of newer network data than its own, or has none that count, asks who has them, after a random time if that was a
// multicast, and once however often it hears. What it has meanwhile it passes on to nobody.
func TestNetworkData_Outdated(t *testing.T) {
	e := newFuzzEngine(t, 0)
	info := mleInfo{src: neighbors.LinkLocal(fuzzRouter), dst: ip6.LinkLocalAllNodes, ext: fuzzRouter, fresh: true}
	leader := e.distrib.leaderData()
	message := func(b []byte) mle.Message {
		m, err := mle.ParseMessage(b)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	response := func() []byte { return mle.AppendLeaderData(mle.AppendCommand(nil, mle.DataResponse), leader) }
	e.netData.Invalidate()
	for range 3 {
		if err := e.distrib.handleLeaderData(message(response()), info); err != nil {
			t.Fatal(err)
		}
	}
	if len(e.mle.delayed) != 1 || !e.mle.isDelayed(mle.DataRequest, info.src) {
		t.Errorf("%d messages wait", len(e.mle.delayed))
	}
	if e.mle.next.After(e.Now.Add(e.timing.ResponseDelay)) {
		t.Errorf("waits for %v", e.mle.next.Sub(e.Now))
	}
	request := message(mle.AppendTLVRequest(mle.AppendCommand(nil, mle.DataRequest), mle.TLVNetworkData))
	if err := e.distrib.handleRequest(request, info); err != nil {
		t.Fatal(err)
	}
	e.distrib.announce()
	sent := pass(t, e, 2*time.Second)
	if slices.Contains(sent, mle.DataResponse) || !slices.Contains(sent, mle.DataRequest) {
		t.Errorf("sent %v", sent)
	}
	// Malformed, they do not count; good ones do, and are passed on.
	malformed := e.counters.MLEMalformed
	if err := e.distrib.handleLeaderData(message(mle.AppendTLV(response(), mle.TLVNetworkData, []byte{9, 200, 1})), info); err != nil {
		t.Fatal(err)
	}
	if !e.netData.Outdated() || e.counters.MLEMalformed != malformed+1 {
		t.Error("malformed data are taken, or not counted")
	}
	if err := e.distrib.handleLeaderData(message(mle.AppendTLV(response(), mle.TLVNetworkData, nil)), info); err != nil {
		t.Fatal(err)
	}
	if sent := pass(t, e, 2*time.Second); e.netData.Outdated() || !slices.Contains(sent, mle.DataResponse) {
		t.Errorf("outdated %v, sent %v", e.netData.Outdated(), sent)
	}
	if err := e.distrib.handleLeaderData(message(mle.AppendCommand(nil, mle.DataResponse)), info); !errors.Is(err, mle.ErrAbsent) {
		t.Errorf("without leader data: %v", err)
	}
}

// Thread 1.1 §5.16.3: an answer to an Address Solicit makes a router if it gives an ID that it also lists; whatever else it is, the child stays
// one, and judges the number of routers again.
func TestAddressSolicit_Answers(t *testing.T) {
	rloc, mask := mle.RouterRLOC16(12), tmf.RouterMask{IDSequence: 9, Routers: mle.RouterIDSet(0).Add(12).Add(fuzzRouterRLOC.RouterID())}
	full := tmf.AppendRouterMask(tmf.AppendRLOC16(tmf.AppendStatus(nil, tmf.StatusSuccess), rloc), mask)
	for _, tt := range []struct {
		name    string
		kind    coap.EventKind
		code    coap.Code
		payload []byte
		err     error
		role    Role
	}{
		{"good", coap.ResponseReceived, coap.Changed, full, nil, RoleRouter},
		{"no answer", coap.RequestFailed, 0, nil, nil, RoleChild},
		{"another code", coap.ResponseReceived, coap.NotFound, full, errTMFUnexpected, RoleChild},
		{"no TLVs", coap.ResponseReceived, coap.Changed, []byte{1}, tlv.ErrTruncated, RoleChild},
		{"no address", coap.ResponseReceived, coap.Changed, tmf.AppendStatus(nil, tmf.StatusNoAddressAvailable), nil, RoleChild},
		{"nothing", coap.ResponseReceived, coap.Changed, tmf.AppendStatus(nil, tmf.StatusSuccess), tmf.ErrAbsent, RoleChild},
		{"a child's address", coap.ResponseReceived, coap.Changed,
			tmf.AppendRouterMask(tmf.AppendRLOC16(tmf.AppendStatus(nil, tmf.StatusSuccess), rloc+1), mask), errTMFUnexpected, RoleChild},
		{"an ID that is not listed", coap.ResponseReceived, coap.Changed,
			tmf.AppendRouterMask(tmf.AppendRLOC16(tmf.AppendStatus(nil, tmf.StatusSuccess), mle.RouterRLOC16(13)), mask), errTMFUnexpected, RoleChild},
	} {
		t.Run(tt.name, func(t *testing.T) {
			e := newFuzzEngine(t, 2)
			e.selection.solicit(tmf.ReasonTooFewRouters)
			if !e.selection.asking() {
				t.Fatal("does not ask")
			}
			ev := tmfEvent{Kind: tt.kind, Tag: tmfTag{id: e.selection.open}}
			ev.Message.Code, ev.Message.Payload = tt.code, tt.payload
			old := ev
			old.Tag.id++
			if err := e.selection.handleAnswer(old); err != nil || !e.selection.asking() || e.role != RoleChild {
				t.Errorf("an answer to another request: %v, role %v", err, e.role)
			}
			if err := e.selection.handleAnswer(ev); !errors.Is(err, tt.err) || e.role != tt.role || e.selection.asking() {
				t.Errorf("%v, role %v, asking %v", err, e.role, e.selection.asking())
			}
			if e.role == RoleChild && e.selection.selectAt.IsZero() {
				t.Error("does not judge the number of routers again")
			}
			if e.role == RoleRouter && e.rloc != rloc {
				t.Errorf("RLOC16 %v", e.rloc)
			}
		})
	}
}

// Thread 1.1 §4.7.3: a child obeys its parent. A node that only resumes its place believes no Child Update Request, which may be a recording:
// neither its status, nor its leader data, nor does it answer.
func TestChildUpdateRequest_WhileResuming(t *testing.T) {
	for _, state := range []neighbors.State{neighbors.Restored, neighbors.Valid} {
		e := newFuzzEngine(t, 3)
		leader := e.leader
		leader.PartitionID, leader.DataVersion = 99, 77
		b := mle.AppendLeaderData(mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateRequest), fuzzRouterRLOC), leader)
		info := mleInfo{src: neighbors.LinkLocal(fuzzRouter), dst: neighbors.LinkLocal(e.Ext), ext: fuzzRouter}
		e.becomeDetached()
		e.neighbors.Change(&e.neighbors.Parent.Neighbor, state)
		for _, extra := range [][]byte{
			nil, mle.AppendStatus(nil, mle.StatusError), mle.AppendChallenge(nil, mle.NewChallenge([8]byte{1})), mle.AppendTLV(nil, mle.TLVNetworkData, []byte{9, 200}),
		} {
			m, err := mle.ParseMessage(append(slices.Clone(b), extra...))
			if err != nil {
				t.Fatal(err)
			}
			before, txed := e.Counters(), e.counters.TxMLE
			if err := e.keepAlive.handleRequest(m, info); !errors.Is(err, errMLEUnexpected) {
				t.Errorf("parent %v, % x: %v", state, extra, err)
			}
			if e.leader.PartitionID == 99 || e.role != RoleDetached || !e.attach.idle() || e.counters.TxMLE != txed || e.Counters() != before {
				t.Errorf("parent %v, % x: partition %d, role %v, %d sent", state, extra, e.leader.PartitionID, e.role, e.counters.TxMLE-txed)
			}
		}
	}
}

// Two nodes whose Parent Requests have collided, unheard by each other, do not collide each time: the pauses before they search again differ by more
// than a frame's airtime as a rule, on a slow radio as well. For who tries often enough there is an end.
func TestAttach_RetriesSpread(t *testing.T) {
	for name, timing := range map[string]Timing{"IEEE 802.15.4": TimingIEEE802154(), "LoRa": TimingPymesh()} {
		e := newTestEngine(t)
		e.timing = timing
		if err := e.Start(e.Now); err != nil {
			t.Fatal(err)
		}
		const pairs = 200
		for counter := 1; counter < 20; counter++ {
			e.attach.counter = counter
			apart := 0
			for range pairs {
				one := e.attach.startDelay()
				if d := one - e.attach.startDelay(); d.Abs() > timing.FrameTime/2 {
					apart++
				}
			}
			if apart < pairs/2 {
				t.Errorf("%s, try %d: %d of %d pairs are apart", name, counter, apart, pairs)
			}
		}
	}
}

// Thread 1.1 §4.7.2: who hears a router that it has no link with asks for one. All who have heard the same Advertisement do, on LoRa at times that are
// apart by more than a frame: a request to who is no neighbor is sent once. On a radio that hears others' carriers they ask at once.
func TestLinkRequest_Spread(t *testing.T) {
	for _, timing := range []Timing{TimingIEEE802154(), TimingPymesh()} {
		var delays []time.Duration
		for seed := range byte(100) {
			e := newFuzzEngine(t, 0)
			e.timing = timing
			for range seed {
				e.self.Rand.Uint64()
			}
			queued := e.sender.Queued()
			info := mleInfo{src: neighbors.LinkLocal(ieee802154.ExtAddr{9}), ext: ieee802154.ExtAddr{9}, rssi: -50}
			r := e.neighbors.Routers.Get(9)
			e.links.open(r, info)
			if r.State() != neighbors.LinkRequest || r.Challenge.IsZero() {
				t.Fatalf("state %v", r.State())
			}
			switch {
			case timing.LinkRequestJitter == 0:
				if e.sender.Queued() != queued+1 || len(e.mle.delayed) > 0 {
					t.Fatal("does not ask at once")
				}
			case len(e.mle.delayed) == 1:
				delays = append(delays, e.mle.next.Sub(e.Now))
			}
		}
		if timing.LinkRequestJitter == 0 {
			continue
		}
		slices.Sort(delays)
		if n := len(delays); n < 90 || delays[n-1] > timing.LinkRequestJitter || delays[n*3/4]-delays[n/4] < timing.FrameTime {
			t.Errorf("%d delayed: %v", n, delays)
		}
		if timing.LinkRequestJitter > timing.LinkRequest/4 {
			t.Error("the answer is not waited for")
		}
	}
}
