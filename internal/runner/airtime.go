package runner

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// Airtime is how long the radio has sent, by what for.
type Airtime struct {
	Acks  time.Duration
	MLE   time.Duration // what keeps the mesh together, as far as it needs no fragments: alone of all data the MAC does not secure it
	Data  time.Duration // datagrams, management and the fragments of MLE messages
	Other time.Duration // polls, beacons and what they answer
}

// add counts a packet.
func (a *Airtime) add(psdu []byte, d time.Duration) {
	f, err := ieee802154.ParseFrame(psdu)
	switch {
	case err != nil:
		a.Other += d
	case f.Type == ieee802154.Ack:
		a.Acks += d
	case f.Type == ieee802154.Data && f.Security.Level == ieee802154.SecurityNone:
		a.MLE += d
	case f.Type == ieee802154.Data:
		a.Data += d
	default:
		a.Other += d
	}
}

// Airtime returns how long the radio has sent. It is for functions that Do calls.
func (r *Runner) Airtime() Airtime { return r.airtime }
