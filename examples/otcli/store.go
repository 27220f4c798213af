package main

import (
	"os"
	"path/filepath"

	"github.com/gopymesh/pymesh/examples/internal/settings"
	"github.com/gopymesh/pymesh/thread"
)

// fileStore is a settings file whose directory is made with the first save.
type fileStore struct{ settings.File }

// Save stores the settings.
func (s fileStore) Save(settings thread.Settings) error {
	if err := os.MkdirAll(filepath.Dir(s.Path), 0o777); err != nil {
		return err
	}
	return s.File.Save(settings)
}
