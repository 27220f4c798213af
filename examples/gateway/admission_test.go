package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
)

// TestDoorman lets a node in that knows its password alone, tells how it went, and gives the role back.
func TestDoorman(t *testing.T) {
	alone(t, 2, func(t *testing.T, ctx context.Context, g *gateway, f *field) {
		if err := g.node.WaitAttached(ctx); err != nil {
			t.Fatal(err)
		}
		d := &g.doorman
		d.refuses(ctx, t)
		joined, over := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); f.join(joined) }()

		tries(t, "let in", func() error { // the leader may be another node, and an answer of its lost
			_, err := d.Allow(ctx, "70:b3:d5:49:90:00:00:99", newcomerPassword, 20*time.Minute)
			return err
		})
		if _, err := d.Allow(ctx, "0011223344556677", "0THER1", 2*time.Minute); err != nil {
			t.Error(err)
		}
		if got := d.Allowed(); len(got) != 2 || got[1].Node != newcomerMAC.String() || got[1].Seconds < 19*60 {
			t.Errorf("%+v", got)
		}
		if _, err := d.Disallow(ctx, "0011223344556677"); err != nil {
			t.Error(err)
		}
		happened := func(text string) bool {
			return slices.ContainsFunc(g.view.Snapshot().Events, func(e view.Event) bool { return strings.Contains(e.Text, text) })
		}
		for begin := time.Now(); !happened("node " + newcomerMAC.String() + " is let in"); time.Sleep(time.Second) {
			if time.Since(begin) > 15*time.Minute {
				t.Fatalf("not let in: %+v", g.view.Snapshot().Events)
			}
		}
		for begin := time.Now(); len(d.Allowed()) > 0 || d.isCommissioner(); time.Sleep(time.Second) {
			if time.Since(begin) > 5*time.Minute {
				t.Fatalf("the role is kept for %+v", d.Allowed())
			}
		}
		if !happened("right password") || !happened("0011223344556677 may join no more") {
			t.Errorf("%+v", g.view.Snapshot().Events)
		}

		d.letsNobodyIn(ctx, t, f)
		if !happened("any node did not come in time") {
			t.Errorf("%+v", g.view.Snapshot().Events)
		}
		over()
		<-done
		if g.node.State() < pymesh.StateChild {
			t.Error("the gateway has lost its place")
		}
	})
}

func (d *doorman) isCommissioner() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.c != nil
}

// refuses holds it to its bounds.
func (d *doorman) refuses(ctx context.Context, t *testing.T) {
	t.Helper()
	for _, bad := range []struct{ node, password, want string }{
		{"", "lower", "password"}, {"xyz", newcomerPassword, "hexadecimal"}, {"0000000000000000", newcomerPassword, "hexadecimal"},
	} {
		if _, err := d.Allow(ctx, bad.node, bad.password, time.Hour); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, bad := range []time.Duration{time.Second, 25 * time.Hour} {
		if _, err := d.Allow(ctx, "", newcomerPassword, bad); err == nil {
			t.Errorf("for %v: no error", bad)
		}
	}
	if _, err := d.Disallow(ctx, ""); err == nil {
		t.Error("nobody was allowed")
	}
}

// letsNobodyIn waits for one that does not come, and has another node take the role.
func (d *doorman) letsNobodyIn(ctx context.Context, t *testing.T, f *field) {
	t.Helper()
	tries(t, "again", func() error { _, err := d.Allow(ctx, "", newcomerPassword, time.Minute); return err })
	time.Sleep(3 * time.Minute)
	if len(d.Allowed()) > 0 {
		t.Errorf("%+v", d.Allowed())
	}
	tries(t, "by another node", func() error {
		c, err := f.nodes[0].Commission(ctx)
		if err == nil {
			defer c.Close()
			if _, err := d.Allow(ctx, "", newcomerPassword, time.Hour); err == nil || !strings.Contains(err.Error(), "another commissioner") {
				t.Errorf("there are two: %v", err)
			}
		}
		return err
	})
}
