package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/web"
	"github.com/gopymesh/pymesh/thread/meshcop"
)

// doorman lets nodes into the mesh by their passwords, as the page says. The gateway is the mesh's commissioner as long as somebody may come, so that
// another can be it else.
type doorman struct {
	g       *gateway
	turn    chan struct{} // holds the one who asks for the role, or gives it back
	mu      sync.Mutex
	c       *pymesh.Commissioner
	allowed map[pymesh.MAC]time.Time // until when, by the radio's clock
	busy    time.Time                // when somebody has last come
}

func (d *doorman) init(g *gateway) {
	d.g, d.turn, d.allowed = g, make(chan struct{}, 1), map[pymesh.MAC]time.Time{}
}

// Bounds of how long a node may take to come.
const (
	minAllowed = time.Minute
	maxAllowed = 24 * time.Hour
	// becomeCommissioner is how long the leader may take to agree.
	becomeCommissioner = time.Minute
)

// whoIs reads who may come: a MAC address, with or without colons and dashes, or anybody.
func whoIs(text string) (pymesh.MAC, error) {
	text = strings.NewReplacer(":", "", "-", "", " ", "").Replace(text)
	if text == "" || text == "*" {
		return pymesh.AnyNode, nil
	}
	mac, err := pymesh.ParseMAC(text)
	if err != nil || mac == pymesh.AnyNode {
		return 0, errors.New("who may join is 16 hexadecimal digits, or empty for any node")
	}
	return mac, nil
}

func nameOf(mac pymesh.MAC) string {
	if mac == pymesh.AnyNode {
		return "any node"
	}
	return mac.String()
}

// take waits for the turn.
func (d *doorman) take(ctx context.Context) error {
	select {
	case d.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Allow lets a node in that has a password.
func (d *doorman) Allow(ctx context.Context, node, password string, timeout time.Duration) (string, error) {
	mac, err := whoIs(node)
	if err != nil {
		return "", err
	}
	if timeout < minAllowed || timeout > maxAllowed {
		return "", fmt.Errorf("the time is from %v to %v", minAllowed, maxAllowed)
	}
	if err := meshcop.CheckPassword(password); err != nil {
		return "", err
	}
	if err := d.take(ctx); err != nil {
		return "", err
	}
	defer func() { <-d.turn }()
	c, err := d.commissioner(ctx)
	if err != nil {
		return "", err
	}
	if err := c.Allow(mac, password, timeout); err != nil {
		return "", err
	}
	d.mu.Lock()
	d.allowed[mac] = d.g.clock.Now().Add(timeout)
	d.mu.Unlock()
	d.g.happened("join", fmt.Sprintf("%s may join for %v", nameOf(mac), timeout))
	return fmt.Sprintf("%s may join now", nameOf(mac)), nil
}

// commissioner takes the role, unless the node has it.
func (d *doorman) commissioner(ctx context.Context) (*pymesh.Commissioner, error) {
	d.mu.Lock()
	c := d.c
	d.mu.Unlock()
	if c != nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, becomeCommissioner)
	defer cancel()
	c, err := d.g.node.Commission(ctx)
	switch {
	case errors.Is(err, pymesh.ErrRefused):
		return nil, errors.New("another commissioner lets nodes in now, or the leader does not answer")
	case err != nil:
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.c = c
	return c, nil
}

// Disallow takes Allow back.
func (d *doorman) Disallow(ctx context.Context, node string) (string, error) {
	mac, err := whoIs(node)
	if err != nil {
		return "", err
	}
	if err := d.take(ctx); err != nil {
		return "", err
	}
	defer func() { <-d.turn }()
	d.mu.Lock()
	c := d.c
	_, known := d.allowed[mac]
	delete(d.allowed, mac)
	d.mu.Unlock()
	if c == nil || !known {
		return "", fmt.Errorf("%s may not join", nameOf(mac))
	}
	_ = c.Disallow(mac) // its time may be over just now
	d.g.happened("join", nameOf(mac)+" may join no more")
	return nameOf(mac) + " may join no more", nil
}

// Allowed returns who may come, and how long still.
func (d *doorman) Allowed() (list []web.Allowed) {
	now := d.g.clock.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for mac, until := range d.allowed {
		a := web.Allowed{Seconds: int(max(until.Sub(now), 0) / time.Second)}
		if mac != pymesh.AnyNode {
			a.Node = mac.String()
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b web.Allowed) int { return cmp.Compare(a.Node, b.Node) })
	return list
}

// admit follows who comes, and gives the role back when nobody may come any more, until ctx ends.
func (d *doorman) admit(ctx context.Context) {
	events := d.g.node.Events(ctx)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.giveBack()
			return
		case e, ok := <-events:
			if !ok {
				events = nil
				continue
			}
			d.follow(e)
		case <-tick.C:
			d.expire()
		}
	}
}

// follow tells of who comes, and how it ends.
func (d *doorman) follow(e pymesh.Event) {
	switch e.Type {
	case pymesh.EventCommissioner:
		if !e.Active {
			d.lost()
		}
	case pymesh.EventJoiner:
		who := "a node"
		if e.MAC != pymesh.AnyNode {
			who = "node " + e.MAC.String()
		}
		d.mu.Lock()
		d.busy = d.g.clock.Now()
		d.mu.Unlock()
		switch e.Joiner {
		case pymesh.JoinerConnected:
			d.g.happened("join", who+" has the right password")
		case pymesh.JoinerAccepted:
			d.g.happened("join", who+" is let in")
			if e.MAC != pymesh.AnyNode {
				d.mu.Lock()
				delete(d.allowed, e.MAC)
				d.mu.Unlock()
			}
		case pymesh.JoinerFailed:
			d.g.happened("problem", fmt.Sprintf("%s was not let in: %v", who, e.Err))
		}
	}
}

// lost forgets the role, which somebody else has now.
func (d *doorman) lost() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.c != nil && len(d.allowed) > 0 {
		d.g.happened("problem", "this node lets nobody in any more: the leader has taken the role away")
	}
	d.c = nil
	clear(d.allowed)
}

// over drops those whose time is over, and reports whether the role is there for nobody.
func (d *doorman) over() bool {
	const grace = time.Minute // of one that has just been let in, and may have to be told again
	now := d.g.clock.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for mac, until := range d.allowed {
		if now.After(until) {
			delete(d.allowed, mac)
			d.g.happened("join", nameOf(mac)+" did not come in time, or may come no more")
		}
	}
	return d.c != nil && len(d.allowed) == 0 && now.Sub(d.busy) > grace
}

// expire gives the role back if it is there for nobody.
func (d *doorman) expire() {
	select {
	case d.turn <- struct{}{}:
	default:
		return // somebody is about to need it
	}
	defer func() { <-d.turn }()
	if d.over() {
		d.giveBack()
	}
}

// giveBack gives the role back.
func (d *doorman) giveBack() {
	d.mu.Lock()
	c := d.c
	d.c = nil
	clear(d.allowed)
	d.mu.Unlock()
	if c != nil {
		_ = c.Close() // which fails if the node is closed
	}
}
