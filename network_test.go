package pymesh_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
)

var (
	newKey = pymesh.MustParseKey("deadface77")
	// hidden is how newKey would look in a log.
	hidden = []string{"deadface77", "222 173 250 206", "0xde, 0xad"}
)

// TestChangeNetwork: one call gives a running mesh another key. All nodes are told before and when it happens, none is lost, and one that
// restarts afterwards has the new key from its store.
func TestChangeNetwork(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		var log strings.Builder
		store := new(pymesh.MemoryStore)
		logger := pymesh.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
		a, b := m.attached(logger), m.attached(pymesh.WithMode(pymesh.MinimalEndDevice))
		c := m.attached(pymesh.WithStore(store))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Minute)
		defer cancel()
		told := b.Events(ctx)
		before := c.Network()
		start := time.Now()
		if err := c.ChangeNetwork(ctx, pymesh.NetworkChange{Key: newKey, Network: pymesh.Network{Name: "moved", PANID: 0xbeef}}); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 300*time.Second || took > 6*time.Minute {
			t.Errorf("after %v", took)
		}
		time.Sleep(time.Minute)
		want := before
		want.Name, want.PANID = "moved", 0xbeef
		for _, n := range []*pymesh.Node{a, b, c} {
			if n.Network() != want || n.State() < pymesh.StateChild {
				t.Errorf("%v in %+v", n, n.Network())
			}
			if _, err := c.Ping(ctx, n.MeshLocalEID(), 8); err != nil {
				t.Errorf("%v: %v", n, err)
			}
		}
		var saw []pymesh.EventType
		for len(told) > 0 {
			switch ev := <-told; ev.Type {
			case pymesh.EventNetworkPending:
				if ev.Delay < 200*time.Second || ev.Delay > 300*time.Second {
					t.Errorf("told of a delay of %v", ev.Delay)
				}
				saw = append(saw, ev.Type)
			case pymesh.EventNetwork:
				saw = append(saw, ev.Type)
			}
		}
		if len(saw) < 2 || saw[0] != pymesh.EventNetworkPending || saw[len(saw)-1] != pymesh.EventNetwork {
			t.Errorf("told %v", saw)
		}
		for _, h := range hidden {
			if strings.Contains(log.String(), h) {
				t.Errorf("the key is in the log, as %q", h)
			}
		}

		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		again := m.start(m.radio(), pymesh.WithStore(store)) // and WithKey says the old one
		m.wait(again)
		if again.Network() != want {
			t.Errorf("after a restart %+v", again.Network())
		}
		if _, err := again.Ping(ctx, a.MeshLocalEID(), 8); err != nil {
			t.Errorf("after a restart: %v", err)
		}
	})
}

// TestChangeNetwork_AtOnce: another name needs no delay, and no change none at all.
func TestChangeNetwork_AtOnce(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		a, b := m.attached(), m.attached()
		for _, name := range []string{"other", "other"} {
			start := time.Now()
			if err := b.ChangeNetwork(t.Context(), pymesh.NetworkChange{Network: pymesh.Network{Name: name, ExtPANID: [8]byte{1}}}); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(start); took > 30*time.Second {
				t.Errorf("after %v", took)
			}
		}
		if a.Network().Name != "other" || a.Network().ExtPANID != [8]byte{1} {
			t.Errorf("%+v", a.Network())
		}
	})
}

func TestChangeNetwork_Errors(t *testing.T) {
	inMesh(t, func(t *testing.T, m *mesh) {
		n := m.start(m.radio())
		change := pymesh.NetworkChange{Key: newKey}
		if err := n.ChangeNetwork(t.Context(), change); !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("detached: %v", err)
		}
		m.wait(n)
		before := n.Network()
		for name, bad := range map[string]pymesh.NetworkChange{
			"delay":   {Key: newKey, Delay: -1},
			"name":    {Network: pymesh.Network{Name: strings.Repeat("x", 17)}},
			"prefix":  {Network: pymesh.Network{MeshLocalPrefix: netip.MustParsePrefix("2001:db8::/64")}},
			"channel": {Network: pymesh.Network{Channel: 27}},
			"PAN ID":  {Network: pymesh.Network{PANID: 0xffff}},
		} {
			if err := n.ChangeNetwork(t.Context(), bad); err == nil || n.Network() != before {
				t.Errorf("%s: %v", name, err)
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := n.ChangeNetwork(ctx, change); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("too short a wait: %v", err)
		}
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		if err := n.ChangeNetwork(t.Context(), change); !errors.Is(err, pymesh.ErrClosed) || n.Network() != (pymesh.Network{}) {
			t.Errorf("closed: %v", err)
		}
		for _, s := range []string{fmt.Sprint(change), fmt.Sprintf("%+v", change), fmt.Sprintf("%#v", change)} {
			for _, h := range hidden {
				if strings.Contains(s, h) {
					t.Errorf("the key prints: %s", s)
				}
			}
		}
	})
}
