package thread_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// withSNR hands an engine its frames with a signal to noise ratio.
type withSNR struct {
	*thread.Engine
	snr *float64
}

func (s withSNR) HandleFrame(now time.Time, psdu []byte, rssi int) {
	s.HandleFrameSNR(now, psdu, rssi, *s.snr)
}

// TestSNR: a neighbor's ratio is that of its last authentic frame, from the first on; forged frames, and no number, leave it.
func TestSNR(t *testing.T) {
	snr := 7.25
	sim := lorasim.New(lorasim.Options{Seed: 1})
	var engines []*thread.Engine
	for i := range byte(2) {
		e, err := thread.New(thread.Config{NetworkKey: [16]byte{1}, ExtAddr: ieee802154.ExtAddr{7: i + 1}, Rand: rand.NewChaCha8([32]byte{i})})
		if err != nil {
			t.Fatal(err)
		}
		a := sim.Add(withSNR{e, &snr}, lorasim.Position{X: float64(i)})
		sim.After(time.Duration(i)*40*time.Second, func() {
			if err := e.Start(sim.Now()); err != nil {
				t.Error(err)
			}
			a.Touch()
		})
		engines = append(engines, e)
	}
	for _, e := range engines {
		if !sim.RunUntil(func() bool { return len(e.Neighbors()) == 1 }, 5*time.Minute) || e.Neighbors()[0].SNR != 7.25 {
			t.Errorf("%+v", e.Neighbors())
		}
	}
	sim.Run(5 * time.Minute) // until both are routers
	last := func() float64 { return engines[0].Neighbors()[0].SNR }
	forged := ieee802154.Frame{
		Type: ieee802154.Data, Version: ieee802154.Version2006, PANIDCompression: true, DstPAN: thread.DefaultPANID, SrcPAN: thread.DefaultPANID,
		Dst: ieee802154.ExtAddress(engines[0].ExtAddr()), Src: ieee802154.ExtAddress(engines[1].ExtAddr()), Payload: []byte{1, 2, 3, 4},
	}
	psdu, err := forged.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	engines[0].HandleFrameSNR(sim.Now(), append(psdu, 0, 0), -50, 20)
	if last() != 7.25 {
		t.Errorf("%v dB by a forged frame", last())
	}
	snr = math.NaN()
	sim.Run(5 * time.Minute) // Advertisements
	if last() != 7.25 {
		t.Errorf("%v dB without one", last())
	}
	snr = -3
	if !sim.RunUntil(func() bool { return last() == -3 }, 10*time.Minute) {
		t.Errorf("%v dB, and not the last", last())
	}
}
