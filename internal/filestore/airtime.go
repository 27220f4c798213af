package filestore

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/gopymesh/pymesh/lora"
)

// LoadAirtime returns what was saved last, and nothing if nothing ever was.
func (s *Store) LoadAirtime() ([]lora.SentAirtime, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lock == nil {
		return nil, s.closed()
	}
	b, err := s.disk.read(s.path + ".airtime")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var sent []lora.SentAirtime
	if err == nil {
		sent, err = parseAirtime(b)
	}
	if err != nil {
		s.airtimeDamaged = true
		return nil, fmt.Errorf("%s.airtime: %w", s.path, err)
	}
	return sent, nil
}

// SaveAirtime replaces what was saved. A file that could not be read is put aside. No generation before it is kept: airtime that is
// too old says too little.
func (s *Store) SaveAirtime(sent []lora.SentAirtime) error {
	b, err := appendAirtime(nil, sent)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.held(); err != nil {
		return err
	}
	name := s.path + ".airtime"
	if s.airtimeDamaged {
		if _, err := putAside(s.disk, name); err != nil {
			return err
		}
		s.airtimeDamaged = false
	}
	if err := s.disk.write(name+".new", b); err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	if err := s.disk.rename(name+".new", name); err != nil {
		return fmt.Errorf("store %s: %w", s.path, err)
	}
	return s.disk.syncDirectory(name)
}
