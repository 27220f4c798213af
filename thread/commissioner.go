package thread

import (
	"time"

	"github.com/gopymesh/pymesh/thread/coap"
	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// commissioner carries the messages of a commissioner in the mesh, of both sides: to the leader, and as the leader (Thread 1.1 §8.7). It is its
// own border agent: those outside of the mesh, and joiners, come by DTLS, which is not there.
type commissioner struct {
	*self
	commissioning *commissioning.Commissioner
	registrar     *commissioning.Registrar
	distrib       *distributor
	tmf           *tmfMessenger
	update        func() // derives the addresses again
}

// NextTimeout returns when the leader is to hear, or has not heard, of a commissioner.
func (c *commissioner) NextTimeout() (time.Time, bool) {
	own, _ := c.commissioning.NextTimeout()
	others, _ := c.registrar.NextTimeout()
	next := core.Earliest(own, others)
	return next, !next.IsZero()
}

// HandleTimeout does what is due.
func (c *commissioner) HandleTimeout() {
	c.commissioning.HandleTimeout()
	c.send()
	if c.registrar.HandleTimeout() {
		c.Log.Info("the commissioner has fallen silent")
		c.distrib.announce()
	}
}

// send asks the leader what is to be asked.
func (c *commissioner) send() {
	for {
		q, payload := c.commissioning.Poll()
		if q == commissioning.None {
			return
		}
		if !c.attached() {
			c.answered(q, nil, false)
			continue
		}
		uri := tmf.URILeaderKeepAlive
		if q == commissioning.Petition {
			uri = tmf.URILeaderPetition
		}
		err := c.tmf.askLeader(uri, payload, tmfTag{answer: func(ev tmfEvent) error {
			c.answered(q, ev.Message.Payload, ev.Kind == coap.ResponseReceived && ev.Message.Code == coap.Changed)
			return nil
		}})
		if err != nil {
			c.answered(q, nil, false)
		}
	}
}

func (c *commissioner) answered(q commissioning.Question, payload []byte, ok bool) {
	before := c.commissioning.State()
	c.commissioning.Answered(q, payload, ok)
	if now := c.commissioning.State(); now != before {
		c.Log.Info("commissioner", "from", before, "to", now)
		c.update()
	}
}

// session is this node's as the commissioner, and false if it is none.
func (c *commissioner) session() (uint16, bool) {
	return c.commissioning.Session(), c.commissioning.State() == commissioning.Active
}

// stop ends what this node is in the partition.
func (c *commissioner) stop() {
	c.commissioning.Leave()
	c.registrar.Stop()
}

// from is the place of who has sent a request, mle.InvalidRLOC16 if that is no place of this mesh.
func (c *commissioner) from(ev tmfEvent) mle.RLOC16 {
	if rloc, ok := c.tmf.addresses.Locator(ev.Path.Peer.Addr()); ok && rloc.Valid() {
		return rloc
	}
	return mle.InvalidRLOC16
}

func (c *commissioner) handlePetition(ev tmfEvent, _ tmf.Payload) error {
	answer, changed := c.registrar.Petition(ev.Message.Payload, c.from(ev))
	c.tmf.respond(ev, answer)
	c.dataChanged(changed)
	return nil
}

func (c *commissioner) handleKeepAlive(ev tmfEvent, _ tmf.Payload) error {
	answer, changed, err := c.registrar.KeepAlive(ev.Message.Payload, c.from(ev))
	if err != nil {
		return err
	}
	c.tmf.respond(ev, answer)
	c.dataChanged(changed)
	return nil
}

func (c *commissioner) handleSet(ev tmfEvent, _ tmf.Payload) error {
	answer, changed := c.registrar.Set(ev.Message.Payload)
	c.tmf.respond(ev, answer)
	c.dataChanged(changed)
	return nil
}

func (c *commissioner) handleGet(ev tmfEvent, _ tmf.Payload) error {
	c.tmf.respond(ev, c.registrar.Get(ev.Message.Payload))
	return nil
}

// handleDatasetChanged hears that somebody else has changed the dataset: the mesh tells which it is.
func (c *commissioner) handleDatasetChanged(ev tmfEvent, _ tmf.Payload) error {
	if c.commissioning.State() != commissioning.Active {
		return errTMFUnexpected
	}
	c.tmf.acknowledge(ev)
	return nil
}

// dataChanged distributes other Commissioning Data.
func (c *commissioner) dataChanged(changed bool) {
	if changed {
		c.distrib.announce()
	}
}
