package lorasim

// queue orders slots by the time at which they are due, and slots of the same time by
// the order in which they were set. A slot is due once at most. It is a heap of arity
// four that knows where each slot stands.
type queue struct {
	heap []entry
	pos  []int32 // by slot: index in heap, or absent
	seq  uint64
}

type entry struct {
	at   int64
	seq  uint64
	slot int32
}

const (
	arity  = 4
	absent = -1
)

func (e entry) before(f entry) bool {
	return e.at < f.at || e.at == f.at && e.seq < f.seq
}

// add makes a new slot, which is not due.
func (q *queue) add() (slot int32) {
	q.pos = append(q.pos, absent)
	return int32(len(q.pos) - 1)
}

// next returns the slot that is due first.
func (q *queue) next() (slot int32, at int64, ok bool) {
	if len(q.heap) == 0 {
		return 0, 0, false
	}
	return q.heap[0].slot, q.heap[0].at, true
}

// set makes the slot due at a time. A slot that is due at that time already keeps
// its turn.
func (q *queue) set(slot int32, at int64) {
	i := int(q.pos[slot])
	if i == absent {
		i = len(q.heap)
		q.heap = append(q.heap, entry{})
	} else if q.heap[i].at == at {
		return
	}
	q.seq++
	q.place(i, entry{at, q.seq, slot})
}

// clear makes the slot not due.
func (q *queue) clear(slot int32) {
	i := int(q.pos[slot])
	if i == absent {
		return
	}
	q.pos[slot] = absent
	last := len(q.heap) - 1
	moved := q.heap[last]
	q.heap = q.heap[:last]
	if i < last {
		q.place(i, moved)
	}
}

// place writes e to the free index i and moves it up or down to where it belongs.
func (q *queue) place(i int, e entry) {
	for i > 0 {
		parent := (i - 1) / arity
		if !e.before(q.heap[parent]) {
			break
		}
		q.put(i, q.heap[parent])
		i = parent
	}
	for {
		first := arity*i + 1
		if first >= len(q.heap) {
			break
		}
		child := first
		for c := first + 1; c < min(first+arity, len(q.heap)); c++ {
			if q.heap[c].before(q.heap[child]) {
				child = c
			}
		}
		if !q.heap[child].before(e) {
			break
		}
		q.put(i, q.heap[child])
		i = child
	}
	q.put(i, e)
}

func (q *queue) put(i int, e entry) {
	q.heap[i] = e
	q.pos[e.slot] = int32(i)
}
