package main

import "github.com/gopymesh/pymesh/thread/cli"

// quiet is the power in dBm on a simulated channel on which nobody sends, as OpenThread's simulation has it.
const quiet = -98

// power is the transmission power of OpenThread's simulated radio: it is shown as it was set, and no more.
type power int8

func (p *power) TxPower() int { return int(*p) }

func (p *power) SetTxPower(dBm int) error {
	*p = power(dBm)
	return nil
}

// fixedPower is that of a LoRa radio, which is set when it is opened.
type fixedPower int

func (p fixedPower) TxPower() int { return int(p) }

func (p fixedPower) SetTxPower(int) error { return cli.NotImplemented }
