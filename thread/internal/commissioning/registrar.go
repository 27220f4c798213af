// Package commissioning is the mesh's side of a Thread commissioner (Thread 1.1 §8.7): one node of the mesh, or a border agent for somebody
// outside, asks the leader for the role and keeps it by signs of life. The leader tells all who it is, in the Commissioning Data of the
// network data.
//
//	Commissioner ── Leader Petition ───► Registrar ─► Commissioning Data: locator, session, steering data
//	             ── Leader Keep Alive ─►           └► without: session alone
//	             ── MGMT_COMMISSIONER_SET, GET ─►
//
// Joiners are those that the commissioner lets in, Sessions its conversations with them, through joiner routers.
package commissioning

import (
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// Data is the Commissioning Data of the network data.
type Data interface {
	// CommissioningData returns the MeshCoP TLVs, SetCommissioningData replaces them. It reports whether they are others, and fails, and
	// changes nothing, if there is no place for them.
	CommissioningData() []byte
	SetCommissioningData(tlvs []byte) (changed bool, err error)
}

// A Registrar is the leader's side: there is one commissioner at a time.
//
//	          Petition                     Petition of the same
//	nobody ─────────────► commissioner ◄──┐ KeepAlive
//	  ▲                     │     └───────┘
//	  └── resigned, or silent for Timeout
type Registrar struct {
	// Timeout is the silence after which a commissioner is none any more (Thread 1.1 §8.11, TIMEOUT_LEAD_PET).
	Timeout time.Duration

	core    *core.Core
	data    Data
	id      string
	session uint16    // of the last commissioner
	drawn   bool      // session is this node's
	until   time.Time // zero if there is no commissioner
}

// NewRegistrar returns a Registrar without a commissioner.
func NewRegistrar(c *core.Core, data Data, timeout time.Duration) *Registrar {
	return &Registrar{Timeout: timeout, core: c, data: data}
}

// Session returns the session of the present commissioner, or of none: then nobody has it.
func (r *Registrar) Session() uint16 {
	value, _ := tlv.Find(r.data.CommissioningData(), meshcop.TypeCommissionerSessionID)
	id, _ := meshcop.ParseCommissionerSessionID(value)
	return id
}

// Locator returns the place of the commissioner, or of the border agent through which it talks to the mesh; ok is false if there is none.
func Locator(data Data) (rloc mle.RLOC16, ok bool) {
	value, ok := tlv.Find(data.CommissioningData(), meshcop.TypeBorderAgentLocator)
	if !ok {
		return 0, false
	}
	rloc, err := meshcop.ParseLocator(value)
	return rloc, err == nil
}

// nextSession begins another session. The first is at random: a commissioner of before this node's restart shall not have it.
func (r *Registrar) nextSession() uint16 {
	if !r.drawn {
		r.session, r.drawn = uint16(r.core.Rand.Uint32()), true
	}
	if r.session++; r.session == r.Session() {
		r.session++
	}
	return r.session
}

// Petition answers somebody at from who wants to be the commissioner, and reports whether the Commissioning Data have changed. Who is it
// already may ask again, and gets another session; of one from before this leader nothing but its place is known.
func (r *Registrar) Petition(payload []byte, from mle.RLOC16) (answer []byte, changed bool) {
	value, ok := tlv.Find(payload, meshcop.TypeCommissionerID)
	ok = ok && meshcop.TypeCommissionerID.ValidLength(len(value)) && from.Valid()
	at, _ := Locator(r.data)
	if ok && (r.until.IsZero() || string(value) == r.id || r.id == "" && from == at) {
		session := r.nextSession()
		data := meshcop.AppendBorderAgentLocator(nil, from)
		data = meshcop.AppendCommissionerSessionID(data, session)
		data = tlv.Append(data, meshcop.TypeSteeringData, []byte{0}) // nobody may join
		var err error
		if changed, err = r.data.SetCommissioningData(data); err == nil {
			r.id, r.until = string(value), r.core.Now.Add(r.Timeout)
			answer = meshcop.AppendState(nil, meshcop.StateAccept)
			answer = tlv.Append(answer, meshcop.TypeCommissionerID, value)
			return meshcop.AppendCommissionerSessionID(answer, session), changed
		}
	}
	answer = meshcop.AppendState(nil, meshcop.StateReject)
	if !r.until.IsZero() {
		answer = tlv.Append(answer, meshcop.TypeCommissionerID, []byte(r.id))
	}
	return answer, false
}

// KeepAlive answers a commissioner at from that is still there, or resigns, and reports whether the Commissioning Data have changed. It fails
// if the message is malformed.
func (r *Registrar) KeepAlive(payload []byte, from mle.RLOC16) (answer []byte, changed bool, err error) {
	value, _ := tlv.Find(payload, meshcop.TypeState)
	state, err := meshcop.ParseState(value)
	if err != nil {
		return nil, false, err
	}
	value, _ = tlv.Find(payload, meshcop.TypeCommissionerSessionID)
	session, err := meshcop.ParseCommissionerSessionID(value)
	if err != nil {
		return nil, false, err
	}
	locator, ok := Locator(r.data)
	switch {
	case !ok || session != r.Session():
	case state != meshcop.StateAccept:
		changed = r.resign()
	default:
		if locator != from && from.Valid() {
			changed = r.moved(from)
		}
		r.until = r.core.Now.Add(r.Timeout)
		return meshcop.AppendState(nil, meshcop.StateAccept), changed, nil
	}
	return meshcop.AppendState(nil, meshcop.StateReject), changed, nil
}

// moved notes that the commissioner has another place.
func (r *Registrar) moved(to mle.RLOC16) bool {
	var data []byte
	for t, value := range tlv.All[meshcop.Type](r.data.CommissioningData()) {
		if t == meshcop.TypeBorderAgentLocator {
			data = meshcop.AppendBorderAgentLocator(data, to)
		} else {
			data = tlv.Append(data, t, value)
		}
	}
	changed, _ := r.data.SetCommissioningData(data) // it has not grown
	return changed
}

// resign makes nobody the commissioner, and reports whether the Commissioning Data have changed.
func (r *Registrar) resign() bool {
	r.until = time.Time{}
	changed, _ := r.data.SetCommissioningData(meshcop.AppendCommissionerSessionID(nil, r.nextSession()))
	return changed
}

// Lead begins the work of the leader: a commissioner that the data name has its time from now on.
func (r *Registrar) Lead() {
	r.until = time.Time{}
	if _, ok := Locator(r.data); ok {
		r.id, r.until = "", r.core.Now.Add(r.Timeout)
	}
}

// Stop ends it.
func (r *Registrar) Stop() { r.id, r.until = "", time.Time{} }

// NextTimeout returns when the commissioner has been silent for too long, and false if there is none.
func (r *Registrar) NextTimeout() (time.Time, bool) { return r.until, !r.until.IsZero() }

// HandleTimeout ends the session of a silent commissioner, and reports whether the Commissioning Data have changed.
func (r *Registrar) HandleTimeout() (changed bool) {
	return r.core.IsDue(r.until) && r.resign()
}

// maxData bounds the Commissioning Data that a commissioner can set, in bytes. (The network data have 254.)
const maxData = 250

// Set answers a MGMT_COMMISSIONER_SET, and reports whether the Commissioning Data have changed. What the commissioner sets replaces what it has
// set before; its locator is not its to set, and it must set something that there is (Thread 1.1 §8.7.3).
func (r *Registrar) Set(payload []byte) (answer []byte, changed bool) {
	answer = meshcop.AppendState(nil, meshcop.StateReject)
	value, _ := tlv.Find(payload, meshcop.TypeCommissionerSessionID)
	session, err := meshcop.ParseCommissionerSessionID(value)
	_, locates := tlv.Find(payload, meshcop.TypeBorderAgentLocator)
	if err != nil || session != r.Session() || locates || len(payload) > maxData || tlv.Validate(payload) != nil {
		return answer, false
	}
	useful := false
	for t, value := range tlv.All[meshcop.Type](payload) {
		if !t.ValidLength(len(value)) {
			return answer, false
		}
		useful = useful || t == meshcop.TypeSteeringData || t == meshcop.TypeJoinerUDPPort
	}
	if !useful {
		return answer, false
	}
	data := append([]byte(nil), payload...)
	if rloc, ok := Locator(r.data); ok {
		data = meshcop.AppendBorderAgentLocator(data, rloc)
	}
	if changed, err = r.data.SetCommissioningData(data); err != nil {
		return answer, false
	}
	return meshcop.AppendState(nil, meshcop.StateAccept), changed
}

// Get answers a MGMT_COMMISSIONER_GET: the TLVs that it asks for, each once, or all.
func (r *Registrar) Get(payload []byte) (answer []byte) {
	data := r.data.CommissioningData()
	types, _ := tlv.Find(payload, meshcop.TypeGet)
	if len(types) == 0 {
		return append([]byte(nil), data...)
	}
	for _, t := range types {
		if _, done := tlv.Find(answer, meshcop.Type(t)); done {
			continue
		}
		if value, ok := tlv.Find(data, meshcop.Type(t)); ok {
			answer = tlv.Append(answer, meshcop.Type(t), value)
		}
	}
	return answer
}
