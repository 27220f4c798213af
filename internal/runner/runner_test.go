package runner

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// fakeRadio does what a test says. Its clock is the bubble's, moved by skew.
type fakeRadio struct {
	send    func(packet []byte) error
	receive func(ctx context.Context, buf []byte) (lora.Reception, error)
	hang    func() bool // whether the next packet's Send does not return by itself

	mu   sync.Mutex
	skew time.Duration
}

func (*fakeRadio) Config() lora.Config { return lora.Config{}.WithDefaults() }
func (*fakeRadio) Close() error        { return nil }
func (f *fakeRadio) Clock() lora.Clock { return f }

func (f *fakeRadio) Send(ctx context.Context, packet []byte) error {
	time.Sleep(100 * time.Millisecond)
	switch {
	case f.hang != nil && f.hang():
		<-ctx.Done()
		return ctx.Err()
	case f.send == nil:
		return nil
	}
	return f.send(packet)
}

func (f *fakeRadio) Receive(ctx context.Context, buf []byte) (lora.Reception, error) {
	if f.receive != nil {
		return f.receive(ctx, buf)
	}
	<-ctx.Done()
	return lora.Reception{}, ctx.Err()
}

func (f *fakeRadio) Now() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Now().Add(f.skew)
}

func (f *fakeRadio) Until(t time.Time) time.Duration { return t.Sub(f.Now()) }

func (f *fakeRadio) move(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.skew += d
}

// start runs an engine on the radio until the end of the test.
func start(t *testing.T, radio lora.Radio, hooks Hooks) (*Runner, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	logger := slog.New(slog.NewTextHandler(log, nil))
	engine, err := thread.New(thread.Config{
		NetworkKey: [16]byte{1}, ExtAddr: ieee802154.ExtAddr{1}, Rand: rand.NewChaCha8([32]byte{}), Logger: logger,
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Start(engine, radio, logger, hooks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r, log
}

// answerer is a fakeRadio that leaves room for acknowledgements.
type answerer struct {
	fakeRadio
	answers [][]byte
}

func (r *answerer) Answer(_ context.Context, packet []byte) error {
	r.answers = append(r.answers, bytes.Clone(packet))
	return nil
}

// TestAnswers: a radio that tells answers from other packets gets an acknowledgement as one, and nothing else.
func TestAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sent := 0
		radio := &answerer{fakeRadio: fakeRadio{send: func([]byte) error { sent++; return nil }}}
		letter := ieee802154.Frame{
			Type: ieee802154.Data, Version: ieee802154.Version2006, AckRequest: true, PANIDCompression: true, Seq: 7, DstPAN: thread.DefaultPANID,
			Dst: ieee802154.ExtAddress(ieee802154.ExtAddr{1}), Src: ieee802154.ExtAddress(ieee802154.ExtAddr{2}), Payload: []byte{0x7f, 0x33, 0xf0},
		}
		psdu, err := letter.AppendBinary(nil)
		if err != nil {
			t.Fatal(err)
		}
		came := false
		radio.receive = func(ctx context.Context, buf []byte) (lora.Reception, error) {
			if came {
				<-ctx.Done()
				return lora.Reception{}, ctx.Err()
			}
			came = true
			time.Sleep(time.Second)
			return lora.Reception{N: copy(buf, psdu), RSSI: -80}, nil
		}
		r, _ := start(t, radio, Hooks{})
		time.Sleep(10 * time.Second)
		r.Close()
		if want := ieee802154.AppendAck(nil, 7, false); len(radio.answers) != 1 || !bytes.Equal(radio.answers[0], want) || sent == 0 {
			t.Errorf("answers %x, want %x; %d other packets", radio.answers, want, sent)
		}
	})
}

// TestFrameHook sees what was sent, once, and not what the radio refused.
func TestFrameHook(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tried, seen [][]byte
		radio := &fakeRadio{send: func(packet []byte) error {
			tried = append(tried, bytes.Clone(packet))
			if len(tried) < 3 {
				return lora.ErrChannelBusy
			}
			return nil
		}}
		r, log := start(t, radio, Hooks{Frame: func(_ time.Time, psdu []byte) { seen = append(seen, bytes.Clone(psdu)) }})
		time.Sleep(8 * time.Second) // the first Parent Request
		r.Close()
		if len(tried) != 3 || len(seen) != 1 || !bytes.Equal(seen[0], tried[2]) {
			t.Errorf("tried %x, seen %x", tried, seen)
		}
		if strings.Contains(log.String(), "did not send") {
			t.Errorf("a busy channel is no fault:\n%s", log)
		}
	})
}

// TestFaultsOfTheRadio: they are logged, and the node goes on.
func TestFaultsOfTheRadio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := &lora.Error{Op: "test", Err: errors.New("loose wire")}
		sent, failures := 0, 0
		radio := &fakeRadio{send: func([]byte) error {
			if sent++; sent == 1 {
				return fault
			}
			return nil
		}}
		radio.receive = func(ctx context.Context, buf []byte) (lora.Reception, error) {
			if failures++; failures <= 3 {
				return lora.Reception{}, fault
			}
			<-ctx.Done()
			return lora.Reception{}, ctx.Err()
		}
		r, log := start(t, radio, Hooks{})
		time.Sleep(time.Minute)
		r.Close()
		if n := strings.Count(log.String(), "does not receive"); n != 1 || failures != 4 {
			t.Errorf("a fault is in the log %d times, %d calls of Receive", n, failures)
		}
		if n := strings.Count(log.String(), "did not send"); n != 1 || sent < 3 {
			t.Errorf("%d of 1 fault in the log, %d calls of Send", n, sent)
		}
		if !strings.Contains(log.String(), "loose wire") || !strings.Contains(log.String(), "to=leader") {
			t.Errorf("log:\n%s", log)
		}
		if r.Err() != nil {
			t.Error(r.Err())
		}
	})
}

// TestLostDone: a radio that misses the end of a packet is called back after a bounded time, and the node goes on.
func TestLostDone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls, sent int
		radio := &fakeRadio{
			hang: func() bool { calls++; return calls == 1 || calls == 3 || calls == 4 },
			send: func([]byte) error { sent++; return nil },
		}
		r, log := start(t, radio, Hooks{})
		time.Sleep(3 * time.Minute)
		var role thread.Role
		var stuck uint64
		r.Do(func(time.Time) { role, stuck = r.engine.Role(), r.engine.Counters().TxStuck })
		r.Close()
		if sent < 5 || stuck != 3 || role != thread.RoleLeader {
			t.Errorf("%d packets sent, %d lost, role %v", sent, stuck, role)
		}
		if n := strings.Count(log.String(), "not done with a packet in time"); n < 1 || n > stuckLines {
			t.Errorf("%d lines\n%s", n, log)
		}
	})
}

// stuckLines is how many lines two minutes of a condition that lasts are worth.
const stuckLines = 2

// TestBrokenRadioLogsSeldom: a day without a radio takes a page of the log, and says how often what failed.
func TestBrokenRadioLogsSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fault := &lora.Error{Op: "test", Err: errors.New("loose wire")}
		radio := &fakeRadio{
			send:    func([]byte) error { return fault },
			receive: func(context.Context, []byte) (lora.Reception, error) { return lora.Reception{}, fault },
		}
		r, log := start(t, radio, Hooks{})
		time.Sleep(24 * time.Hour)
		r.Close()
		for what, most := range map[string]int{"did not send": 35, "does not receive": 35} {
			if n := strings.Count(log.String(), what); n < 5 || n > most {
				t.Errorf("%q: %d lines in a day", what, n)
			}
		}
		if !strings.Contains(log.String(), "times=60") {
			t.Errorf("no count in the log:\n%s", log)
		}
	})
}

// TestClockGoesBack: the engine's time does not.
func TestClockGoesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		radio := &fakeRadio{}
		r, _ := start(t, radio, Hooks{})
		var last time.Time
		for range 10 {
			radio.move(-time.Second)
			time.Sleep(time.Second / 2)
			r.Do(func(now time.Time) {
				if now.Before(last) {
					t.Errorf("%v after %v", now, last)
				}
				last = now
			})
		}
	})
}

// TestClockGoesBackFar: a radio's clock that is set back by an hour stops nothing: the node founds its mesh as soon as ever.
func TestClockGoesBackFar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		radio := &fakeRadio{}
		var roles []thread.Role
		r, _ := start(t, radio, Hooks{Event: func(ev thread.Event) {
			if ev.Type == thread.EventRole {
				roles = append(roles, ev.Role)
			}
		}})
		for range 10 {
			time.Sleep(10 * time.Second)
			radio.move(-time.Hour)
		}
		r.Close()
		if !slices.Contains(roles, thread.RoleLeader) {
			t.Errorf("roles after 100 s: %v", roles)
		}
	})
}

// TestCloseWithHungRadio: Close does not wait for ever, and says for what it did.
func TestCloseWithHungRadio(t *testing.T) {
	for name, hang := range map[string]func(*fakeRadio, chan struct{}){
		"Send": func(f *fakeRadio, free chan struct{}) {
			f.send = func([]byte) error { <-free; return nil }
		},
		"Receive": func(f *fakeRadio, free chan struct{}) {
			f.receive = func(context.Context, []byte) (lora.Reception, error) { <-free; return lora.Reception{}, lora.ErrClosed }
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				free := make(chan struct{})
				radio := new(fakeRadio)
				hang(radio, free)
				r, _ := start(t, radio, Hooks{})
				time.Sleep(10 * time.Second)
				began := time.Now()
				for range 2 {
					if err := r.Close(); err == nil || err.Error() != "the radio's "+name+" does not return" {
						t.Errorf("Close: %v", err)
					}
				}
				if d := time.Since(began); d != closeTimeout {
					t.Errorf("Close took %v", d)
				}
				close(free) // the goroutine ends, or the bubble complains
				synctest.Wait()
				if err := r.Err(); err != nil {
					t.Errorf("Err after Close: %v", err)
				}
			})
		})
	}
}

func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := start(t, &fakeRadio{}, Hooks{})
		select {
		case <-r.Done():
			t.Error("done before Close")
		default:
		}
		for range 2 {
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}
		<-r.Done()
		if r.Do(func(time.Time) { t.Error("called after Close") }) {
			t.Error("Do after Close reports true")
		}
	})
}

// TestRadioClosed: the runner ends by itself.
func TestRadioClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, _ := start(t, &fakeRadio{receive: func(context.Context, []byte) (lora.Reception, error) {
			return lora.Reception{}, lora.ErrClosed
		}}, Hooks{})
		<-r.Done()
		if !errors.Is(r.Err(), lora.ErrClosed) {
			t.Errorf("Err: %v", r.Err())
		}
	})
}

// TestLentPacket stops and starts Thread while the radio has a packet, as the command line does: it stays what it is until the radio is done.
func TestLentPacket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int32
		radio := &fakeRadio{send: func(packet []byte) error {
			before := bytes.Clone(packet)
			time.Sleep(5 * time.Second) // which is longer than it takes to have the next one ready
			if n := sent.Add(1); !bytes.Equal(packet, before) {
				t.Errorf("packet %d is overwritten", n)
			}
			return nil
		}}
		var engine *thread.Engine
		r, _ := start(t, radio, Hooks{})
		engine = r.engine
		for range 60 {
			time.Sleep(700 * time.Millisecond)
			ok := r.Do(func(now time.Time) {
				console := engine.Console()
				console.StopThread(now)
				if err := console.StartThread(now); err != nil {
					t.Error(err)
				}
				if err := console.BecomeLeader(now); err != nil {
					t.Error(err)
				}
			})
			if !ok {
				t.Fatal("ended")
			}
		}
		if n := sent.Load(); n < 5 {
			t.Errorf("%d packets", n)
		}
	})
}
