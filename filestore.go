package pymesh

import (
	"fmt"
	"sync/atomic"

	"github.com/gopymesh/pymesh/internal/filestore"
	"github.com/gopymesh/pymesh/lora"
)

// Errors of a file store, to be found with errors.Is. A wrong owner or mode is fs.ErrPermission, a missing directory fs.ErrNotExist.
var (
	// ErrStoreInUse says that another process, or another node of this one, uses the store.
	ErrStoreInUse = filestore.ErrInUse
	// ErrStoreDamaged says that the file is not what was written last, or was never a store. Nothing was changed; see [RecoverFileStore].
	ErrStoreDamaged = filestore.ErrDamaged
)

// A FileStore keeps what a node must remember in a file, for [WithStore], and what its radio has sent, for [lora.WithAirtimeStore]
// and sx1276.WithAirtimeStore. All methods may be called by several goroutines at a time.
//
// The settings are one file, of some kilobytes, JSON with the network key in hexadecimal, readable for its owner alone. It is written a few
// times while the node finds its place, then with each change of place, key sequence or children, every five hundred frames, and every
// hour. It is replaced as a whole, and on the disk when Save returns. Beside it, with more in their names, are the generation before it
// (.previous), the airtime (.airtime), and a lock (.lock).
//
// Keep it in a directory that only the user of the program may write to. Do not copy it to another device, nor back from a
// backup: a node with old frame counters repeats nonces, by which what it sends can be read without its key. Who has lost the file
// begins as another node, which is another MAC address or another network key.
//
// A file of the example programs of before there was this type is read as it is, and in the present format from the first Save on.
type FileStore struct {
	store *filestore.Store
	taken atomic.Bool // by a node
}

var (
	_ Store             = (*FileStore)(nil)
	_ lora.AirtimeStore = (*FileStore)(nil)
)

// OpenFileStore opens the store in the file at path, and locks it: another process that tries gets [ErrStoreInUse]. There need not be a
// file, but there must be the directory, and it must be writable. A symbolic link is followed.
//
// A file that is damaged, or no store, is refused with [ErrStoreDamaged], and so is one that is gone while the generation before it
// is there; the file stays as it is, and so the next try fails, too: see [RecoverFileStore]. Refused as well are a file that a
// later version has written, one that others may read or write (Unix: chmod 600), and one of another user. The error says what to do.
//
// On systems without file locks the error is errors.ErrUnsupported. Locks are those of flock(2), or of LockFileEx on Windows, where
// nothing is known of permissions, and a directory is not synced.
func OpenFileStore(path string) (*FileStore, error) {
	s, err := filestore.Open(path, filestore.Options{})
	if err != nil {
		return nil, fmt.Errorf("pymesh: OpenFileStore: %w", err)
	}
	return &FileStore{store: s}, nil
}

// RecoverFileStore makes an intact store of one that OpenFileStore refuses with ErrStoreDamaged, out of the generation before it, if
// that is there. The node goes on as it was at that time, with frame counters so far ahead that none is used twice. The damaged file is
// put aside, with .damaged in its name, which is returned; it is "" if the file was gone. An intact store is left alone, with an error.
//
// It is for the operator to decide: what damages one file may damage others.
func RecoverFileStore(path string) (aside string, err error) {
	aside, err = filestore.Recover(path, filestore.Options{})
	if err != nil {
		return aside, fmt.Errorf("pymesh: RecoverFileStore: %w", err)
	}
	return aside, nil
}

// Load returns the settings saved last, and false if there are none.
func (s *FileStore) Load() (Settings, bool, error) {
	settings, ok, err := s.store.Load()
	return Settings{settings}, ok, err
}

// Save replaces the settings. If it fails, the old ones are there still, or the new ones already, but not a part of each.
func (s *FileStore) Save(settings Settings) error { return s.store.Save(settings.s) }

// LoadAirtime returns what was saved last of the airtime, and nothing if nothing ever was.
func (s *FileStore) LoadAirtime() ([]lora.SentAirtime, error) { return s.store.LoadAirtime() }

// SaveAirtime replaces what was saved of the airtime. A file that LoadAirtime could not read is put aside.
func (s *FileStore) SaveAirtime(sent []lora.SentAirtime) error { return s.store.SaveAirtime(sent) }

// Erase removes the settings, as a factory reset does, but not the airtime. No node may use the store meanwhile. The node that starts
// with it next must not have the same MAC address and the same network key: its frame counters begin anew.
func (s *FileStore) Erase() error { return s.store.Erase() }

// Close lets others open the store. Close the node and the radio's governor before: they save to it. Closing twice is no error.
func (s *FileStore) Close() error { return s.store.Close() }

// take makes the store a node's, which gives it back.
func (s *FileStore) take() error {
	if !s.taken.CompareAndSwap(false, true) {
		return fmt.Errorf("pymesh: WithStore: store %s is %w by another node", s.store.Path(), ErrStoreInUse)
	}
	return nil
}

func (s *FileStore) giveBack() { s.taken.Store(false) }
