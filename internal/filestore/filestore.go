// Package filestore keeps what a node must remember across a restart in a file.
//
// A store at PATH is some files beside each other:
//
//	PATH            the present generation
//	PATH.previous   the one before it, for Recover
//	PATH.airtime    what the radio has sent
//	PATH.lock       locked while a process has the store open
//	PATH.new        being written
//	PATH.damaged    what Recover has put aside
//
// A generation is replaced as a whole: written to PATH.new, synced, the present one kept as PATH.previous, renamed, the directory synced.
// At no moment is PATH missing or half written.
package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/gopymesh/pymesh/thread"
)

var (
	// ErrInUse says that another process, or this one, has the store open.
	ErrInUse = errors.New("in use")
	// ErrDamaged says that a file is not what was written, or was never a store.
	ErrDamaged = errors.New("not an intact store")
)

// Options change how a store is kept.
type Options struct {
	// Volatile leaves it to the system when a file is written to the disk: it may not survive a loss of power.
	Volatile bool
}

// A Store is a thread.Store and a lora.AirtimeStore. All methods may be called by several goroutines at a time.
type Store struct {
	path string
	disk disk

	mu      sync.Mutex
	lock    *lock      // nil once closed
	present generation // in the file
	exists  bool       // there is a file
	settled bool       // and its name is known to be on the disk
	number  uint64     // of the last attempt to write one

	airtimeDamaged bool
}

// A generation is the settings at one time. Generations are numbered, so that two files can be told apart by a reader.
type generation struct {
	number   uint64
	settings thread.Settings
}

// Open opens the store at path, which need not exist, but its directory must. See the public package for the errors.
func Open(path string, o Options) (*Store, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	l, err := takeLock(path + ".lock")
	if err != nil {
		return nil, err
	}
	s := &Store{path: path, disk: osDisk{o.Volatile}, lock: l}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, l.release())
	}
	return s, nil
}

// Recover makes an intact store out of one that is damaged and whose previous generation is not. It returns where it has put the damaged
// file, "" if there was none.
func Recover(path string, o Options) (aside string, err error) {
	if path, err = resolve(path); err != nil {
		return "", err
	}
	l, err := takeLock(path + ".lock")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, l.release()) }()
	s := &Store{path: path, disk: osDisk{o.Volatile}, lock: l}
	return s.recover()
}

// resolve follows a symbolic link, so that the files of the store are beside what it points to: replaced is the file, not the link.
func resolve(path string) (string, error) {
	if path == "" {
		return "", errors.New("the path of the store is empty")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		target, err := filepath.EvalSymlinks(path)
		if err != nil {
			return "", fmt.Errorf("%s is a symbolic link that leads nowhere (is a disk not mounted?): %w", path, err)
		}
		path = target
	}
	return path, checkDirectory(filepath.Dir(path))
}

// checkDirectory sees that a directory is there. It is not made: where one is missing, so may be the disk with the store on it.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s for the store: make it, for the user of this program alone (mkdir -m 700): %w", dir, err)
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s, where the store is to be, is not a directory", dir)
	}
	return nil
}

// load reads the present generation.
func (s *Store) load() error {
	g, err := s.read(s.path)
	switch _, pErr := s.read(s.path + ".previous"); {
	case err == nil:
		s.present, s.exists, s.number = g, true, g.number
		return nil
	case errors.Is(err, fs.ErrNotExist) && errors.Is(pErr, fs.ErrNotExist):
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return s.damaged(fmt.Errorf("%s is gone, but %s.previous is there: %w", s.path, s.path, ErrDamaged), pErr == nil)
	case errors.Is(err, ErrDamaged):
		return s.damaged(err, pErr == nil)
	default:
		return err
	}
}

func (s *Store) read(name string) (generation, error) {
	b, err := s.disk.read(name)
	if err != nil {
		return generation{}, err
	}
	g, err := parseGeneration(b)
	if err != nil {
		return g, fmt.Errorf("%s: %w", name, err)
	}
	return g, nil
}

// damaged says what to do about a damaged store.
func (s *Store) damaged(err error, recoverable bool) error {
	const anew = "To begin as another node, move %[2]s and %[2]s.previous away; a MAC address that was used with this network key must not be used again"
	if recoverable {
		return fmt.Errorf("%[1]w. Nothing was changed. The generation before it is intact: RecoverFileStore goes on from that one. "+anew, err, s.path)
	}
	return fmt.Errorf("%[1]w. Nothing was changed, and there is no intact generation before it. "+anew, err, s.path)
}

// Load returns the settings saved last, and false if there are none.
func (s *Store) Load() (thread.Settings, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return thread.Settings{}, false, s.closed()
	}
	return s.present.settings, s.exists, nil
}

func (s *Store) closed() error { return fmt.Errorf("store %s: %w", s.path, fs.ErrClosed) }

// Save replaces the settings. When it returns nil they would survive a loss of power; after an error the store has the old settings or
// the new ones.
func (s *Store) Save(settings thread.Settings) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.held(); err != nil {
		return err
	}
	s.number++ // whatever comes of it: each number is on the disk once at most
	if err := s.replace(generation{s.number, settings}, s.exists); err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	return nil
}

// held sees that the store is open and the lock its own: whoever removes the lock file lets another process in.
func (s *Store) held() error {
	if s.lock == nil {
		return s.closed()
	}
	if s.lock.valid() {
		return nil
	}
	l, err := takeLock(s.lock.name)
	if err != nil {
		return err
	}
	err = s.lock.release()
	s.lock = l
	return err
}

// leap is how far Recover moves the frame counters ahead of a previous generation. It is more than an engine stores ahead.
const leap = 1 << 16

// covers reports whether a node may go on from settings before if those that followed, last, are lost, with its frame counters a leap
// ahead.
//
// No frame counter may be used twice with one address under one key. An engine uses those below the limits that are stored, and Save is
// how it stores them: when Save(last) has returned, all counters below last's limits may be spent. Those of before say less, so that a
// node which simply fell back to them would send old nonces with new frames. Moved a leap ahead they are at or above last's, if last's are
// no more than a leap above them, which is so of an engine that stores a thousand ahead. But counters begin anew at the key
// sequence after the highest that was used (thread.Settings): where that has changed, or the least one, before does not know which
// sequences are spent, and would lead there a second time. Under another network key or address a node that falls back would also be
// another than it was.
//
// So Save sees to it that, when it returns, the previous generation covers the present one: if the one before it does not, the present
// one is written a second time in its place. A crash in between does no harm: until Save has returned, no counter at or above the limits
// of the generation before is used, and a node that starts again saves before it sends.
func covers(before, last thread.Settings) bool {
	within := func(from, to uint32) bool { return from <= to && to-from <= leap }
	return before.LeastKeySequence == last.LeastKeySequence && before.HighestKeySequence == last.HighestKeySequence &&
		before.KeySequence == last.KeySequence && before.NetworkKey == last.NetworkKey && before.ExtAddr == last.ExtAddr &&
		within(before.MACFrameCounter, last.MACFrameCounter) && within(before.MLEFrameCounter, last.MLEFrameCounter)
}

// ahead returns settings that cover what may have followed s.
func ahead(s thread.Settings) thread.Settings {
	s.MACFrameCounter += min(leap, math.MaxUint32-s.MACFrameCounter)
	s.MLEFrameCounter += min(leap, math.MaxUint32-s.MLEFrameCounter)
	// Not a nonce: receivers take multicasts for old that are behind the last they heard of a node, for some seconds. It is as much as
	// an engine stores ahead.
	s.MPLSequence += 64
	return s
}

// replace makes g the present generation. keep says that the one before it is intact, and becomes the previous one.
func (s *Store) replace(g generation, keep bool) error {
	b, err := g.append(nil)
	if err != nil {
		return err
	}
	if err := s.disk.write(s.path+".new", b); err != nil {
		return err
	}
	if keep {
		if err := s.keepPrevious(); err != nil {
			return err
		}
	}
	if err := s.disk.rename(s.path+".new", s.path); err != nil {
		return err
	}
	covered := keep && covers(s.present.settings, g.settings)
	s.present, s.exists, s.settled = g, true, false
	if err := s.disk.syncDirectory(s.path); err != nil {
		return err
	}
	if s.settled = true; covered {
		return nil
	}
	// Not before the present one is there: the previous one alone would be the mark of a damaged store. And as a copy, not as a link: what
	// damages the one shall not damage the other.
	if err := s.copyPrevious(b); err != nil {
		return err
	}
	return s.disk.syncDirectory(s.path)
}

// keepPrevious makes the present generation the previous one as well.
func (s *Store) keepPrevious() error {
	previous := s.path + ".previous"
	if !s.settled { // after a failure, or the end of a process, in between: else the previous one might be there after a crash, and alone
		if err := s.disk.syncDirectory(s.path); err != nil {
			return err
		}
		s.settled = true
	}
	if err := s.disk.remove(previous); err != nil {
		return err
	}
	if s.disk.link(s.path, previous) == nil {
		return nil
	}
	b, err := s.present.append(nil) // on a file system without links
	if err != nil {
		return err
	}
	return s.copyPrevious(b)
}

func (s *Store) copyPrevious(b []byte) error {
	const temporary = ".previous.new"
	if err := s.disk.write(s.path+temporary, b); err != nil {
		return err
	}
	return s.disk.rename(s.path+temporary, s.path+".previous")
}

// recover goes on from the previous generation.
func (s *Store) recover() (aside string, err error) {
	_, err = s.read(s.path)
	switch {
	case err == nil:
		return "", fmt.Errorf("store %s is intact: there is nothing to recover", s.path)
	case !errors.Is(err, ErrDamaged) && !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	gone := errors.Is(err, fs.ErrNotExist)
	g, pErr := s.read(s.path + ".previous")
	if pErr != nil {
		return "", s.damaged(errors.Join(err, pErr), false)
	}
	if !gone {
		if aside, err = putAside(s.disk, s.path); err != nil {
			return "", err
		}
	}
	// The number of the generation that is lost is one more, or more after attempts that failed: it is for readers alone.
	if err := s.replace(generation{g.number + 2, ahead(g.settings)}, false); err != nil {
		return "", fmt.Errorf("store %s: %w", s.path, err)
	}
	return aside, nil
}

// putAside gives a file a second name, or another one where there are no links.
func putAside(d disk, name string) (aside string, err error) {
	const most = 100
	for n := range most {
		aside = name + ".damaged"
		if n > 0 {
			aside = fmt.Sprint(aside, ".", n+1)
		}
		if _, err := d.size(aside); errors.Is(err, fs.ErrNotExist) {
			if d.link(name, aside) == nil {
				return aside, nil
			}
			return aside, d.rename(name, aside)
		}
	}
	return "", fmt.Errorf("there are %d damaged files beside %s already: move them away", most, name)
}

// Erase removes the settings and what is left of those before, but not what the radio has sent. A node that starts with an empty store
// must not have the MAC address and the network key of one that was.
func (s *Store) Erase() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.held(); err != nil {
		return err
	}
	// The present one last: without it the previous one would look like all that is left of a damaged store.
	for _, suffix := range []string{".new", ".previous.new", ".previous", ""} {
		if err := s.disk.remove(s.path + suffix); err != nil {
			return err
		}
	}
	s.present, s.exists = generation{}, false
	return s.disk.syncDirectory(s.path)
}

// Close lets others open the store. Closing twice is no error.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil
	}
	err := s.lock.release()
	s.lock = nil
	return err
}

// Path returns the path of the file, behind a symbolic link.
func (s *Store) Path() string { return s.path }
