// Package transceiver is what the drivers of LoRa chips have in common, as far as their users see it: how to listen before talking,
// what is counted, what can be wrong and what to do about it, and the lines between host and chip.
//
// The drivers are [github.com/gopymesh/pymesh/lora/sx1276] and [github.com/gopymesh/pymesh/lora/sx126x]; they offer these types
// under their own names, too.
package transceiver
