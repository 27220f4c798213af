package thread

import (
	"math/rand/v2"
	"testing"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// strangersMessage returns a message to all that a stranger may send, often one that is of no use here.
func strangersMessage(r *rand.Rand) []byte {
	if r.IntN(3) == 0 {
		b := mle.AppendMode(mle.AppendCommand(nil, mle.ParentRequest), ModeFullThreadDevice)
		b = mle.AppendChallenge(b, mle.Challenge{})
		b = mle.AppendScanMask(b, []mle.ScanMask{mle.ScanRouters, mle.ScanEndDevices, mle.ScanRouters | mle.ScanEndDevices}[r.IntN(3)])
		return mle.AppendVersion(b, mle.Version1_1)
	}
	source := mle.RouterRLOC16(mle.RouterID(r.IntN(12)))
	if r.IntN(3) == 0 {
		source |= 5
	}
	b := mle.AppendCommand(nil, mle.Advertisement)
	if r.IntN(2) == 0 {
		b = mle.AppendTLV(b, mle.TLVCompany, []byte{byte(0x70 + r.IntN(16)), byte(r.IntN(2)), byte(r.IntN(12)), byte(r.IntN(3)), byte(r.IntN(3))})
	}
	b = mle.AppendSourceAddress(b, source)
	leader := mle.LeaderData{PartitionID: 7, Weighting: 64, LeaderRouterID: fuzzRouterRLOC.RouterID()}
	switch r.IntN(4) {
	case 0:
		leader.PartitionID = uint32(r.IntN(14))
	case 1:
		leader.LeaderRouterID = fuzzOwnRLOC.RouterID()
	}
	b = mle.AppendLeaderData(b, leader)
	if source.IsRouter() {
		ids := mle.RouterIDSet(0).Add(source.RouterID())
		for range r.IntN(8) {
			ids = ids.Add(mle.RouterID(r.IntN(12)))
		}
		b = mle.AppendRoute64(b, mle.Route64{IDSequence: uint8(r.IntN(4)), Routers: ids})
	}
	return b
}

// What is dropped as unneeded would have changed nothing: neither a state, nor what is sent, nor the random numbers.
func TestUnneeded(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 3))
	stranger := ieee802154.ExtAddr{0x55, 7: 1}
	src := neighbors.LinkLocal(stranger)
	type state struct {
		role          Role
		rloc          mle.RLOC16
		leader        mle.LeaderData
		search        attachState
		sent, refused uint64
		delayed       int
		assigned      mle.RouterIDSet
		contact       mle.RouterIDSet
		children      bool
		selecting     bool
		random        uint64
	}
	stateOf := func(e *Engine) state {
		s := state{
			role: e.role, rloc: e.rloc, leader: e.leader, search: e.attach.state, sent: e.counters.TxMLE, refused: e.counters.MLERefused,
			delayed: len(e.mle.delayed), assigned: e.neighbors.Routers.Assigned(), children: e.neighbors.Children.Empty(),
			selecting: e.selection.selectAt.IsZero(), random: e.Core.Rand.Uint64(),
		}
		for id := range e.neighbors.Routers.InContact() {
			s.contact = s.contact.Add(id)
		}
		return s
	}
	unneeded := 0
	for n := range 2000 {
		plain := strangersMessage(r)
		rssi := int(-50 - r.IntN(60))
		forged := r.IntN(8) == 0
		receive := func(shortcut bool) (state, Counters) {
			e := newFuzzEngine(t, uint8(n))
			if n%3 == 0 {
				e.timing.AdvertiseQuiet = 4 * e.timing.AdvertiseMax
			}
			if !shortcut {
				for c := range e.mle.handlers {
					for role, h := range e.mle.handlers[c] {
						if h != nil {
							slow := *h
							slow.unneeded = nil
							e.mle.handlers[c][role] = &slow
						}
					}
				}
			}
			payload := mle.AppendSealed(nil, src, ip6.LinkLocalAllNodes, stranger, 0, uint32(n),
				ieee802154.NewCCM(keys.Derive(e.keys.NetworkKey(), 0).MLE), plain)
			if forged {
				payload[len(payload)-1] ^= 1
			}
			before := e.counters.MLEUnneeded
			e.mle.receive(payload, src, ip6.LinkLocalAllNodes, mle.HopLimit, rssi)
			if e.counters.MLEUnneeded > before {
				unneeded++
			}
			return stateOf(e), e.Counters()
		}
		fast, c := receive(true)
		slow, _ := receive(false)
		if fast != slow {
			t.Fatalf("message %d, %x: %+v, without the shortcut %+v", n, plain, fast, slow)
		}
		if forged && c.MLEUnneeded+c.MLESecurity+c.MLEUnexpected == 0 {
			t.Fatalf("message %d, %x: forged, and not dropped", n, plain)
		}
	}
	if unneeded < 500 {
		t.Errorf("%d messages of 2000 were unneeded", unneeded)
	}
}
