package pymesh_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
)

// A sleepy end device sends whenever it wants to, is reached at its next poll, has its radio off for nearly all the time, and changes its
// mode and its period while it runs.
func TestSleepyEndDevice(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		parent := m.attached()
		child := m.attached(pymesh.WithMode(pymesh.SleepyEndDevice), pymesh.WithPollPeriod(30*time.Second))
		radio := m.radios[1]
		if child.Mode() != pymesh.SleepyEndDevice || child.PollPeriod() != 30*time.Second {
			t.Errorf("%v, %v", child.Mode(), child.PollPeriod())
		}
		if pong := m.ping(child, parent.MeshLocalEID(), 16); pong.RTT > 5*time.Second {
			t.Errorf("its own ping takes %v", pong.RTT) // an answer is due: it polls for that
		}
		time.Sleep(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if pong, err := parent.Ping(ctx, child.MeshLocalEID(), 16); err != nil || pong.RTT > 35*time.Second {
			t.Errorf("a ping to it takes %v, %v", pong.RTT, err)
		}

		before := radio.Activity()
		time.Sleep(time.Hour)
		a := radio.Activity()
		on := a.Transmitting + a.Receiving - before.Transmitting - before.Receiving
		t.Logf("in an hour %v sending, %v listening: %.3f mAh", a.Transmitting-before.Transmitting, a.Receiving-before.Receiving,
			a.Charge(14)-before.Charge(14))
		if share := on.Hours(); share > 0.02 {
			t.Errorf("the radio is on for %.1f %% of an hour", 100*share)
		}
		if child.State() != pymesh.StateChild {
			t.Errorf("%v after an hour", child)
		}

		if err := child.SetMode(pymesh.MinimalEndDevice); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		if pong := m.ping(parent, child.MeshLocalEID(), 16); pong.RTT > 5*time.Second {
			t.Errorf("awake, a ping to it takes %v", pong.RTT)
		}
		if err := child.SetMode(pymesh.SleepyEndDevice); err != nil {
			t.Fatal(err)
		}
		if err := child.SetPollPeriod(10 * time.Minute); err != nil { // longer than its parent's patience so far
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if child.State() != pymesh.StateChild || len(parent.Neighbors()) != 1 {
			t.Errorf("%v, %v", child, parent.Neighbors())
		}
		for _, d := range []time.Duration{-1, time.Millisecond, pymesh.MaxPollPeriod + 1} {
			if err := child.SetPollPeriod(d); err == nil {
				t.Errorf("poll period %v", d)
			}
		}
		if err := child.SetMode(99); err == nil {
			t.Error("mode 99")
		}
	})
}

// All that is there to be set of a sleeping node fails once it is closed.
func TestSleepyClosed(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio(), pymesh.WithMode(pymesh.SleepyEndDevice))
		_ = n.Close()
		if err := n.SetMode(pymesh.EndDevice); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := n.SetPollPeriod(time.Minute); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		n.ExpectAnswer()
	})
}

// A radio that was put to sleep is awake again when its node is closed.
func TestRadioAwakeAfterClose(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		m.attached()
		n := m.attached(pymesh.WithMode(pymesh.SleepyEndDevice))
		time.Sleep(time.Minute)
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		before := m.radios[1].Activity()
		time.Sleep(time.Minute)
		if a := m.radios[1].Activity(); a.Receiving-before.Receiving != time.Minute {
			t.Errorf("%+v, was %+v", a, before)
		}
	})
}
