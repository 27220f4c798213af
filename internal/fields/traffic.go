package fields

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// Traffic is what the nodes of a field ask of each other: echo requests to ML-EIDs.
type Traffic struct {
	Pattern Pattern
	Period  time.Duration // Pairs: between two requests of the field; Reports: of each node
	Size    int           // bytes of data in a request
	Sink    int           // Reports: the node asked, counted from 0
	Limit   time.Duration // an answer that takes longer does not count; 0 is 20 s for Pairs, 30 s for Reports
}

// Pattern is who asks whom.
type Pattern uint8

// Who asks whom.
const (
	Silence Pattern = iota // nobody
	Pairs                  // each period a random node asks another one
	Reports                // each node asks the sink once each period, at a moment of its own
)

var patternNames = []string{Silence: "none", Pairs: "pairs", Reports: "reports"}

func (p Pattern) String() string {
	if int(p) < len(patternNames) {
		return patternNames[p]
	}
	return fmt.Sprintf("Pattern(%d)", uint8(p))
}

// ParsePattern is the inverse of String.
func ParsePattern(name string) (Pattern, error) {
	i := slices.Index(patternNames, name)
	if i < 0 {
		return 0, fmt.Errorf("%q is no traffic: none, pairs or reports", name)
	}
	return Pattern(i), nil
}

func (t Traffic) limit() time.Duration {
	switch {
	case t.Limit > 0:
		return t.Limit
	case t.Pattern == Reports:
		return 30 * time.Second
	default:
		return 20 * time.Second
	}
}

// check returns what does not fit together, for a number of nodes.
func (t Traffic) check(nodes int) error {
	switch {
	case t.Pattern == Silence:
		return nil
	case int(t.Pattern) >= len(patternNames):
		return fmt.Errorf("no such traffic: %v", t.Pattern)
	case t.Period <= 0:
		return fmt.Errorf("period %v of the traffic is not positive", t.Period)
	case t.Size < 0 || t.Size > MaxSize:
		return fmt.Errorf("size %d of the requests is not 0 to %d", t.Size, MaxSize)
	case nodes < 2:
		return fmt.Errorf("%d nodes have nobody to ask", nodes)
	case t.Sink < 0 || t.Sink >= nodes:
		return fmt.Errorf("sink %d is not one of %d nodes", t.Sink, nodes)
	}
	return nil
}

// MaxSize is the most data in a request: it keeps it within the 1280 bytes of a datagram.
const MaxSize = 1280 - 40 - 8

// An Ask is an echo request and what became of it.
type Ask struct {
	From, To int // nodes, counted from 0
	At       time.Duration
	Took     time.Duration // until the answer; 0 if it did not come in time
}

// plan draws who asks whom and when, in order of time.
func (t Traffic) plan(r *rand.Rand, nodes int, during time.Duration) (asks []Ask) {
	switch t.Pattern {
	case Pairs:
		for at := time.Duration(0); at+t.Period <= during; at += t.Period {
			i, j := r.IntN(nodes), r.IntN(nodes-1)
			if j >= i {
				j++
			}
			asks = append(asks, Ask{From: i, To: j, At: at})
		}
	case Reports:
		for i := range nodes {
			if i == t.Sink {
				continue
			}
			for at := time.Duration(r.Int64N(int64(t.Period))); at < during; at += t.Period {
				asks = append(asks, Ask{From: i, To: t.Sink, At: at})
			}
		}
		slices.SortStableFunc(asks, func(a, b Ask) int { return cmp.Compare(a.At, b.At) })
	}
	return asks
}

// identifier is that of the echo requests of engines.
const identifier = 9

// questions are the echo requests of a net.
type questions struct {
	asks []Ask
	open map[question]int // index in asks
	next uint16
}

type question struct {
	node   int
	number uint16
}

// ask sends the echo request asks[i].
func (n *net) ask(i, size int) error {
	q := &n.questions
	a := q.asks[i]
	from, to := n.nodes[a.From], n.nodes[a.To].eid()
	q.open[question{a.From, q.next}] = i
	err := from.ask(n.Now(), to, q.next, size)
	q.next++
	from.Touch()
	return err
}

// answered notes that a node has the answer to its question with a number.
func (n *net) answered(node int, number uint16) {
	k := question{node, number}
	if i, ok := n.questions.open[k]; ok {
		delete(n.questions.open, k)
		n.questions.asks[i].Took = n.elapsed() - n.questions.asks[i].At
	}
}

// converse lets a time pass, with traffic in it.
func (n *net) converse(t Traffic, r *rand.Rand, during time.Duration) error {
	begin := n.elapsed()
	n.questions = questions{asks: t.plan(r, len(n.nodes), during), open: map[question]int{}}
	for i := range n.questions.asks {
		a := &n.questions.asks[i]
		a.At += begin
		if err := n.run(a.At - n.elapsed()); err != nil {
			return err
		}
		if err := n.ask(i, t.Size); err != nil {
			return err
		}
	}
	if err := n.run(begin + during - n.elapsed()); err != nil {
		return err
	}
	for i := range n.questions.asks {
		if a := &n.questions.asks[i]; a.Took > t.limit() {
			a.Took = 0
		}
	}
	return nil
}
