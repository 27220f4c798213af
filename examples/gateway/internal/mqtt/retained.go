package mqtt

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// How long a broker keeps what is retained of nodes, and how often it is said again: what no gateway speaks of any more vanishes by itself.
const (
	retainedExpiry = 7 * 24 * time.Hour
	retainedAgain  = 24 * time.Hour
	maxRetained    = 4000
	// contradictEvery is how often a gateway contradicts another one, of a node.
	contradictEvery = time.Minute
)

// kept is a retained value. An empty one is to be removed from the broker.
type kept struct {
	payload string
	at      time.Time // when the broker was told
	expires bool
	argued  time.Time
}

// publish is the message of a retained value.
func (k kept) publish(topic string) *paho.Publish {
	p := &paho.Publish{Topic: topic, Payload: []byte(k.payload), QoS: qos1, Retain: true}
	if k.expires {
		seconds := uint32(retainedExpiry / time.Second)
		p.Properties = &paho.PublishProperties{MessageExpiry: &seconds}
	}
	return p
}

// retain publishes a value that stays, if it is another than before, or a day has passed.
func (l *Link) retain(topic, payload string, expires bool) {
	now := l.opt.Now()
	l.mu.Lock()
	old, known := l.retained[topic]
	if known && old.payload == payload && now.Sub(old.at) < retainedAgain || !known && len(l.retained) >= maxRetained {
		l.mu.Unlock()
		return
	}
	k := kept{payload: payload, at: now, expires: expires, argued: old.argued}
	l.retained[topic] = k
	connected := l.connected
	l.mu.Unlock()
	if connected {
		l.send(k.publish(topic))
	}
}

// remove takes a retained value from the broker.
func (l *Link) remove(topic string) {
	l.mu.Lock()
	_, known := l.retained[topic]
	connected := l.connected
	switch {
	case known && connected:
		delete(l.retained, topic)
	case known:
		l.retained[topic] = kept{}
	}
	l.mu.Unlock()
	if known && connected {
		l.send(kept{}.publish(topic))
	}
}

// retainAll says all of it, to a broker that may have forgotten.
func (l *Link) retainAll(ctx context.Context) {
	now := l.opt.Now()
	l.mu.Lock()
	all := map[string]kept{l.gateway("state"): {payload: online}}
	for topic, k := range l.retained {
		all[topic] = k
		if k.at = now; k.payload == "" {
			delete(l.retained, topic)
		} else {
			l.retained[topic] = k
		}
	}
	l.mu.Unlock()
	for _, topic := range slices.Sorted(maps.Keys(all)) { // Home Assistant's before what its devices are: h comes before p
		if _, err := l.cm.Publish(ctx, all[topic].publish(topic)); err != nil {
			return // the next connection says it again
		}
	}
}

// Info publishes what the gateway is.
func (l *Link) Info(v any) {
	l.retain(l.gateway("info"), toJSON(v), false)
	l.discoverGateway()
}

// Node publishes a node's availability and links.
func (l *Link) Node(mac string, alive bool, link any) {
	state := offline
	if alive {
		state = online
	}
	l.discoverNode(mac)
	l.retain(l.node(mac, "availability"), state, true)
	l.retain(l.node(mac, "link"), toJSON(link), true)
}

// Forget removes a node from the broker.
func (l *Link) Forget(mac string) {
	l.remove(l.node(mac, "availability"))
	l.remove(l.node(mac, "link"))
	l.forgetDiscovery(mac)
}

// contradict says that a node is online, where another gateway of the mesh has said that it is not: a node is online if it is to one of them.
func (l *Link) contradict(mac, said string) {
	topic, now := l.node(mac, "availability"), l.opt.Now()
	l.mu.Lock()
	k, known := l.retained[topic]
	argue := known && said == offline && k.payload == online && now.Sub(k.argued) >= contradictEvery
	if argue {
		k.argued = now
		l.retained[topic] = k
	}
	l.mu.Unlock()
	if argue {
		l.send(k.publish(topic))
	}
}
