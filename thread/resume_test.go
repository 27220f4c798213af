package thread_test

import (
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/mle"
)

// childUpdate is a Child Update Request of a full Thread device, as a keep-alive.
func childUpdate() []byte {
	return mle.AppendTimeout(mle.AppendMode(mle.AppendCommand(nil, mle.ChildUpdateRequest), thread.ModeFullThreadDevice), time.Hour)
}

// TestResume_ParentBelievesNoRecording: after a restart a parent knows its children, but not their frame counters. What was recorded of a
// child, an old datagram among it, is not taken for the child; the child's answer to a challenge is (Thread 1.1 §4.7.7, §7).
func TestResume_ParentBelievesNoRecording(t *testing.T) {
	m := meshtest.New(t, ideal())
	m.Add(1, lorasim.Position{}, stock)
	n := m.Add(1, lorasim.Position{X: 1}, stock)
	m.StartOneByOne()
	p := m.AddPeer(9, lorasim.Position{X: 2})
	p.Attach(n, thread.ModeFullThreadDevice, time.Hour)
	p.MACCounter, p.MLECounter = 1000, 2000

	to := meshtest.LinkLocal(n.ExtAddr())
	datagram := must(ip6.AppendUDP(nil, ip6.Header{HopLimit: 64, Src: meshtest.LinkLocal(p.ExtAddr), Dst: to}, 1000, 1000, []byte("open the door")))
	door := func() (opened int) {
		m.Run(time.Second)
		for {
			if _, ok := n.PollPacket(); !ok {
				return opened
			}
			opened++
		}
	}
	order := p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	request := p.SendMLE(to, childUpdate())
	if door() != 1 {
		t.Fatal("the test is wrong")
	}

	n.PowerOff()
	n.Restart()
	m.Until(time.Minute, "router again", func() bool { return n.Role() >= thread.RoleRouter })
	m.Run(5 * time.Second)
	asked := len(p.Find(mle.ChildUpdateRequest, n.ExtAddr()))
	for range 100 {
		p.Transmit(request)
		p.Transmit(order)
		if got := door(); got != 0 {
			t.Fatalf("the recorded datagram was delivered %d times", got)
		}
	}
	if answers := len(p.Answers(mle.ChildUpdateResponse, n.ExtAddr())); answers > 9 {
		t.Errorf("%d answers to recordings within 100 s", answers)
	}
	requests := p.Find(mle.ChildUpdateRequest, n.ExtAddr())
	if asked == 0 || len(requests) == asked {
		t.Fatalf("asked %d times, then %d more", asked, len(requests)-asked)
	}

	// The child itself is welcome, from its counters on.
	answer := func(challenge mle.Challenge) []byte {
		b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateResponse), p.RLOC16)
		b = mle.AppendMLEFrameCounter(mle.AppendResponse(b, challenge), p.MLECounter)
		return mle.AppendTimeout(mle.AppendLinkLayerFrameCounter(b, p.MACCounter), time.Hour)
	}
	p.SendMLE(to, answer(meshtest.Challenge(99)))
	p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	if door() != 0 {
		t.Error("delivered after a wrong answer")
	}
	proof := p.SendMLE(to, answer(must(requests[len(requests)-1].Challenge())))
	p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	if door() != 1 {
		t.Error("not delivered after the answer to the challenge")
	}
	late := p.SendDatagram(ieee802154.ExtAddress(n.ExtAddr()), datagram)
	if door() != 1 {
		t.Error("not delivered")
	}
	for _, old := range [][]byte{proof, order, request, late} {
		p.Transmit(old)
	}
	if door() != 0 {
		t.Error("a recording was delivered once the child is valid")
	}
}

// TestResume_ChildBelievesNoRecording: a child that resumes its place is not told by a recording that it has none. If its parent has
// forgotten it, its parent's answer to its challenge says so; without one the tries end, after two if each was denied.
func TestResume_ChildBelievesNoRecording(t *testing.T) {
	m := meshtest.New(t, ideal())
	p := newHost(m, 9)
	n := m.Add(1, lorasim.Position{X: 1}, endDevice)
	quiet := false
	p.OnMLE = func(h meshtest.Heard) {
		challenge, err := h.Challenge()
		switch {
		case h.Command != mle.ChildUpdateRequest || err != nil:
			p.answer(h)
		case !quiet:
			b := mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateResponse), p.RLOC16)
			b = mle.AppendResponse(mle.AppendLeaderData(mle.AppendMode(b, must(h.Mode())), p.leader), challenge)
			b = mle.AppendMLEFrameCounter(mle.AppendLinkLayerFrameCounter(b, p.MACCounter), p.MLECounter)
			p.SendMLE(meshtest.LinkLocal(h.ExtAddr), b)
		}
	}
	n.Start()
	m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })

	refuse := func(challenge mle.Challenge) []byte {
		b := mle.AppendStatus(mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateResponse), p.RLOC16), mle.StatusError)
		if !challenge.IsZero() {
			b = mle.AppendResponse(b, challenge)
		}
		return b
	}
	restart := func() (challenge mle.Challenge) {
		n.PowerOff()
		before := len(p.Find(mle.ChildUpdateRequest, n.ExtAddr()))
		n.Restart()
		m.Until(time.Second, "request", func() bool { return len(p.Find(mle.ChildUpdateRequest, n.ExtAddr())) > before })
		return must(p.Find(mle.ChildUpdateRequest, n.ExtAddr())[before].Challenge())
	}
	to := meshtest.LinkLocal(n.ExtAddr())
	searches := func() int { return len(p.Find(mle.ParentRequest, n.ExtAddr())) }

	quiet = true
	before := searches()
	restart()
	p.SendMLE(to, refuse(mle.Challenge{}))
	p.SendMLE(to, refuse(meshtest.Challenge(9)))
	p.SendMLE(to, mle.AppendStatus(mle.AppendLeaderData(mle.AppendSourceAddress(mle.AppendCommand(nil, mle.ChildUpdateRequest), p.RLOC16),
		mle.LeaderData{}), mle.StatusError))
	m.Run(500 * time.Millisecond)
	if searches() != before {
		t.Error("thrown out by a recording")
	}
	quiet = false
	m.Until(5*time.Second, "child again", func() bool { return n.Role() == thread.RoleChild })
	if searches() != before {
		t.Error("searched for a parent")
	}

	// Two requests that nobody else has answered are enough: stock's parents give no proof.
	quiet = true
	restart()
	p.SendMLE(to, refuse(mle.Challenge{}))
	requests := len(p.Find(mle.ChildUpdateRequest, n.ExtAddr()))
	m.Until(2*time.Second, "second request", func() bool { return len(p.Find(mle.ChildUpdateRequest, n.ExtAddr())) > requests })
	p.SendMLE(to, refuse(mle.Challenge{}))
	m.Until(1600*time.Millisecond, "search", func() bool { return searches() > before })
	quiet = false
	m.Until(10*time.Second, "child anew", func() bool { return n.Role() == thread.RoleChild })
	before = searches()

	quiet = true
	challenge := restart()
	p.SendMLE(to, refuse(challenge))
	m.Run(2 * time.Second) // shorter than its tries
	if searches() == before {
		t.Error("does not believe its parent")
	}

	quiet = false
	m.Until(time.Minute, "child", func() bool { return n.Role() == thread.RoleChild })
	quiet = true
	before = searches()
	restart()
	m.Run(10 * time.Second)
	if searches() == before {
		t.Error("goes on asking")
	}
}
