package cli

import (
	"errors"
	"fmt"
)

// A Radio is what the commands about the radio itself need, which an engine does not know.
type Radio interface {
	// TxPower returns the power at the antenna in dBm.
	TxPower() int
	// SetTxPower changes it. A radio that cannot do so returns an error, NotImplemented for one that never can.
	SetTxPower(dBm int) error
}

func (i *Interpreter) txpower(args []string) error {
	if i.Radio == nil {
		return NotImplemented
	}
	if len(args) == 0 {
		i.printf("%d dBm\r\n", i.Radio.TxPower())
		return nil
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	err = i.Radio.SetTxPower(int(int8(v)))
	if errors.Is(err, NotImplemented) {
		i.printf("only %d dBm: the power of this radio is set when it is opened\r\n", i.Radio.TxPower())
	}
	return err
}

// promiscuous prints all frames that the radio hears, while the interface is down. Whoever drives the Interpreter hands it each by HandleFrame.
func (i *Interpreter) promiscuous(args []string) error {
	return i.onOff(args, i.printsFrames, func(on bool) error {
		if i.view.IsUp() {
			return InvalidState
		}
		i.printsFrames = on
		return nil
	})
}

// HandleFrame prints a frame that the radio has heard, its FCS included, if the command promiscuous has asked for that.
func (i *Interpreter) HandleFrame(psdu []byte) {
	if !i.printsFrames {
		return
	}
	const row, left, right = 16, 44, 28
	i.printf("\r\n%s[len = %3d]%s\r\n", line(left), len(psdu), line(right))
	for ; len(psdu) > 0; psdu = psdu[min(row, len(psdu)):] {
		var hex, text []byte
		for k := range row {
			switch {
			case k >= len(psdu):
				hex, text = append(hex, " .."...), append(text, " ."...)
			case psdu[k] > 31 && psdu[k] < 127:
				hex, text = fmt.Appendf(hex, " %02X", psdu[k]), append(text, ' ', psdu[k])
			default:
				hex, text = fmt.Appendf(hex, " %02X", psdu[k]), append(text, " ?"...)
			}
		}
		i.printf("|%s|%s|\r\n", hex, text)
	}
}

func line(n int) []byte {
	b := make([]byte, n)
	for k := range b {
		b[k] = '='
	}
	return b
}
