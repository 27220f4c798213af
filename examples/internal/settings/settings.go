// Package settings keeps the settings of a node in a file, for example programs.
package settings

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gopymesh/pymesh/thread"
)

// version is that of the file's format.
const version = 1

// File is a thread.Store: a file in JSON, readable for its owner alone, as the network key is in it. It is
// replaced as a whole, and on the disk when Save returns.
type File struct {
	Path string

	// Volatile leaves it to the system when the file is written to the disk: it may not survive a loss of power.
	Volatile bool
}

var _ thread.Store = File{}

type content struct {
	Version  int
	Settings thread.Settings
}

// Load returns the settings saved last, and false if there is no file.
func (f File) Load() (thread.Settings, bool, error) {
	b, err := os.ReadFile(f.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return thread.Settings{}, false, nil
	}
	if err != nil {
		return thread.Settings{}, false, err
	}
	var c content
	if err := json.Unmarshal(b, &c); err != nil {
		return thread.Settings{}, false, fmt.Errorf("%s: %w", f.Path, err)
	}
	if c.Version != version {
		return thread.Settings{}, false, fmt.Errorf("%s: version %d, want %d", f.Path, c.Version, version)
	}
	return c.Settings, true, nil
}

// Save replaces the file.
func (f File) Save(s thread.Settings) error {
	return f.replace(content{version, s})
}

func (f File) replace(content any) error {
	b, err := json.Marshal(content)
	if err != nil {
		return err
	}
	temporary := f.Path + ".new"
	if err := f.write(temporary, b); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.Path); err != nil {
		return err
	}
	return f.sync()
}

// Erase removes the file. It is no error that there is none.
func (f File) Erase() error {
	if err := os.Remove(f.Path); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	return f.sync()
}

func (f File) write(name string, b []byte) error {
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = file.Write(b); err == nil && !f.Volatile {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// sync makes a renaming or removal last.
func (f File) sync() error {
	if f.Volatile {
		return nil
	}
	dir, err := os.Open(filepath.Dir(f.Path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
