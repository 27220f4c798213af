// Package mqtt publishes what a mesh says to an MQTT 5 broker, keeps it on disk while the broker is away, and takes what the world has for the
// mesh.
//
//	P/gw/MAC/state            online | offline, retained; the last will
//	P/gw/MAC/info             JSON, retained
//	P/gw/MAC/event            JSON: time, kind, text
//	P/node/MAC/availability   online | offline, retained
//	P/node/MAC/link           JSON, retained
//	P/node/MAC/rx/PORT        what the node sent to a UDP port, as it is; MQTT 5 user properties src, dst, ts, gw, id, also
//	P/node/MAC/json/PORT      the same as JSON: id, also, ts, gw, src, dst, text or base64, pycom
//	P/node/MAC/ext/PORT       what it sent to an address outside the mesh, without the header of Pycom's library
//	P/node/MAC/tx/PORT        what the node is to get
//	P/node/MAC/text           a text for a board with Pycom's library
//	P/gw/MAC/request/VERB     what the gateway is to do, JSON: ping, trace, text, nodes, info
//	P/gw/MAC/response/VERB    the answer, where the request names no response topic
//
// P is the prefix and the mesh's name, MAC 16 hexadecimal digits. What becomes of tx and text goes to the response topic of the message: queued,
// sent, delivered (a text of which the board says that it has come), no-route, duty-cycle, timeout, or refused and why. Of several gateways of
// a mesh one gets each (a shared subscription). JSON has text where the payload is UTF-8, else base64; pycom is what is in it, where it is of
// Pycom's library.
//
// Readings and events have QoS 1 and are of no use to the broker after a day; what is retained of nodes is forgotten after a week in which no
// gateway speaks of them. A node is online if it is to one of the gateways. See [Reading.IDs] for how to drop doubles.
package mqtt

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

// Options say how to reach the broker.
type Options struct {
	URL      string // mqtt://host:1883, mqtts://host:8883
	User     string
	Password string
	TLS      *tls.Config
	Prefix   string // of topics, with the mesh's name
	Gateway  string // MAC
	Mesh     string // a name for people
	Version  string
	// Ports are the UDP ports to which the broker may send. Empty: nothing comes down.
	Ports []uint16
	// Down takes what comes down. It must not block.
	Down func(Message)
	// Ask does what is asked of the gateway itself; nil: nothing may be.
	Ask func(ctx context.Context, verb string, body []byte) (any, error)
	// HomeAssistant tells Home Assistant of the nodes.
	HomeAssistant bool
	// Rate is how many readings a second are published after an outage, 20 if 0.
	Rate   int
	Logger *slog.Logger
	// Now is time.Now if nil.
	Now func() time.Time
}

const (
	expiry             = 24 * time.Hour // for which a broker keeps a reading
	session            = 60             // seconds: what comes down later is of no use
	publishWait        = 10 * time.Second
	askTimeout         = 2 * time.Minute
	maxPublishers      = 256 // messages that go out at a time beside the queue
	qos1          byte = 1
	jsonType           = "application/json"
	online             = "online"
	offline            = "offline"
)

// Link is the connection to a broker.
type Link struct {
	opt   Options
	queue *spool.Queue
	cm    *autopaho.ConnectionManager
	log   *slog.Logger
	asks  chan struct{}
	outs  chan struct{}
	ready chan struct{} // closed when cm is set

	mu        sync.Mutex
	connected bool
	retained  map[string]kept    // by topic: published again at each connection
	fields    map[string][]field // by node
	counts    map[string]uint64  // by direction and result

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
}

// Start connects, and goes on trying for ever. The Link closes the queue.
func Start(ctx context.Context, queue *spool.Queue, o Options) (*Link, error) {
	u, err := url.Parse(o.URL)
	if err != nil {
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	if o.Rate <= 0 {
		o.Rate = 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	l := &Link{
		opt: o, queue: queue, log: o.Logger, retained: map[string]kept{}, fields: map[string][]field{}, counts: map[string]uint64{},
		asks: make(chan struct{}, asksMax), outs: make(chan struct{}, maxPublishers), ready: make(chan struct{}),
	}
	l.ctx, l.cancel = context.WithCancel(ctx)
	cfg := autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, TlsCfg: o.TLS, KeepAlive: 30, CleanStartOnInitialConnection: false, SessionExpiryInterval: session,
		ConnectUsername: o.User, ConnectPassword: []byte(o.Password),
		ReconnectBackoff: autopaho.NewExponentialBackoff(time.Second, 5*time.Minute, 5*time.Second, 1.5),
		WillMessage:      &paho.WillMessage{Topic: l.gateway("state"), Payload: []byte(offline), QoS: qos1, Retain: true},
		OnConnectionUp:   l.up,
		OnConnectionDown: func() bool { l.down(); return true },
		OnConnectError:   func(err error) { l.down(); l.log.Warn("broker", "err", err) },
		ClientConfig: paho.ClientConfig{
			ClientID:          "pymesh-" + o.Gateway,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){l.received},
		},
	}
	if l.cm, err = autopaho.NewConnection(l.ctx, cfg); err != nil {
		l.cancel()
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	close(l.ready)
	l.wg.Go(func() { l.replay(l.ctx) })
	return l, nil
}

func (l *Link) gateway(what string) string   { return l.opt.Prefix + "/gw/" + l.opt.Gateway + "/" + what }
func (l *Link) node(mac, what string) string { return l.opt.Prefix + "/node/" + mac + "/" + what }

// up is called at each connection: subscriptions first, then what a broker without persistence has forgotten.
func (l *Link) up(cm *autopaho.ConnectionManager, _ *paho.Connack) {
	l.mu.Lock()
	l.connected = true
	l.mu.Unlock()
	l.log.Info("broker connected", "url", l.opt.URL)
	l.wg.Go(func() {
		<-l.ready
		ctx, cancel := context.WithTimeout(l.ctx, publishWait)
		defer cancel()
		if _, err := cm.Subscribe(ctx, &paho.Subscribe{Subscriptions: l.subscriptions()}); err != nil {
			l.log.Warn("broker: subscribe", "err", err)
		}
		l.retainAll(ctx)
	})
}

func (l *Link) down() {
	l.mu.Lock()
	was := l.connected
	l.connected = false
	l.mu.Unlock()
	if was {
		l.log.Warn("broker lost")
	}
}

// Connected reports whether the broker is there.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.connected
}

// Counts returns numbers of messages, by "out published", "down sent" and the like.
func (l *Link) Counts() map[string]uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.counts)
}

func (l *Link) count(what string) {
	l.mu.Lock()
	l.counts[what]++
	l.mu.Unlock()
}

// send publishes in its own time, in order; what fails then is said again at the next connection, or was not that important.
func (l *Link) send(all ...*paho.Publish) {
	select {
	case l.outs <- struct{}{}:
	default:
		l.count("out failed")
		return
	}
	l.wg.Go(func() {
		defer func() { <-l.outs }()
		for _, p := range all {
			ctx, cancel := context.WithTimeout(l.ctx, publishWait)
			_, err := l.cm.Publish(ctx, p)
			cancel()
			if err != nil {
				l.count("out failed")
				return
			}
		}
	})
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(b)
}

// Close says that the gateway is offline, and disconnects.
func (l *Link) Close() error {
	if l.Connected() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, _ = l.cm.Publish(ctx, &paho.Publish{Topic: l.gateway("state"), Payload: []byte(offline), QoS: qos1, Retain: true})
		_ = l.cm.Disconnect(ctx)
		cancel()
	}
	l.cancel()
	<-l.cm.Done()
	l.wg.Wait()
	return l.queue.Close()
}
