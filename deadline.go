package pymesh

import (
	"context"
	"sync"
	"time"
)

// deadline is a context that ends at a time that can be moved.
type deadline struct {
	mu     sync.Mutex
	ctx    context.Context
	cancel context.CancelFunc
}

func (d *deadline) init() { d.ctx, d.cancel = context.WithCancel(context.Background()) }

// set moves the deadline. Who waits for an old one wakes up and looks again.
func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.cancel
	if t.IsZero() {
		d.ctx, d.cancel = context.WithCancel(context.Background())
	} else {
		d.ctx, d.cancel = context.WithDeadline(context.Background(), t)
	}
	old()
}

func (d *deadline) stop() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cancel()
}

func (d *deadline) wait() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ctx.Done()
}

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	t, ok := d.ctx.Deadline()
	return ok && !time.Now().Before(t) // the context itself ends a moment later
}
