package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gopymesh/pymesh/thread"
)

// fileStore is a thread.Store on a file. A save replaces the file as a whole.
type fileStore struct {
	dir, name string
	durable   bool // what is saved survives a loss of power
}

// storeVersion is that of the file's format.
const storeVersion = 1

type storeFile struct {
	Version  int
	Settings thread.Settings
}

func (s *fileStore) path() string { return filepath.Join(s.dir, s.name) }

// Load returns the settings saved last, and false if there are none.
func (s *fileStore) Load() (thread.Settings, bool, error) {
	b, err := os.ReadFile(s.path())
	if errors.Is(err, fs.ErrNotExist) {
		return thread.Settings{}, false, nil
	}
	if err != nil {
		return thread.Settings{}, false, err
	}
	var f storeFile
	if err := json.Unmarshal(b, &f); err != nil {
		return thread.Settings{}, false, fmt.Errorf("%s: %w", s.path(), err)
	}
	if f.Version != storeVersion {
		return thread.Settings{}, false, fmt.Errorf("%s: version %d, want %d", s.path(), f.Version, storeVersion)
	}
	return f.Settings, true, nil
}

// Save stores the settings.
func (s *fileStore) Save(settings thread.Settings) error {
	b, err := json.Marshal(storeFile{storeVersion, settings})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o777); err != nil {
		return err
	}
	temporary := s.path() + ".new"
	if err := s.write(temporary, b); err != nil {
		return err
	}
	if err := os.Rename(temporary, s.path()); err != nil {
		return err
	}
	return s.syncDir()
}

// Erase removes the settings.
func (s *fileStore) Erase() error {
	if err := os.Remove(s.path()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return s.syncDir()
}

// write writes a file for its owner alone, the network key being in it, and waits until it is on the disk.
func (s *fileStore) write(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil && s.durable {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// syncDir makes what was renamed or removed last.
func (s *fileStore) syncDir() error {
	if !s.durable {
		return nil
	}
	f, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
