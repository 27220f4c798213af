package pymesh_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/thread"
)

const password = "J01NME"

// A node that knows nothing but a password is let in, and is a member of the mesh with what is in its store; after a restart, too.
func TestJoin(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		owner := m.attached(pymesh.WithNetworkName("home"), pymesh.WithPANID(0x4711))
		events := owner.Events(ctx)
		c, err := owner.Commission(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := owner.Commission(ctx); !errors.Is(err, thread.ErrExists) {
			t.Errorf("twice: %v", err)
		}
		radio, store, mac := m.radio(), new(pymesh.MemoryStore), pymesh.MAC(0x70b3d54990000042)
		if err := c.Allow(mac, password, 5*time.Minute); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Second)
		var steps []pymesh.JoinState
		var log bytes.Buffer
		options := []pymesh.Option{
			pymesh.WithStore(store), pymesh.WithMAC(mac), pymesh.WithRand(rand.NewChaCha8([32]byte{42})),
			pymesh.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))),
			pymesh.WithJoinProgress(func(p pymesh.JoinProgress) { steps = append(steps, p.State) }),
		}
		network, err := pymesh.Join(ctx, radio, password, options...)
		if err != nil || network != owner.Network() {
			t.Fatalf("%+v, %v\n%s", network, err, &log)
		}
		if len(steps) < 5 || steps[0] != pymesh.JoinDiscovering || steps[len(steps)-1] != pymesh.JoinDone {
			t.Errorf("%v", steps)
		}
		if strings.Contains(log.String(), password) || strings.Contains(log.String(), "112233") {
			t.Errorf("a secret in the log:\n%s", &log)
		}
		for range 2 {
			n, err := pymesh.New(radio, options...)
			if err != nil {
				t.Fatal(err)
			}
			m.wait(n)
			if n.Network() != owner.Network() {
				t.Errorf("in %+v", n.Network())
			}
			m.ping(n, owner.MeshLocalEID(), 8)
			if err := n.Close(); err != nil {
				t.Error(err)
			}
		}
		var came []pymesh.Event
		for len(events) > 0 {
			if ev := <-events; ev.Type == pymesh.EventJoiner {
				came = append(came, ev)
			}
		}
		if len(came) < 2 || came[1].Joiner != pymesh.JoinerAccepted || came[1].MAC != mac {
			t.Errorf("%+v", came)
		}
		if err := errors.Join(c.Close(), c.Close()); err != nil {
			t.Error(err)
		}
		if err := c.Allow(mac, password, time.Minute); !errors.Is(err, thread.ErrState) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// Errors say what is wrong, and a try that is given up leaves the radio free.
func TestJoinErrors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
		defer cancel()
		radio, store := m.radio(), pymesh.WithStore(new(pymesh.MemoryStore))
		for name, err := range map[string]error{
			"password": func() error { _, err := pymesh.Join(ctx, radio, "secret", store); return err }(),
			"no store": func() error { _, err := pymesh.Join(ctx, radio, password); return err }(),
			"no radio": func() error { _, err := pymesh.Join(ctx, nil, password, store); return err }(),
		} {
			if err == nil {
				t.Errorf("%s: no error", name)
			}
		}
		if _, err := pymesh.Join(ctx, radio, password, store); !errors.Is(err, pymesh.ErrNoNetwork) {
			t.Errorf("alone: %v", err)
		}
		owner := m.attached()
		c, err := owner.Commission(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Allow(pymesh.AnyNode, "J01NMF", time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := c.Allow(pymesh.AnyNode, "lower", time.Hour); err == nil {
			t.Error("a password that is none")
		}
		time.Sleep(10 * time.Second)
		if _, err := pymesh.Join(ctx, radio, password, store); !errors.Is(err, pymesh.ErrPassword) {
			t.Errorf("wrong password: %v", err)
		}
		short, stop := context.WithTimeout(ctx, 5*time.Second)
		defer stop()
		if _, err := pymesh.Join(short, radio, "J01NMF", store); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up: %v", err)
		}
		if err := errors.Join(c.Disallow(pymesh.AnyNode), c.Close()); err != nil {
			t.Error(err)
		}
	})
}
