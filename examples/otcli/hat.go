package main

import (
	"errors"
	"fmt"

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
	store, err := o.openStore(fmt.Sprintf("lora_%d.json", o.id))
	if err != nil {
		return nil, errors.Join(err, radio.Close())
	}
	cfg.Store = store
	governor := lora.Govern(radio, lora.WithLogger(cfg.Logger), lora.WithAirtimeStore(store))
	return storedPlace{radioPlace{radio: governor}, store}, nil
}
