package mqtt

import (
	"context"
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
	at      time.Time // when it was last said
	expires bool
	said    bool // the broker has it, since the connection began
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
	defer l.mu.Unlock()
	old, known := l.retained[topic]
	if known && old.payload == payload && now.Sub(old.at) < retainedAgain || !known && len(l.retained) >= maxRetained {
		return
	}
	l.retained[topic] = kept{payload: payload, at: now, expires: expires, argued: old.argued}
	l.signal()
}

// remove takes a retained value from the broker: now, or when it is there again.
func (l *Link) remove(topic string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.retained[topic]; known {
		l.retained[topic] = kept{}
		l.signal()
	}
}

// again has values said again, those that are wanted: to a broker or a subscriber that may have forgotten.
func (l *Link) again(wanted func(topic string) bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for topic, k := range l.retained {
		if wanted(topic) {
			k.said, k.at = false, l.opt.Now()
			l.retained[topic] = k
		}
	}
	l.signal()
}

func (l *Link) signal() {
	select {
	case l.unsaid <- struct{}{}:
	default:
	}
}

// say tells the broker of retained values that it does not have, one after the other, until ctx ends.
func (l *Link) say(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.unsaid:
		}
		for _, topic := range l.pending() {
			if !l.sayOne(topic) { // the next connection says it again, or this one, when the broker has had time
				time.AfterFunc(time.Second, l.signal)
				break
			}
		}
	}
}

// pending are the topics of which the broker has not been told: Home Assistant's first, and then what its devices are, since h comes before p.
func (l *Link) pending() (topics []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.connected {
		return nil
	}
	for topic, k := range l.retained {
		if !k.said {
			topics = append(topics, topic)
		}
	}
	slices.Sort(topics)
	return topics
}

func (l *Link) sayOne(topic string) bool {
	l.mu.Lock()
	k, known := l.retained[topic]
	connected := l.connected
	l.mu.Unlock()
	if !known || k.said {
		return true
	}
	if !connected {
		return false
	}
	once, cancel := l.whileConnected()
	response, err := l.cm.Publish(once, k.publish(topic))
	cancel()
	if refused := response != nil && response.ReasonCode >= 0x80; refused {
		l.count("out refused")
	} else if err != nil {
		l.count("out failed")
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch now := l.retained[topic]; {
	case now.payload != k.payload: // another one since, which is said next
	case k.payload == "":
		delete(l.retained, topic)
	default:
		now.said = true
		l.retained[topic] = now
	}
	return true
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
	defer l.mu.Unlock()
	if k, known := l.retained[topic]; known && said == offline && k.payload == online && now.Sub(k.argued) >= contradictEvery {
		k.argued, k.said = now, false
		l.retained[topic] = k
		l.signal()
	}
}
