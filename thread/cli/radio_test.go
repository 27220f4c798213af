package cli_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/gopymesh/pymesh/thread/cli"
)

// TestPromiscuous prints frames as OpenThread does, once asked to, while the interface is down.
func TestPromiscuous(t *testing.T) {
	d := newDevice(t, 1)
	psdu := []byte("\x41\xd8\xc7\x34\x12\xff\xff~01234567")
	d.shell.HandleFrame(psdu)
	d.finish(epoch)
	if got := d.lines(); got != nil {
		t.Errorf("%q before it was asked to", got)
	}
	say(d, "promiscuous enable")
	d.lines()
	d.shell.HandleFrame(psdu)
	d.shell.HandleFrame(append(psdu, 1, 2))
	d.finish(epoch)
	const left, right = "============================================", "============================"
	want := []string{
		"", left + "[len =  16]" + right,
		"| 41 D8 C7 34 12 FF FF 7E 30 31 32 33 34 35 36 37| A ? ? 4 ? ? ? ~ 0 1 2 3 4 5 6 7|",
		"", left + "[len =  18]" + right,
		"| 41 D8 C7 34 12 FF FF 7E 30 31 32 33 34 35 36 37| A ? ? 4 ? ? ? ~ 0 1 2 3 4 5 6 7|",
		"| 01 02 .. .. .. .. .. .. .. .. .. .. .. .. .. ..| ? ? . . . . . . . . . . . . . .|",
	}
	if got := d.lines(); !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
	say(d, "ifconfig up")
	if say(d, "promiscuous disable"); !errors.Is(d.shell.Err(), cli.InvalidState) {
		t.Error("while the interface is up:", d.shell.Err())
	}
}

// power is a radio whose power can be set up to 14 dBm.
type power int

func (p *power) TxPower() int { return int(*p) }

func (p *power) SetTxPower(dBm int) error {
	if dBm > 14 {
		return cli.InvalidArgs
	}
	*p = power(dBm)
	return nil
}

// fixed is a radio whose power does not change.
type fixed struct{}

func (fixed) TxPower() int         { return 14 }
func (fixed) SetTxPower(int) error { return cli.NotImplemented }

func TestTxPower(t *testing.T) {
	d := newDevice(t, 1)
	if say(d, "txpower"); !errors.Is(d.shell.Err(), cli.NotImplemented) {
		t.Error("without a radio:", d.shell.Err())
	}
	d.shell.Radio = new(power)
	for line, want := range map[string]error{"txpower": nil, "txpower -3": nil, "txpower x": cli.Parse, "txpower 15": cli.InvalidArgs} {
		if say(d, line); !errors.Is(d.shell.Err(), want) {
			t.Errorf("%s: %v, want %v", line, d.shell.Err(), want)
		}
	}
	if say(d, "txpower"); d.shell.Radio.TxPower() != -3 {
		t.Error(d.shell.Radio.TxPower())
	}
	d.shell.Radio = fixed{}
	const want = "only 14 dBm: the power of this radio is set when it is opened\r\nError 12: NotImplemented\r\n"
	if got := say(d, "txpower 10"); got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
