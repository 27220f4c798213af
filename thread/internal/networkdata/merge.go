package networkdata

import (
	"bytes"
	"errors"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// The leader's part: it merges what servers register into the data (Thread 1.1 §5.18).
//
//	Register ─► this server's entries are replaced ─► another version, and another stable version if the stable subset has changed
//	Withdraw ─► a server's entries, or those of a router and its children, are gone
//	a prefix without servers ─► its context decompresses only ─► HandleTimeout, after ReuseDelay: gone, its ID is free

// Errors of Register.
var (
	// ErrFull says that not all of a registration has a place: the data, the context IDs or the service IDs are used up.
	ErrFull = errors.New("network data: full")
	// ErrForeign says that a registration has entries of another server than its sender.
	ErrForeign = errors.New("network data: a registration for another server")
)

// DefaultReuseDelay is how long the ID of a context stays unassigned once its prefix has no servers (CONTEXT_ID_REUSE_DELAY, Thread 1.1
// §5.18.6): nobody compresses with it any more after that.
const DefaultReuseDelay = 48 * time.Hour

const (
	minContextID = 1 // 0 is the mesh-local prefix
	maxContextID = 15
	maxServiceID = 15
)

// Register takes all that a server offers, in place of what it has registered before. It is taken as a whole, or refused as a whole: with
// ErrFull, ErrForeign, or an error of package netdata, and then nothing has changed. It reports whether there is another version of the data.
func (d *Data) Register(server mle.RLOC16, tlvs []byte) (changed bool, err error) {
	if err := netdata.Validate(tlvs); err != nil {
		return false, err
	}
	before := parseElements(d.tlvs)
	elements := remove(before, func(r mle.RLOC16) bool { return r == server })
	for rloc, e := range All(tlvs) {
		if rloc != server {
			return false, ErrForeign
		}
		if elements, err = add(elements, before, &e, server); err != nil {
			return false, err
		}
	}
	return d.replace(elements)
}

// Withdraw removes the entries of servers that match, and reports whether there were any.
func (d *Data) Withdraw(match func(mle.RLOC16) bool) (changed bool) {
	changed, _ = d.replace(remove(parseElements(d.tlvs), match)) // it does not grow
	return changed
}

// SetCommissioningData replaces what the data say of the commissioner, MeshCoP TLVs; none removes it. It fails with ErrFull. It reports
// whether there is another version of the data.
func (d *Data) SetCommissioningData(value []byte) (changed bool, err error) {
	elements := slices.DeleteFunc(parseElements(d.tlvs), func(e element) bool { return e.typ == netdata.TypeCommissioningData })
	if len(value) > 0 {
		elements = append(elements, element{typ: netdata.TypeCommissioningData, head: value})
	}
	return d.replace(elements)
}

// CommissioningData returns what the data say of the commissioner, MeshCoP TLVs. It is not to be changed.
func (d *Data) CommissioningData() []byte {
	for t := range netdata.All(d.tlvs) {
		if t.Type == netdata.TypeCommissioningData {
			return t.Value
		}
	}
	return nil
}

// Bump makes a new version of the data whose content stays, and of the stable subset, too, if that is to be: something else that goes with
// them has changed.
func (d *Data) Bump(stable bool) {
	d.version++
	if stable {
		d.stableVersion++
	}
}

// replace makes elements the data, with new versions if they differ.
func (d *Data) replace(elements []element) (changed bool, err error) {
	tlvs := appendElements(nil, elements)
	if len(tlvs) > maxSize {
		return false, ErrFull
	}
	if bytes.Equal(tlvs, d.tlvs) {
		return false, nil
	}
	stable := slices.Clone(d.Stable())
	d.tlvs = append(d.tlvs[:0], tlvs...)
	d.Bump(!bytes.Equal(stable, d.Stable()))
	d.index()
	return true, nil
}

// remove returns elements without the entries of the servers that match.
func remove(elements []element, match func(mle.RLOC16) bool) []element {
	var rest []element
	for _, e := range elements {
		if e.isContainer() {
			e.subs = slices.Clone(e.subs)
			e.without(match)
			if len(e.subs) == 0 {
				continue
			}
		}
		rest = append(rest, e)
	}
	return rest
}

// add puts an entry into elements. before are those of before the registration, by which a service keeps its ID.
func add(elements, before []element, e *Entry, server mle.RLOC16) ([]element, error) {
	i := slices.IndexFunc(elements, func(o element) bool { return o.holds(e) })
	if i < 0 {
		head, err := newHead(elements, before, e)
		if err != nil {
			return nil, err
		}
		typ := netdata.TypePrefix
		if e.Kind == Service {
			typ = netdata.TypeService
		}
		elements = append(elements, element{typ: typ, head: head})
		i = len(elements) - 1
	}
	to := &elements[i]
	if e.Kind == OnMeshPrefix {
		c := to.context()
		if c < 0 {
			id, ok := freeContext(elements)
			if !ok {
				return nil, ErrFull
			}
			value, _ := netdata.ContextTLV{ID: id, Length: uint8(e.Prefix.Bits())}.AppendBinary(nil)
			to.subs = append(to.subs, netdata.TLV{Type: netdata.TypeContext, Value: value})
			c = len(to.subs) - 1
		}
		to.compress(c, true, e.Stable)
	}
	to.add(e, server)
	return elements, nil
}

// newHead is what a new Prefix or Service TLV for an entry begins with. A service that was there before has the same ID again.
func newHead(elements, before []element, e *Entry) ([]byte, error) {
	if e.Kind != Service {
		return e.head(0), nil
	}
	for i := range before {
		if before[i].holds(e) {
			return before[i].head, nil
		}
	}
	for id := range uint8(maxServiceID + 1) {
		taken := func(o element) bool { used, ok := o.serviceID(); return ok && used == id }
		if !slices.ContainsFunc(elements, taken) && !slices.ContainsFunc(before, taken) {
			return e.head(id), nil
		}
	}
	return nil, ErrFull
}

// freeContext returns the lowest context ID that no prefix has.
func freeContext(elements []element) (uint8, bool) {
	var used [maxContextID + 1]bool
	for i := range elements {
		for _, sub := range elements[i].subs {
			if c, err := netdata.ParseContextTLV(sub.Value); err == nil && sub.Type == netdata.TypeContext {
				used[c.ID] = true
			}
		}
	}
	for id := minContextID; id <= maxContextID; id++ {
		if !used[id] {
			return uint8(id), true
		}
	}
	return 0, false
}

// watchContexts notes since when contexts have been without servers.
func (d *Data) watchContexts() {
	var idle [maxContextID + 1]bool
	for c := range netdata.Contexts(d.tlvs) {
		idle[c.ID] = !c.Compress
	}
	for id := range idle {
		switch {
		case !idle[id]:
			d.idle[id] = time.Time{}
		case d.idle[id].IsZero():
			d.idle[id] = d.core.Now
		}
	}
}

// NextTimeout returns when the ID of a context gets free. It is for the leader alone.
func (d *Data) NextTimeout() (time.Time, bool) {
	var next time.Time
	for _, since := range d.idle {
		if !since.IsZero() {
			next = core.Earliest(next, since.Add(d.ReuseDelay))
		}
	}
	return next, !next.IsZero()
}

// HandleTimeout frees the IDs of contexts whose time is over, and reports whether there is another version of the data.
func (d *Data) HandleTimeout() (changed bool) {
	over := func(sub netdata.TLV) bool {
		c, err := netdata.ParseContextTLV(sub.Value)
		return sub.Type == netdata.TypeContext && err == nil && !c.Compress && !d.idle[c.ID].IsZero() &&
			!d.core.Now.Before(d.idle[c.ID].Add(d.ReuseDelay))
	}
	elements := parseElements(d.tlvs)
	for i := range elements {
		elements[i].subs = slices.DeleteFunc(elements[i].subs, over)
	}
	elements = slices.DeleteFunc(elements, func(e element) bool { return e.isContainer() && len(e.subs) == 0 })
	changed, _ = d.replace(elements)
	return changed
}
