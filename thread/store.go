package thread

import (
	"fmt"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Settings is what a node must remember across a restart.
type Settings struct {
	// NetworkKey is the key under which the counters were used.
	NetworkKey  [keys.Size]byte
	ExtAddr     ieee802154.ExtAddr
	KeySequence keys.Sequence
	// MACFrameCounter and MLEFrameCounter are limits: counters below them may have been used, from them on they have not.
	MACFrameCounter, MLEFrameCounter uint32
	// MPLSequence is such a limit too, in the serial numbers of the multicasts that this node sends.
	MPLSequence uint8

	// Role, RLOC16 and what follows describe the last attachment. A Role of RoleDisabled means that there is none.
	Role        Role
	RLOC16      mle.RLOC16
	Mode        mle.Mode
	PartitionID uint32
	// MeshLocalIID is the interface identifier of the mesh-local EID.
	MeshLocalIID ip6.InterfaceID
	// Parent is the extended address of an end device's parent.
	Parent ieee802154.ExtAddr
	// Children are those of a router.
	Children []ChildSettings

	// Network is that of the last attachment. It is nil without Config.StoredNetwork.
	Network *Network
	// AutoStart says that the node shall be started when the program is.
	AutoStart bool
}

// ChildSettings is what a router remembers of a child.
type ChildSettings struct {
	ExtAddr ieee802154.ExtAddr
	RLOC16  mle.RLOC16
	Mode    mle.Mode
	Timeout time.Duration
}

// A Store keeps the settings of one node. Save must not return before the settings would survive a loss of power: the engine uses
// frame counters as soon as Save has promised to remember that they are used. The value passed to Save is the store's to keep.
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

// saveSettings stores the state of the node, with frame counters ahead, and reports whether that worked.
func (e *Engine) saveSettings() bool {
	s := e.settings
	s.NetworkKey = e.networkKey
	s.ExtAddr = e.ext
	s.MeshLocalIID = e.meshLocalIID
	s.KeySequence = e.keySequence
	s.MACFrameCounter = e.mac.counter + counterAhead
	s.MLEFrameCounter = e.mleCounter + counterAhead
	s.MPLSequence = e.mplSeq + mplAhead
	if e.role >= RoleChild {
		s.Role = e.role
		s.RLOC16 = e.rloc
		s.Mode = e.mode
		s.PartitionID = e.leader.PartitionID
		s.Children = nil
		if e.role == RoleChild {
			s.Parent = e.parent.ext
		}
		if e.storesNetwork {
			n := e.Network()
			s.Network = &n
		}
		for i := range e.children.children {
			if c := &e.children.children[i]; c.validOrRestoring() {
				s.Children = append(s.Children, ChildSettings{ExtAddr: c.ext, RLOC16: c.rloc, Mode: c.mode, Timeout: c.timeout})
			}
		}
	}
	if err := e.store.Save(s); err != nil {
		e.counters.StoreFailed++
		e.log.Error("settings not stored; nothing secured is sent until they are", "err", err)
		return false
	}
	e.settings = s
	e.storedMAC, e.storedMLE, e.storedMPL = s.MACFrameCounter, s.MLEFrameCounter, s.MPLSequence
	return true
}

// restore lets what commands have configured go before the configuration, if it shall.
func (c *Config) restore() error {
	if !c.StoredNetwork || c.Store == nil {
		return nil
	}
	s, ok, err := c.Store.Load()
	if err != nil {
		return fmt.Errorf("thread: loading settings: %w", err)
	}
	if !ok || s.Network == nil {
		return nil
	}
	n := s.Network
	c.NetworkKey, c.PANID, c.NetworkName, c.ExtPANID = n.Key, n.PANID, n.Name, n.ExtPANID
	c.MeshLocalPrefix, c.Channel = n.MeshLocalPrefix, n.Channel
	c.ExtAddr, c.Mode = s.ExtAddr, s.Mode
	return nil
}

// restoreSettings takes over what the store has.
func (e *Engine) restoreSettings() error {
	s, ok, err := e.store.Load()
	if err != nil || !ok {
		return err
	}
	// Frame counters go on where they may have been used, even under another key: a counter that is too high does no harm.
	e.mac.counter, e.mleCounter = s.MACFrameCounter, s.MLEFrameCounter
	e.storedMAC, e.storedMLE = 0, 0
	e.mplSeq = s.MPLSequence
	e.settings.AutoStart, e.settings.Network = s.AutoStart, s.Network
	if s.NetworkKey != e.networkKey || s.ExtAddr != e.ext {
		return nil
	}
	e.keySequence = s.KeySequence
	e.settings = s
	e.meshLocalIID = s.MeshLocalIID
	if s.Role >= RoleChild {
		e.rloc = s.RLOC16
	}
	return nil
}
