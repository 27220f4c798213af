package main

import (
	"fmt"
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
	cfg.Store = fileStore{settings.File{Path: filepath.Join(o.dir, fmt.Sprintf("lora_%d.json", o.id))}}
	return radioPlace{radio: lora.Govern(radio, lora.WithLogger(cfg.Logger))}, nil
}
