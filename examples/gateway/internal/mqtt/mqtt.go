// Package mqtt publishes what a mesh says to an MQTT 5 broker, keeps it on disk while the broker is away, and takes what the world has for the
// mesh.
//
//	P/gw/MAC/state            online | offline, retained; the last will
//	P/gw/MAC/info             JSON, retained
//	P/gw/MAC/event            JSON
//	P/node/MAC/availability   online | offline, retained
//	P/node/MAC/link           JSON, retained
//	P/node/MAC/rx/PORT        what the node sent to a UDP port, as it is; MQTT 5 user properties src, dst, ts, gw, id
//	P/node/MAC/json/PORT      the same as JSON: id, ts, src, dst, and text or base64
//	P/node/MAC/tx/PORT        what the node is to get; the result goes to the response topic
//
// MAC is 16 hexadecimal digits. An id is made of what was sent, from where and in which minute: two gateways of one mesh make the same, so that
// who subscribes can drop doubles.
package mqtt

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

// Reading is a datagram of a node.
type Reading struct {
	Time    time.Time
	Node    string // MAC of the sender
	Src     netip.AddrPort
	Dst     netip.AddrPort
	Payload []byte
	// Outside says that it was for an address outside the mesh.
	Outside bool
	// Told is what a known format has in it, as JSON; nil if there is none.
	Told json.RawMessage
}

// ID is the same on all gateways that hear of the reading within a minute.
func (r Reading) ID() string {
	h := sha256.New()
	fmt.Fprintf(h, "%s %d %d %d ", r.Node, r.Src.Port(), r.Dst.Port(), r.Time.Unix()/60)
	h.Write(r.Payload)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// record is a reading on disk.
type record struct {
	Time    int64           `json:"ts"` // Unix time in milliseconds
	ID      string          `json:"id"`
	Node    string          `json:"node"`
	Src     netip.AddrPort  `json:"src"`
	Dst     netip.AddrPort  `json:"dst"`
	Payload []byte          `json:"payload"`
	Outside bool            `json:"outside,omitempty"`
	Told    json.RawMessage `json:"told,omitempty"`
}

// Message is what a node is to get.
type Message struct {
	Node    string
	Port    uint16
	Payload []byte
	// Text says that the payload is a text for Pycom's library.
	Text bool
	// Expires is when it is of no use any more; the zero value is never.
	Expires time.Time
	// Result tells who asked how it goes: queued, sent, delivered, no-route, duty-cycle, timeout, refused.
	Result func(string)
}

// Options say how to reach the broker.
type Options struct {
	URL      string // mqtt://host:1883, mqtts://host:8883
	User     string
	Password string
	TLS      *tls.Config
	Prefix   string // of topics, with the mesh's name
	Gateway  string // MAC
	// Ports are the UDP ports to which the broker may send. Empty: nothing comes down.
	Ports []uint16
	// Down takes what comes down. It must not block.
	Down func(Message)
	// Rate is how many readings a second are published after an outage, 20 if 0.
	Rate   int
	Logger *slog.Logger
	// State hears of the connection.
	State func(connected bool)
}

const (
	expiry           = 24 * 60 * 60 // seconds for which a broker keeps a reading
	maxRetained      = 2000
	downMax          = 1024 // bytes for a node
	publishWait      = 10 * time.Second
	qos1        byte = 1
)

// Link is the connection to a broker.
type Link struct {
	opt   Options
	queue *spool.Queue
	cm    *autopaho.ConnectionManager
	log   *slog.Logger

	mu        sync.Mutex
	connected bool
	retained  map[string]string // by topic: published again at each connection
	messages  map[string]uint64 // by direction and result

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
	ctx, cancel := context.WithCancel(ctx)
	l := &Link{opt: o, queue: queue, log: o.Logger, cancel: cancel, retained: map[string]string{}, messages: map[string]uint64{}}
	cfg := autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, TlsCfg: o.TLS, KeepAlive: 30, CleanStartOnInitialConnection: false, SessionExpiryInterval: 3600,
		ConnectUsername: o.User, ConnectPassword: []byte(o.Password),
		ReconnectBackoff: autopaho.NewExponentialBackoff(time.Second, 5*time.Minute, 5*time.Second, 1.5),
		WillMessage:      &paho.WillMessage{Topic: l.gateway("state"), Payload: []byte("offline"), QoS: qos1, Retain: true},
		OnConnectionUp:   l.up,
		OnConnectionDown: func() bool { l.down(); return true },
		OnConnectError:   func(err error) { l.down(); l.log.Warn("broker", "err", err) },
		ClientConfig: paho.ClientConfig{
			ClientID:          "pymesh-" + o.Gateway,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){l.received},
		},
	}
	if l.cm, err = autopaho.NewConnection(ctx, cfg); err != nil {
		cancel()
		return nil, fmt.Errorf("mqtt: %w", err)
	}
	l.wg.Go(func() { l.replay(ctx) })
	return l, nil
}

func (l *Link) gateway(what string) string   { return l.opt.Prefix + "/gw/" + l.opt.Gateway + "/" + what }
func (l *Link) node(mac, what string) string { return l.opt.Prefix + "/node/" + mac + "/" + what }

// up is called at each connection: subscriptions first, then what a broker without persistence has forgotten.
func (l *Link) up(cm *autopaho.ConnectionManager, _ *paho.Connack) {
	l.mu.Lock()
	l.connected = true
	retained := maps.Clone(l.retained)
	l.mu.Unlock()
	l.log.Info("broker connected", "url", l.opt.URL)
	l.opt.State(true)
	l.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), publishWait)
		defer cancel()
		if len(l.opt.Ports) > 0 {
			s := &paho.Subscribe{Subscriptions: []paho.SubscribeOptions{{Topic: l.node("+", "tx/+"), QoS: qos1}}}
			if _, err := cm.Subscribe(ctx, s); err != nil {
				l.log.Warn("broker: subscribe", "err", err)
			}
		}
		retained[l.gateway("state")] = "online"
		for topic, payload := range retained {
			if _, err := cm.Publish(ctx, &paho.Publish{Topic: topic, Payload: []byte(payload), QoS: qos1, Retain: true}); err != nil {
				return // the next connection says it again
			}
		}
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
	l.opt.State(false)
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
	return maps.Clone(l.messages)
}

func (l *Link) count(what string) {
	l.mu.Lock()
	l.messages[what]++
	l.mu.Unlock()
}

// Retain publishes a value that stays, such as "gw/info" or a node's "availability", if it is another than before.
func (l *Link) retain(topic, payload string) {
	l.mu.Lock()
	same := l.retained[topic] == payload
	_, known := l.retained[topic]
	full := !known && len(l.retained) >= maxRetained
	if !full {
		l.retained[topic] = payload
	}
	connected := l.connected
	l.mu.Unlock()
	if same || full || !connected {
		return
	}
	l.send(&paho.Publish{Topic: topic, Payload: []byte(payload), QoS: qos1, Retain: true})
}

// send publishes in its own time; what fails then is said again at the next connection, or was not that important.
func (l *Link) send(p *paho.Publish) {
	l.wg.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), publishWait)
		defer cancel()
		if _, err := l.cm.Publish(ctx, p); err != nil {
			l.count("out failed")
		}
	})
}

// Info publishes what the gateway is.
func (l *Link) Info(v any) { l.retain(l.gateway("info"), toJSON(v)) }

// Event publishes what has happened, if the broker is there.
func (l *Link) Event(v any) {
	if l.Connected() {
		l.send(&paho.Publish{Topic: l.gateway("event"), Payload: []byte(toJSON(v))})
	}
}

// Node publishes a node's availability and links.
func (l *Link) Node(mac string, alive bool, link any) {
	state := "offline"
	if alive {
		state = "online"
	}
	l.retain(l.node(mac, "availability"), state)
	l.retain(l.node(mac, "link"), toJSON(link))
}

func toJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}"
	}
	return string(b)
}

// Publish takes a reading; it is on disk when Publish returns.
func (l *Link) Publish(r Reading) error {
	b, err := json.Marshal(record{r.Time.UnixMilli(), r.ID(), r.Node, r.Src, r.Dst, r.Payload, r.Outside, r.Told})
	if err != nil {
		return err
	}
	return l.queue.Put(b)
}

// replay publishes what the queue has, in order, each until the broker has it.
func (l *Link) replay(ctx context.Context) {
	pace := time.NewTicker(time.Second / time.Duration(l.opt.Rate))
	defer pace.Stop()
	for {
		b, ok := l.queue.Peek()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-l.queue.Ready():
			}
			continue
		}
		var r record
		if err := json.Unmarshal(b, &r); err != nil {
			l.count("out damaged")
			_ = l.queue.Ack()
			continue
		}
		if !l.deliver(ctx, r) {
			return
		}
		if err := l.queue.Ack(); err != nil && !errors.Is(err, spool.ErrClosed) {
			l.log.Warn("spool", "err", err)
		}
		l.count("out published")
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

// deliver publishes a reading in both forms, and tries until the broker has taken it. It reports false when ctx has ended.
func (l *Link) deliver(ctx context.Context, r record) bool {
	kind := "rx/"
	if r.Outside {
		kind = "ext/"
	}
	port := strconv.Itoa(int(r.Dst.Port()))
	seconds := uint32(expiry)
	raw := &paho.Publish{
		Topic: l.node(r.Node, kind+port), Payload: r.Payload, QoS: qos1,
		Properties: &paho.PublishProperties{MessageExpiry: &seconds, User: paho.UserProperties{
			{Key: "src", Value: r.Src.String()}, {Key: "dst", Value: r.Dst.String()},
			{Key: "ts", Value: strconv.FormatInt(r.Time, 10)}, {Key: "gw", Value: l.opt.Gateway}, {Key: "id", Value: r.ID},
		}},
	}
	twin := &paho.Publish{
		Topic: l.node(r.Node, "json/"+port), Payload: []byte(twinOf(r)), QoS: qos1,
		Properties: &paho.PublishProperties{MessageExpiry: &seconds, ContentType: "application/json"},
	}
	for _, p := range []*paho.Publish{raw, twin} {
		for !l.attempt(ctx, p) {
			if ctx.Err() != nil {
				return false
			}
		}
	}
	return true
}

// attempt publishes once the broker is there.
func (l *Link) attempt(ctx context.Context, p *paho.Publish) bool {
	if err := l.cm.AwaitConnection(ctx); err != nil {
		return false
	}
	once, cancel := context.WithTimeout(ctx, publishWait)
	defer cancel()
	response, err := l.cm.Publish(once, p)
	switch {
	case err == nil:
		return true
	case response != nil && response.ReasonCode >= 0x80: // the broker does not want it: not now and not later
		l.count("out refused")
		l.log.Warn("broker refuses", "topic", p.Topic, "reason", response.ReasonCode)
		return true
	}
	select {
	case <-ctx.Done():
	case <-time.After(time.Second):
	}
	return false
}

// twinOf is a reading as JSON: what is UTF-8 as text, all else in base64.
func twinOf(r record) string {
	v := struct {
		ID     string          `json:"id"`
		Time   int64           `json:"ts"`
		Src    string          `json:"src"`
		Dst    string          `json:"dst"`
		Text   string          `json:"text,omitempty"`
		Base64 string          `json:"base64,omitempty"`
		Told   json.RawMessage `json:"pycom,omitempty"`
	}{ID: r.ID, Time: r.Time, Src: r.Src.String(), Dst: r.Dst.String(), Told: r.Told}
	if utf8.Valid(r.Payload) {
		v.Text = string(r.Payload)
	} else {
		v.Base64 = base64.StdEncoding.EncodeToString(r.Payload)
	}
	return toJSON(v)
}

// ParseDown reads the topic of what is for a node.
func ParseDown(prefix, topic string) (mac string, port uint16, err error) {
	rest, ok := strings.CutPrefix(topic, prefix+"/node/")
	parts := strings.Split(rest, "/")
	if !ok || len(parts) != 3 || parts[1] != "tx" {
		return "", 0, fmt.Errorf("mqtt: %q is no topic of a node", topic)
	}
	mac = parts[0]
	if b, err := hex.DecodeString(mac); err != nil || len(b) != 8 || mac != strings.ToLower(mac) {
		return "", 0, fmt.Errorf("mqtt: %q is no MAC address of 16 hexadecimal digits", mac)
	}
	p, err := strconv.ParseUint(parts[2], 10, 16)
	if err != nil || p == 0 {
		return "", 0, fmt.Errorf("mqtt: %q is no port", parts[2])
	}
	return mac, uint16(p), nil
}

// received takes what is for a node.
func (l *Link) received(pr paho.PublishReceived) (bool, error) {
	p := pr.Packet
	answer := func(result string) {
		l.count("down " + result)
		if p.Properties == nil || p.Properties.ResponseTopic == "" || strings.ContainsAny(p.Properties.ResponseTopic, "+#") {
			return
		}
		l.send(&paho.Publish{
			Topic: p.Properties.ResponseTopic, Payload: []byte(result), QoS: qos1,
			Properties: &paho.PublishProperties{CorrelationData: p.Properties.CorrelationData},
		})
	}
	mac, port, err := ParseDown(l.opt.Prefix, p.Topic)
	switch {
	case err != nil:
		l.count("down malformed")
		return true, nil
	case p.Retain: // it would come again at each start
		answer("refused: retained")
		return true, nil
	case !slices.Contains(l.opt.Ports, port):
		answer("refused: port")
		return true, nil
	case len(p.Payload) > downMax:
		answer("refused: too long")
		return true, nil
	}
	l.opt.Down(Message{Node: mac, Port: port, Payload: append([]byte(nil), p.Payload...), Result: answer})
	return true, nil
}

// Close says that the gateway is offline, and disconnects.
func (l *Link) Close() error {
	if l.Connected() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		_, _ = l.cm.Publish(ctx, &paho.Publish{Topic: l.gateway("state"), Payload: []byte("offline"), QoS: qos1, Retain: true})
		_ = l.cm.Disconnect(ctx)
		cancel()
	}
	l.cancel()
	<-l.cm.Done()
	l.wg.Wait()
	return l.queue.Close()
}
