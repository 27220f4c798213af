package runner

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// The strongest packet in the time is the power on the channel, or the floor if there was none.
func TestEnergy(t *testing.T) {
	e, err := thread.New(thread.Config{ExtAddr: ieee802154.ExtAddr{1}, Rand: rand.Reader, MultiChannel: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1000, 0)
	m := Energy{Floor: -98}
	if m.Poll(now, e); !m.until.IsZero() {
		t.Error("it measures unasked")
	}
	m.HandleTimeout(now, e)
	m.Heard(-1)
	var got []int8
	over := false
	err = e.Scan(now, thread.ScanOptions{Kind: thread.ScanEnergy, Channels: 1<<11 | 1<<12, Duration: time.Second},
		func(r thread.ScanResult) { got = append(got, int8(r.RSSI)) }, func(meshcop.ChannelMask) { over = true })
	if err != nil {
		t.Fatal(err)
	}
	m.Poll(now, e)
	m.Heard(-50)
	m.Heard(-40)
	m.Heard(-60)
	m.HandleTimeout(now.Add(500*time.Millisecond), e)
	for range 2 {
		at, ok := m.NextTimeout()
		if !ok || at.Sub(now) != time.Second {
			t.Fatal(at, ok)
		}
		now = at
		m.HandleTimeout(now, e)
	}
	if _, ok := m.NextTimeout(); ok || !over || len(got) != 2 || got[0] != -40 || got[1] != -98 {
		t.Error(ok, over, got)
	}
}
