package pymesh

import (
	"slices"
	"sync"
)

// handoff gives values to a handler, one at a time, in a goroutine of its own; the oldest give way if it is slow.
type handoff[T any] struct {
	mu      sync.Mutex
	handler func(T)
	queue   []T
	calling bool // a goroutine makes the calls
	closed  bool
	dropped uint64
}

// set replaces the handler; nil ends the calls.
func (h *handoff[T]) set(handler func(T)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.handler, h.queue = handler, nil
}

// put queues a value and reports false if there is no handler.
func (h *handoff[T]) put(v T) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.handler == nil || h.closed {
		return false
	}
	if len(h.queue) >= receiveQueue {
		h.queue = slices.Delete(h.queue, 0, 1)
		h.dropped++
	}
	h.queue = append(h.queue, v)
	if !h.calling {
		h.calling = true
		go h.call() // not waited for: the handler may close the node
	}
	return true
}

// lost returns how many values have given way.
func (h *handoff[T]) lost() uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.dropped
}

// waiting returns how many values the handler has not had yet.
func (h *handoff[T]) waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.queue)
}

// call runs the handler until nothing waits.
func (h *handoff[T]) call() {
	for {
		h.mu.Lock()
		if len(h.queue) == 0 || h.closed {
			h.calling = false
			h.mu.Unlock()
			return
		}
		handler, v := h.handler, h.queue[0]
		h.queue = slices.Delete(h.queue, 0, 1)
		h.mu.Unlock()
		handler(v)
	}
}

func (h *handoff[T]) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed, h.queue = true, nil
}
