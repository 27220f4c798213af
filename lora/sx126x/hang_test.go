package sx126x_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/internal/sx126xemu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx126x"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// hangingPort is an SPI port whose transfers can be made to hang.
type hangingPort struct {
	spi.Port
	hangs atomic.Bool
	free  chan struct{}
}

func (p *hangingPort) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	c, err := p.Port.Connect(f, mode, bits)
	return hangingConn{c, p}, err
}

type hangingConn struct {
	spi.Conn
	port *hangingPort
}

func (c hangingConn) Tx(w, r []byte) error {
	if c.port.hangs.Load() {
		<-c.port.free
	}
	return c.Conn.Tx(w, r)
}

// TestHungTransfer: Send keeps to its context, Close returns within its time and says what hangs, and nobody waits for ever.
func TestHungTransfer(t *testing.T) {
	for _, freed := range []bool{false, true} { // before Close
		synctest.Test(t, func(t *testing.T) {
			chip := emulate(t, lorasim.NewAir(lorasim.Options{}), sx126xemu.Options{})
			port := &hangingPort{Port: chip.Port(), free: make(chan struct{})}
			r, err := sx126x.New(port, pins(chip), plain, lora.Config{}, sx126x.WithClock(chip.Clock()))
			if err != nil {
				t.Fatal(err)
			}
			if err := r.Send(t.Context(), []byte("before")); err != nil {
				t.Fatal(err)
			}
			port.hangs.Store(true)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began := time.Now()
			if err := r.Send(ctx, []byte("hangs")); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Send: %v", err)
			}
			if d := time.Since(began); d > 7*time.Second {
				t.Errorf("Send took %v", d)
			}
			if freed {
				port.hangs.Store(false)
				close(port.free)
				time.Sleep(time.Second)
				if err := r.Send(t.Context(), []byte("after")); err != nil {
					t.Errorf("Send after a transfer that hung: %v", err)
				}
				if err := r.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			waiting := make(chan error)
			go func() { waiting <- r.Send(context.Background(), []byte("waits")) }()
			synctest.Wait()
			began = time.Now()
			for range 2 {
				if err := r.Close(); !errors.Is(err, sx126x.ErrHungSPI) {
					t.Errorf("Close: %v", err)
				}
			}
			if d := time.Since(began); d > 6*time.Second {
				t.Errorf("Close took %v", d)
			}
			if err := <-waiting; !errors.Is(err, lora.ErrClosed) {
				t.Errorf("Send after Close: %v", err)
			}
			close(port.free)
			time.Sleep(time.Second) // the loop ends, or the bubble complains
		})
	}
}

// TestDeadChipLogsSeldom: a chip that is gone for six hours takes a page of the log.
func TestDeadChipLogsSeldom(t *testing.T) {
	for name, fail := range map[string]func(*sx126xemu.Chip){
		"silent":  func(c *sx126xemu.Chip) { c.Silence(0) },
		"no wire": func(c *sx126xemu.Chip) { c.FailSPI(-1, errors.New("loose wire")) },
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				fail(b.chip)
				time.Sleep(6 * time.Hour)
				if lines := strings.Count(b.log.String(), "level=WARN"); lines > 40 {
					t.Errorf("%d lines in six hours", lines)
				}
				b.logged("times=")
				b.chip.FailSPI(0, nil)
				b.chip.Speak()
				time.Sleep(time.Minute)
				b.logged("LoRa chip is back")
				b.works()
			})
		})
	}
}

// TestLooseSupplyLogsSeldom: neither does one that comes back each time.
func TestLooseSupplyLogsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		chip := sx126xemu.New(lorasim.NewAir(lorasim.Options{}), sx126xemu.Options{}) // a command may come right into the reset
		drive(t, chip, pins(chip), plain, lora.Config{}, sx126x.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		for range 400 {
			chip.BrownOut()
			time.Sleep(3 * time.Second)
		}
		if lines := strings.Count(log.String(), "\n"); lines > 40 {
			t.Errorf("%d lines in 20 minutes", lines)
		}
	})
}
