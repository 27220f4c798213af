package commissioning

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// State is how far a node is in being the commissioner.
type State uint8

// The states.
const (
	Disabled  State = iota // it is none
	Petitions              // it has asked the leader
	Active                 // it is the commissioner
)

func (s State) String() string {
	switch s {
	case Disabled:
		return "disabled"
	case Petitions:
		return "petition"
	case Active:
		return "active"
	}
	return fmt.Sprintf("State(%d)", uint8(s))
}

const (
	// maxPetitions is how often the leader is asked, petitionRetry the pause before it is asked again (Thread 1.1 §8.11, COMM_PET_RETRY_COUNT and
	// COMM_PET_RETRY_DELAY).
	maxPetitions  = 2
	petitionRetry = time.Second
)

// A Commissioner is the node's own side.
//
//	             Start                    accepted                  half of the timeout
//	Disabled ──────────► Petitions ────────────────────► Active ──────────────────────┐
//	   ▲                  │     └ no answer: again        │  ▲── accepted ── keep-alive ┘
//	   └── refused, no answer twice ─┴──── Stop, refused ──┘
//
// It sends nothing: Poll tells what is to be asked of the leader, Answered hears what came of it.
type Commissioner struct {
	// Timeout is as in Registrar.
	Timeout time.Duration

	core     *core.Core
	state    State
	session  uint16
	attempts int
	timer    time.Time
	open     Question // what the leader has been asked
	next     []Question
}

// A Question is what is asked of the leader.
type Question uint8

// Questions.
const (
	None      Question = iota
	Petition           // Leader Petition
	KeepAlive          // Leader Keep Alive
	Resign             // the same, to say that this node is the commissioner no more
)

// New returns a Commissioner that is none.
func New(c *core.Core, timeout time.Duration) *Commissioner {
	return &Commissioner{Timeout: timeout, core: c}
}

// State returns how far it is.
func (c *Commissioner) State() State { return c.state }

// Session returns the session, the last one after its end.
func (c *Commissioner) Session() uint16 { return c.session }

// ALOC returns the anycast locator of the commissioner, and false if this node is none.
func (c *Commissioner) ALOC() (mle.RLOC16, bool) {
	return ALOCOf(c.session), c.state == Active
}

// ALOCOf returns the anycast locator of the commissioner with a session.
func ALOCOf(session uint16) mle.RLOC16 {
	const sessions = mle.ALOCCommissionerLast - mle.ALOCCommissionerFirst + 1
	return mle.ALOCCommissionerFirst + mle.RLOC16(session)%sessions
}

// Start asks for the role. It fails with core.ErrExists unless the state is Disabled.
func (c *Commissioner) Start() error {
	if c.state != Disabled {
		return core.ErrExists
	}
	c.state, c.attempts = Petitions, 0
	c.ask(Petition)
	return nil
}

// Stop gives the role up, and tells the leader. It fails with core.ErrState if the state is Disabled.
func (c *Commissioner) Stop() error {
	if c.state == Disabled {
		return core.ErrState
	}
	was := c.state
	c.disable()
	if was == Active {
		c.ask(Resign)
	}
	return nil
}

// Leave gives the role up without a word: there is nobody to tell.
func (c *Commissioner) Leave() {
	c.disable()
	c.next, c.open = c.next[:0], None
}

func (c *Commissioner) disable() { c.state, c.timer = Disabled, time.Time{} }

func (c *Commissioner) ask(q Question) {
	if q == Petition {
		c.attempts++
	}
	c.next = append(c.next, q)
}

// Poll returns the next question for the leader with the payload of its message, and None if there is none.
func (c *Commissioner) Poll() (q Question, payload []byte) {
	if len(c.next) == 0 {
		return None, nil
	}
	q = c.next[0]
	c.next = append(c.next[:0], c.next[1:]...)
	switch q {
	case Petition:
		payload = tlv.Append(nil, meshcop.TypeCommissionerID, fmt.Appendf(nil, "pymesh %x", [8]byte(c.core.Ext)))
	case KeepAlive, Resign:
		state := meshcop.StateAccept
		if q == Resign {
			state = meshcop.StateReject
		}
		payload = meshcop.AppendCommissionerSessionID(meshcop.AppendState(nil, state), c.session)
	}
	if q != Resign {
		c.open = q
	}
	return q, payload
}

// Answered takes the leader's answer to a question, ok being false if there was none. An answer to a question that is not open any more
// changes nothing.
func (c *Commissioner) Answered(q Question, payload []byte, ok bool) {
	if q != c.open {
		return
	}
	c.open = None
	value, _ := tlv.Find(payload, meshcop.TypeState)
	state, err := meshcop.ParseState(value)
	accepted := ok && err == nil && state == meshcop.StateAccept
	switch {
	case c.state == Petitions && q == Petition && !ok && c.attempts < maxPetitions:
		c.timer = c.core.Now.Add(petitionRetry)
	case c.state == Petitions && q == Petition:
		value, _ := tlv.Find(payload, meshcop.TypeCommissionerSessionID)
		session, err := meshcop.ParseCommissionerSessionID(value)
		if !accepted || err != nil {
			c.disable()
			return
		}
		c.state, c.session, c.attempts = Active, session, 0
		c.timer = c.core.Now.Add(c.Timeout / 2)
	case c.state == Active && q == KeepAlive && accepted:
		c.timer = c.core.Now.Add(c.Timeout / 2)
	case c.state == Active && q == KeepAlive:
		c.disable()
	}
}

// NextTimeout returns when the leader is asked next.
func (c *Commissioner) NextTimeout() (time.Time, bool) { return c.timer, !c.timer.IsZero() }

// HandleTimeout asks the leader, if it is time.
func (c *Commissioner) HandleTimeout() {
	if !c.core.IsDue(c.timer) {
		return
	}
	c.timer = time.Time{}
	switch c.state {
	case Petitions:
		c.ask(Petition)
	case Active:
		c.ask(KeepAlive)
	}
}
