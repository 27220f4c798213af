//go:build unix

package main

import (
	"context"
	"log/slog"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/sx1276emu"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/sx1276"
)

// BenchmarkCPU measures the processor time of the whole process, two nodes and an emulated chip, for a second on the
// air: with nothing but the mesh's own traffic, and with as many datagrams as the channel carries.
func BenchmarkCPU(b *testing.B) {
	b.Run("idle", func(b *testing.B) { benchmarkCPU(b, false) })
	b.Run("full", func(b *testing.B) { benchmarkCPU(b, true) })
}

func benchmarkCPU(b *testing.B, full bool) {
	air := lorasim.NewAir(lorasim.Options{Speed: emulatedSpeed})
	clock := air.Clock()
	wait := func(d time.Duration) time.Duration { return clock.Until(clock.Now().Add(d)) }
	cfg := lora.Config{Frequency: 869_525 * lora.KHz}
	other, err := pymesh.New(air.Radio(cfg, lorasim.Position{X: 400}))
	if err != nil {
		b.Fatal(err)
	}
	defer other.Close()
	chip := sx1276emu.New(air, sx1276emu.Options{})
	pins := chip.Pins()
	pins.CS = nil // the port's own
	radio, err := sx1276.New(chip.Port(), pins, cfg,
		sx1276.WithClock(clock), sx1276.WithoutDutyCycle(), sx1276.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		b.Fatal(err)
	}
	node, err := pymesh.New(radio)
	if err != nil {
		b.Fatal(err)
	}
	defer node.Close()
	ctx, cancel := context.WithTimeout(b.Context(), wait(10*time.Minute))
	defer cancel()
	for _, n := range []*pymesh.Node{other, node} {
		if err := n.WaitAttached(ctx); err != nil {
			b.Fatal(err)
		}
	}
	var received atomic.Int64
	if full {
		in, err := node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), pycomPort))
		if err != nil {
			b.Fatal(err)
		}
		defer in.Close()
		out, err := other.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), pycomPort))
		if err != nil {
			b.Fatal(err)
		}
		defer out.Close()
		go func() {
			var buf [100]byte
			for {
				if _, _, err := in.ReadFromUDPAddrPort(buf[:]); err != nil {
					return
				}
				received.Add(1)
			}
		}()
		go func() {
			to := netip.AddrPortFrom(node.MeshLocalEID(), pycomPort)
			for {
				// An error is a full queue: the next is tried when there is room.
				if _, err := out.WriteToUDPAddrPort(make([]byte, 50), to); err != nil && b.Context().Err() != nil {
					return
				}
				select {
				case <-b.Context().Done():
					return
				case <-time.After(wait(50 * time.Millisecond)):
				}
			}
		}()
		time.Sleep(wait(10 * time.Second)) // addresses
	}
	used, heard := cpu(b), received.Load()
	b.ResetTimer()
	start := clock.Now()
	for range b.N {
		time.Sleep(wait(time.Second))
	}
	seconds := clock.Now().Sub(start).Seconds()
	b.ReportMetric(100*(cpu(b)-used).Seconds()/seconds, "cpu-%")
	b.ReportMetric(float64(received.Load()-heard)/seconds, "datagrams/s")
	b.ReportMetric(0, "ns/op")
}

// cpu is the processor time that the process has used.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
