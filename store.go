package pymesh

import (
	"fmt"

	"github.com/gopymesh/pymesh/internal/filestore"
	"github.com/gopymesh/pymesh/thread"
)

// Settings are what a node must remember across a restart: its frame counters, its address, its place in the mesh, its children, and the network
// key. What is inside is the node's; a [Store] keeps it as it is.
type Settings struct{ s thread.Settings }

// MarshalBinary returns the settings as bytes, with the network key in clear: some kilobytes at most, with a version and a checksum.
func (s Settings) MarshalBinary() ([]byte, error) {
	b, err := filestore.AppendSettings(nil, s.s)
	if err != nil {
		return nil, fmt.Errorf("pymesh: Settings: %w", err)
	}
	return b, nil
}

// UnmarshalBinary takes what MarshalBinary has returned, in this version or an earlier one. It fails with [ErrStoreDamaged] for anything else,
// and for what a later version has written that would do harm in this one.
func (s *Settings) UnmarshalBinary(b []byte) error {
	settings, err := filestore.ParseSettings(b)
	if err != nil {
		return fmt.Errorf("pymesh: Settings: %w", err)
	}
	s.s = settings
	return nil
}

// A Store keeps the settings of one node. [FileStore] is one in a file, [MemoryStore] one for simulations; others keep the bytes that
// Settings.MarshalBinary gives. A node calls one method at a time.
type Store interface {
	// Load returns the settings saved last, and false if there are none.
	Load() (Settings, bool, error)
	// Save replaces them. It must not return before they would survive a loss of power: a node uses frame counters as soon as Save has
	// promised to remember that they are used, and a counter that is used twice tells strangers what was sent. The node is held up meanwhile.
	Save(Settings) error
}

// A MemoryStore keeps settings as long as the program runs: enough for a simulated node that restarts, not for a real one. The zero value is
// empty and ready.
type MemoryStore struct{ m thread.MemoryStore }

// Load returns the settings saved last.
func (m *MemoryStore) Load() (Settings, bool, error) {
	s, ok, err := m.m.Load()
	return Settings{s}, ok, err
}

// Save keeps s.
func (m *MemoryStore) Save(s Settings) error { return m.m.Save(s.s) }

// engineStore is a Store as the engine sees it.
type engineStore struct{ Store }

func (e engineStore) Load() (thread.Settings, bool, error) {
	s, ok, err := e.Store.Load()
	return s.s, ok, err
}

func (e engineStore) Save(s thread.Settings) error { return e.Store.Save(Settings{s}) }
