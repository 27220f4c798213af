package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/gopymesh/pymesh/internal/filestore"
)

// openStore opens the settings in a file of the directory for them, which is made.
func (o options) openStore(name string) (*filestore.Store, error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return nil, err
	}
	// Virtual time stops while a disk is slow, and there is no power to lose in it.
	return filestore.Open(filepath.Join(o.dir, name), filestore.Options{Volatile: o.virtual})
}

// storedPlace is a place whose node has its settings in a file.
type storedPlace struct {
	place
	store *filestore.Store
}

func (p storedPlace) Close() error { return errors.Join(p.place.Close(), p.store.Close()) }
