package pymesh

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/internal/runner"
	"github.com/gopymesh/pymesh/thread"
)

// Counters are what a node has sent, received and dropped since it was made, by name: "TxFrames", "RxFrames" and so on, as the fields of
// thread.Counters are called and explained. "HandlerQueueFull" is what was lost since a handler of OnForward or OnPacket was too slow.
// "AirtimeAcks", "AirtimeMLE" (what keeps the mesh together), "AirtimeData" and "AirtimeOther" are how long it has sent, in milliseconds.
// Names come, and may go, with any version: one that is not there counts 0.
type Counters map[string]uint64

// Counters returns what the node has sent, received and dropped.
func (n *Node) Counters() Counters {
	running := false
	var c thread.Counters
	var sent runner.Airtime
	if running = n.run.Do(func(time.Time) { c, sent = n.engine.Counters(), n.run.Airtime() }); !running {
		return nil
	}
	v := reflect.ValueOf(c)
	counters := make(Counters, v.NumField())
	for i := range v.NumField() {
		counters[v.Type().Field(i).Name] = v.Field(i).Uint()
	}
	for name, d := range map[string]time.Duration{"Acks": sent.Acks, "MLE": sent.MLE, "Data": sent.Data, "Other": sent.Other} {
		counters["Airtime"+name] = uint64(d.Milliseconds())
	}
	counters["HandlerQueueFull"] = n.forwards.lost() + n.packets.lost()
	return counters
}

// String returns what is not 0, in one line, in the order of the names.
func (c Counters) String() string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(c)) {
		if c[name] == 0 {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		fmt.Fprintf(&b, "%s=%d", name, c[name])
	}
	return b.String()
}

// Queues says how much waits in a node at this moment.
type Queues struct {
	// Sending are datagrams and messages of the mesh that wait for the radio, those of others that pass through among them; Resolving are some
	// of Sending, those that wait for the answer to where an address is.
	Sending, Resolving int
	// Reassembling are datagrams of which fragments are missing, Repeating multicasts that are to be sent again, Delayed messages of MLE whose
	// random delay is not over, Requests those of management that have no answer yet.
	Reassembling, Repeating, Delayed, Requests int
	// Sockets are datagrams that no program has read from its socket, Handlers those for OnForward and OnPacket.
	Sockets, Handlers int
}

// Queues returns how much waits in the node.
func (n *Node) Queues() Queues {
	var out Queues
	n.run.Do(func(time.Time) {
		q := n.engine.Console().Queues()
		out = Queues{Sending: q.Sending, Resolving: q.Resolving, Reassembling: q.Reassembling, Repeating: q.MPL, Delayed: q.MLE, Requests: q.CoAP}
	})
	out.Sockets = n.sockets.waiting()
	out.Handlers = n.forwards.waiting() + n.packets.waiting()
	return out
}
