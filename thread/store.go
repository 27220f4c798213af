package thread

import (
	"log/slog"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/slaac"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Settings is what a node must remember across a restart.
type Settings struct {
	// NetworkKey, ExtAddr and KeySequence are those in use, KeySequenceAge is how long the sequence had lasted.
	NetworkKey     [keys.Size]byte
	ExtAddr        ieee802154.ExtAddr
	KeySequence    keys.Sequence
	KeySequenceAge time.Duration
	// MACFrameCounter and MLEFrameCounter are limits: counters below them may have been used, from them on they have not, under key
	// sequences from LeastKeySequence on and whatever the network key and the address. HighestKeySequence is the last that was used.
	MACFrameCounter, MLEFrameCounter     uint32
	LeastKeySequence, HighestKeySequence keys.Sequence
	// MPLSequence is such a limit too, in the serial numbers of the multicasts that this node sends.
	MPLSequence uint8

	// Role, RLOC16 and what follows describe the last attachment. A Role of RoleDisabled means that there is none.
	Role        Role
	RLOC16      mle.RLOC16
	Mode        mle.Mode
	PartitionID uint32
	// MeshLocalIID is the interface identifier of the mesh-local EID.
	MeshLocalIID ip6.InterfaceID
	// SLAACSecret is what the interface identifiers of addresses follow from that the node has taken in prefixes of the network data (RFC 7217),
	// all zero if there is none. SLAACConflicts says how often another node was found to have such an address.
	SLAACSecret    [slaac.SecretSize]byte
	SLAACConflicts []SLAACConflict
	// Parent is the extended address of an end device's parent.
	Parent ieee802154.ExtAddr
	// Children are those of a router.
	Children []ChildSettings

	// Network is what the node was configured with at its last attachment, Dataset the active one that it knows. The rest belongs to that
	// network: under another configuration only the frame counters count.
	Network *Network
	Dataset *DatasetSettings
	// Pending is the Pending Operational Dataset, nil if there is none, and Configured what the node was configured with when both were
	// stored: to another configuration they do not belong. Stores of earlier versions have neither.
	Pending    *DatasetSettings
	Configured *Network
	// Joined is the network that the node was let into by a password, nil if there is none.
	Joined *Network
	// AutoStart says that the node shall be started when the program is.
	AutoStart bool
}

// DatasetSettings is an Active or Pending Operational Dataset (Thread 1.1 §8.10): its timestamp as an Active or Pending Timestamp TLV has it,
// and the other TLVs.
type DatasetSettings struct {
	Timestamp [8]byte
	TLVs      []byte
}

// SLAACConflict counts the addresses in a prefix that another node was found to have, too: the DAD counter of RFC 7217 §5.
type SLAACConflict struct {
	Prefix netip.Prefix
	Count  uint8
}

// ChildSettings is what a router remembers of a child.
type ChildSettings struct {
	ExtAddr ieee802154.ExtAddr
	RLOC16  mle.RLOC16
	Mode    mle.Mode
	Timeout time.Duration
}

// A Store keeps the settings of one node. Save must not return before the settings would survive a loss of power: the engine uses
// frame counters as soon as Save has promised to remember that they are used. The value passed to Save is the store's to keep. A store
// in a file is package pymesh's FileStore.
type Store interface {
	// Load returns the settings saved last, and false if there are none.
	Load() (Settings, bool, error)
	Save(Settings) error
}

// A MemoryStore keeps settings as long as the program runs: enough for a simulated node that restarts, not for a real one.
// The zero value is empty and ready.
type MemoryStore struct {
	settings Settings
	saved    bool
}

// Load returns the settings saved last.
func (m *MemoryStore) Load() (Settings, bool, error) { return m.settings, m.saved, nil }

// Save keeps s.
func (m *MemoryStore) Save(s Settings) error {
	m.settings, m.saved = s, true
	return nil
}

// keeper remembers what a restart needs.
type keeper struct {
	store    Store
	settings Settings  // stored last
	dirty    bool      // settings are not what they should be
	retry    time.Time // when to try again after a failure, zero if there was none
	trouble  lasting.Condition
}

// ageStored is how often the age of the key sequence is stored, if there is no other reason to store anything.
const ageStored = time.Hour

// changed says that what a restart needs to know has changed. It is stored when there is time for that: see Flush.
func (e *Engine) changed() { e.keeper.dirty = true }

// Flush stores what a restart needs to know, if that has changed. A store may take long, and a frame wants its acknowledgement at once:
// call Flush after an input when PollTransmit has no packet. Where nobody does, it is done with the housekeeping of the next second.
// What must not wait is stored before it is used: frame counters, once those that were stored ahead are used up.
func (e *Engine) Flush() {
	k := &e.keeper
	if e.threadOn {
		e.renewKeys()
	}
	if !k.dirty && !(e.threadOn && (e.mac.Counter.Low() || e.mle.counter.Low())) || e.Now.Before(k.retry) {
		return
	}
	e.save()
}

// save stores the state of the node, with frame counters ahead of use, and reports whether that worked.
func (e *Engine) save() bool {
	s := e.keeper.settings
	s.NetworkKey, s.ExtAddr = e.dataset.Network().Key, e.Ext
	if e.ownExt != (ieee802154.ExtAddr{}) {
		s.ExtAddr = e.ownExt
	}
	s.Dataset, s.Pending = nil, nil
	if timestamp, tlvs, ok := e.dataset.Own(); ok {
		s.Dataset = &DatasetSettings{Timestamp: timestamp, TLVs: tlvs}
	}
	if timestamp, tlvs, ok := e.pendingSet.Own(); ok {
		s.Pending = &DatasetSettings{Timestamp: timestamp, TLVs: tlvs}
	}
	configured := e.dataset.Configured()
	s.Configured = &configured
	s.MeshLocalIID = e.addresses.IID()
	s.SLAACSecret = e.slaac.Secret()
	s.SLAACConflicts = nil
	for _, c := range e.slaac.Conflicts() {
		s.SLAACConflicts = append(s.SLAACConflicts, SLAACConflict(c))
	}
	s.KeySequence, s.KeySequenceAge = e.keys.Sequence(), e.keys.Age()
	s.LeastKeySequence, s.HighestKeySequence = e.keys.Bounds()
	s.MACFrameCounter, s.MLEFrameCounter, s.MPLSequence = e.mac.Counter.Limit(), e.mle.counter.Limit(), e.mpl.Limit()
	if e.attached() {
		s.Role, s.RLOC16, s.Mode, s.PartitionID = e.role, e.rloc, e.mode, e.leader.PartitionID
		if e.role == RoleChild {
			s.Parent = e.neighbors.Parent.Ext
		}
		n := e.dataset.Configured()
		s.Network = &n
		s.Children = nil
		for c := range e.neighbors.Children.Established() {
			s.Children = append(s.Children, ChildSettings{ExtAddr: c.Ext, RLOC16: c.RLOC16, Mode: c.Mode, Timeout: c.Timeout})
		}
	}
	if err := e.keeper.store.Save(s); err != nil {
		e.counters.StoreFailed++
		e.keeper.trouble.Log(e.Now, e.Log, slog.LevelError, "settings not stored; once the frame counters stored before are used up, nothing secured is sent", "err", err)
		e.keeper.retry = e.Now.Add(time.Second)
		return false
	}
	e.keeper.settings, e.keeper.dirty, e.keeper.retry = s, false, time.Time{}
	e.mac.Counter.Stored(s.MACFrameCounter)
	e.mle.counter.Stored(s.MLEFrameCounter)
	e.mpl.Stored(s.MPLSequence)
	return true
}

// restoreSettings takes over what the store has.
func (e *Engine) restoreSettings() error {
	s, ok, err := e.keeper.store.Load()
	if err != nil || !ok {
		return err
	}
	// Frame counters go on where they may have been used, even under another key: a counter that is too high does no harm.
	least, highest := s.LeastKeySequence, s.HighestKeySequence
	if highest < s.KeySequence {
		// Of an earlier version, whose frame counters began anew with each sequence: those before this one are spent.
		least, highest = s.KeySequence, s.KeySequence
	}
	e.keys.RestoreBounds(least, highest)
	e.mac.Counter.Restore(s.MACFrameCounter)
	e.mle.counter.Restore(s.MLEFrameCounter)
	e.mpl.Restore(s.MPLSequence)
	e.keeper.settings.AutoStart, e.keeper.settings.Network, e.keeper.settings.Joined = s.AutoStart, s.Network, s.Joined
	mine, err := e.restoreDatasets(&s)
	if err != nil {
		return err
	}
	if s.NetworkKey == e.dataset.Network().Key {
		e.keys.Restore(s.KeySequence, s.KeySequenceAge)
	}
	if !mine {
		return nil
	}
	if s.ExtAddr != e.Ext {
		return nil
	}
	e.keeper.settings = s
	e.addresses.SetIID(s.MeshLocalIID)
	var conflicts []slaac.Conflict
	for _, c := range s.SLAACConflicts {
		conflicts = append(conflicts, slaac.Conflict(c))
	}
	e.slaac.Restore(s.SLAACSecret, conflicts)
	if s.Role >= RoleChild {
		e.setRLOC16(s.RLOC16)
	}
	return nil
}

// restoreDatasets takes over the datasets, and reports whether what is stored belongs to the network that is configured.
func (e *Engine) restoreDatasets(s *Settings) (mine bool, err error) {
	n := e.dataset.Configured()
	configured := s.Configured
	if configured == nil {
		configured = s.Network
	}
	if configured == nil && s.NetworkKey != n.Key || configured != nil && *configured != n {
		return false, nil
	}
	if d := s.Dataset; d != nil {
		if err := e.dataset.Set(d.Timestamp, d.TLVs, true); err != nil {
			return false, err
		}
	}
	if d := s.Pending; d != nil {
		if err := e.pendingSet.Restore(d.Timestamp, d.TLVs); err != nil {
			return false, err
		}
	}
	if key := e.dataset.Network().Key; key != e.keys.NetworkKey() {
		e.keys.SetNetworkKey(key)
	}
	e.applyNetwork()
	e.policyChanged()
	return true, nil
}

// AutoStart reports whether the store asks for the node to be started when the program is.
func (e *Engine) AutoStart() bool { return e.keeper.settings.AutoStart }
