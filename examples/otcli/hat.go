package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gopymesh/pymesh/examples/internal/settings"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// openHat opens the LoRa hat, which then keeps to the duty cycle of its region.
func (o options) openHat(cfg *thread.Config) (place, error) {
	radio, err := o.hat.Open(cfg.Logger)
	if err != nil {
		return nil, err
	}
	for _, warning := range radio.Config().Warnings() {
		cfg.Logger.Warn(warning)
	}
	if err := os.MkdirAll(o.dir, 0o777); err != nil {
		return nil, errors.Join(err, radio.Close())
	}
	path := filepath.Join(o.dir, fmt.Sprintf("lora_%d.json", o.id))
	cfg.Store = fileStore{settings.File{Path: path}}
	return radioPlace{radio: lora.Govern(radio, lora.WithLogger(cfg.Logger), lora.WithAirtimeStore(settings.AirtimeBeside(path)))}, nil
}
