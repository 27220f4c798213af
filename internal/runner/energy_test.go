package runner

import (
	"crypto/rand"
	"log/slog"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
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
		m.Poll(now, e) // the next channel
	}
	if _, ok := m.NextTimeout(); ok || !over || len(got) != 2 || got[0] != -40 || got[1] != -98 {
		t.Error(ok, over, got)
	}
}

// TestEnergy_Meter: a radio that tells the power on the channel is asked: of silence it tells the noise, and of what nobody can read its strength.
func TestEnergy_Meter(t *testing.T) {
	for name, noisy := range map[string]bool{"silence": false, "a strange network": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				air := lorasim.NewAir(lorasim.Options{Propagation: lorasim.LinksOnly})
				radio, strange := air.Radio(lora.Config{}, lorasim.Position{}), air.Radio(lora.Config{SyncWord: lora.SyncPrivate}, lorasim.Position{})
				air.SetLink(strange, radio, -71)
				e, err := thread.New(thread.Config{ExtAddr: ieee802154.ExtAddr{1}, Rand: rand.Reader})
				if err != nil {
					t.Fatal(err)
				}
				r, err := Start(e, radio, slog.New(slog.DiscardHandler), Hooks{})
				if err != nil {
					t.Fatal(err)
				}
				defer r.Close()
				time.Sleep(10 * time.Minute) // it leads alone
				if noisy {
					go strange.Send(t.Context(), make([]byte, lora.MaxPacket))
					time.Sleep(10 * time.Millisecond)
				}
				var got []int
				over := make(chan struct{})
				r.Do(func(now time.Time) {
					err = e.Scan(now, thread.ScanOptions{Kind: thread.ScanEnergy, Duration: 100 * time.Millisecond},
						func(r thread.ScanResult) { got = append(got, int(r.RSSI)) }, func(meshcop.ChannelMask) { close(over) })
				})
				<-over
				want := int(math.Round(radio.Config().Bandwidth.NoiseFloor()))
				if noisy {
					want = -71
				}
				if err != nil || len(got) != 1 || got[0] != want {
					t.Errorf("%v dBm, %v, want %d", got, err, want)
				}
			})
		})
	}
}
