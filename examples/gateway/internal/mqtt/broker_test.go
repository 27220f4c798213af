package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh/examples/gateway/internal/broker"
	"github.com/gopymesh/pymesh/examples/gateway/internal/brokertest"
	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

const (
	prefix  = "pymesh/test"
	macA    = "0011223344556677"
	macB    = "0011223344556678"
	nodeMAC = "00000000000000a5"
)

// linkTo starts a gateway's link. Change may be nil.
func linkTo(t *testing.T, url, mac string, change func(*Options)) *Link {
	t.Helper()
	q, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		URL: url, Prefix: prefix, Mesh: "test", Gateway: mac, Rate: 1000, Logger: slog.New(slog.DiscardHandler), Version: "1", HomeAssistant: true,
		backoff: func(int) time.Duration { return 50 * time.Millisecond },
		Down:    func(m Message) { m.Result("queued"); m.Result("sent") }, Ports: []uint16{1234, 5000},
		Ask: func(_ context.Context, verb string, body []byte) (any, error) {
			if verb == "fail" {
				return nil, errors.New("no way")
			}
			return verb + " " + string(body), nil
		},
	}
	if change != nil {
		change(&o)
	}
	l, err := Start(context.Background(), q, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func on(topic, payload string) func(*paho.Publish) bool {
	return func(p *paho.Publish) bool { return p.Topic == prefix+topic && string(p.Payload) == payload }
}

// brokers runs a test with each broker.
func brokers(t *testing.T, test func(t *testing.T, address string)) {
	t.Run("mochi", func(t *testing.T) {
		b, err := broker.Start("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		test(t, strings.TrimPrefix(b.URL(), "mqtt://"))
	})
	t.Run("mosquitto", func(t *testing.T) { test(t, brokertest.Start(t, "allow_anonymous true").Address) })
}

// TestRetained looks at what stays on the broker, and at the last will.
func TestRetained(t *testing.T) {
	brokers(t, func(t *testing.T, address string) {
		gate := brokertest.NewGate(t, address)
		c := brokertest.Connect(t, "mqtt://"+address, "watch", nil, "#")
		l := linkTo(t, gate.URL(), macA, nil)
		c.Await("online", 0, on("/gw/"+macA+"/state", "online"))
		l.Info(map[string]any{"nodes": 3})
		l.Node(nodeMAC, true, map[string]any{"cost": 1})
		l.Node(nodeMAC, true, map[string]any{"cost": 1}) // the same is not said twice
		config := func(p *paho.Publish) bool { return p.Topic == "homeassistant/device/pymesh_test_"+nodeMAC+"/config" }
		p, _ := c.Await("discovery", 0, config)
		checkDiscovery(t, p.Payload)
		c.Await("availability", 0, on("/node/"+nodeMAC+"/availability", "online"))
		c.Await("link", 0, on("/node/"+nodeMAC+"/link", `{"cost":1}`))

		late := brokertest.Connect(t, "mqtt://"+address, "late", nil, "#")
		p, _ = late.Await("what is retained", 0, on("/node/"+nodeMAC+"/availability", "online"))
		if !p.Retain || p.Properties == nil || p.Properties.MessageExpiry == nil {
			t.Errorf("availability: %+v", p)
		}
		late.Await("info", 0, on("/gw/"+macA+"/info", `{"nodes":3}`))

		n := len(c.Heard())
		c.Publish(&paho.Publish{Topic: birthTopic, Payload: []byte("online")})
		_, n = c.Await("discovery again", n, config)
		c.Await("availability after it", n, on("/node/"+nodeMAC+"/availability", "online"))

		gate.Shut()
		_, n = c.Await("the will", n, on("/gw/"+macA+"/state", "offline"))
		l.Forget(nodeMAC) // while the broker is away
		gate.Open()
		c.Await("the node is removed", n, on("/node/"+nodeMAC+"/availability", ""))
		_, n = c.Await("and not discovered", n, func(p *paho.Publish) bool { return config(p) && len(p.Payload) == 0 })
		_, n = c.Await("online again", n, on("/gw/"+macA+"/state", "online"))
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		c.Await("offline", n, on("/gw/"+macA+"/state", "offline"))
	})
}

func checkDiscovery(t *testing.T, payload []byte) {
	t.Helper()
	var d struct {
		Device struct {
			IDs []string `json:"ids"`
		} `json:"dev"`
		Origin struct {
			Name string `json:"name"`
		} `json:"o"`
		Components map[string]struct {
			Platform string `json:"p"`
			ID       string `json:"unique_id"`
		} `json:"cmps"`
		Availability []struct {
			Topic string `json:"topic"`
		} `json:"availability"`
	}
	if err := json.Unmarshal(payload, &d); err != nil || len(d.Device.IDs) != 1 || d.Origin.Name == "" || len(d.Components) < 3 {
		t.Errorf("%s: %v", payload, err)
	}
	for name, c := range d.Components {
		if c.Platform == "" || c.ID == "" {
			t.Errorf("%s: %+v", name, c)
		}
	}
	if len(d.Availability) != 1 || d.Availability[0].Topic != prefix+"/node/"+nodeMAC+"/availability" {
		t.Errorf("%+v", d.Availability)
	}
}

// TestReading looks at a reading in both forms, and at the sensor that it becomes.
func TestReading(t *testing.T) {
	brokers(t, func(t *testing.T, address string) {
		c := brokertest.Connect(t, "mqtt://"+address, "watch", nil, "#")
		l := linkTo(t, "mqtt://"+address, macA, nil)
		r := Reading{
			Time: time.UnixMilli(60_000_500), Node: nodeMAC, Src: netip.MustParseAddrPort("[fd00::a5]:1234"), Dst: netip.MustParseAddrPort("[fd00::1]:4000"),
			Payload: []byte(`{"temperature":12.5,"name":"x"}`), Told: json.RawMessage(`{"kind":"text"}`),
		}
		if err := l.Publish(r); err != nil {
			t.Fatal(err)
		}
		id, also := r.IDs()
		p, _ := c.Await("raw", 0, on("/node/"+nodeMAC+"/rx/4000", string(r.Payload)))
		for key, want := range map[string]string{"src": r.Src.String(), "dst": r.Dst.String(), "ts": "60000500", "gw": macA, "id": id, "also": also} {
			if got := p.Properties.User.Get(key); got != want || got == "" {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
		if p.Retain || p.Properties.MessageExpiry == nil {
			t.Errorf("%+v", p)
		}
		p, _ = c.Await("twin", 0, func(p *paho.Publish) bool { return p.Topic == prefix+"/node/"+nodeMAC+"/json/4000" })
		var v map[string]any
		if err := json.Unmarshal(p.Payload, &v); err != nil || v["id"] != id || v["also"] != also || v["text"] != string(r.Payload) || v["gw"] != macA ||
			v["pycom"].(map[string]any)["kind"] != "text" || p.Properties.ContentType != jsonType {
			t.Errorf("%s, %v", p.Payload, err)
		}
		c.Await("a sensor", 0, func(p *paho.Publish) bool {
			return strings.HasPrefix(p.Topic, discoveryPrefix) && strings.Contains(string(p.Payload), "p4000_temperature") && !strings.Contains(string(p.Payload), "p4000_name")
		})
		r.Payload, r.Outside = []byte{0xff}, true
		if err := l.Publish(r); err != nil {
			t.Fatal(err)
		}
		c.Await("to the world", 0, on("/node/"+nodeMAC+"/ext/4000", "\xff"))
		c.Await("in base64", 0, func(p *paho.Publish) bool { return strings.Contains(string(p.Payload), `"base64":"/w=="`) })
		l.Event(time.Now(), map[string]string{"kind": "mesh"})
		c.Await("an event", 0, on("/gw/"+macA+"/event", `{"kind":"mesh"}`))
	})
}

// TestUnspooled: what the disk does not take goes to a broker that is there, and is counted as lost where none is.
func TestUnspooled(t *testing.T) {
	b, err := broker.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	gate := brokertest.NewGate(t, strings.TrimPrefix(b.URL(), "mqtt://"))
	c := brokertest.Connect(t, b.URL(), "watch", nil, "#")
	l := linkTo(t, gate.URL(), macA, nil)
	c.Await("online", 0, on("/gw/"+macA+"/state", "online"))
	at := netip.MustParseAddrPort("[fd00::1]:1234")
	r := Reading{Time: time.Now(), Node: nodeMAC, Src: at, Dst: at, Payload: bytes.Repeat([]byte{'x'}, spool.MaxRecord)} // as a full disk refuses it
	if err := l.Publish(r); !errors.Is(err, spool.ErrTooLong) {
		t.Errorf("%v", err)
	}
	c.Await("the reading", 0, func(p *paho.Publish) bool {
		return p.Topic == prefix+"/node/"+nodeMAC+"/rx/1234" && len(p.Payload) == len(r.Payload)
	})
	_, n := c.Await("its twin", 0, func(p *paho.Publish) bool { return p.Topic == prefix+"/node/"+nodeMAC+"/json/1234" })
	gate.Shut()
	c.Await("the will", n, on("/gw/"+macA+"/state", "offline"))
	for late := time.Now().Add(30 * time.Second); l.Connected() && time.Now().Before(late); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := l.Publish(r); !errors.Is(err, spool.ErrTooLong) {
		t.Errorf("%v", err)
	}
	if got := l.Counts(); got["out unspooled"] != 1 || got["out lost"] != 1 {
		t.Errorf("%v", got)
	}
}

// TestDown sends what is for nodes, and what is not allowed.
func TestDown(t *testing.T) {
	brokers(t, func(t *testing.T, address string) {
		var mu sync.Mutex
		got := map[string][]Message{}
		take := func(mac string) func(*Options) {
			return func(o *Options) {
				o.Down = func(m Message) {
					mu.Lock()
					got[mac] = append(got[mac], m)
					mu.Unlock()
					m.Result("queued")
					m.Result("delivered")
				}
			}
		}
		c := brokertest.Connect(t, "mqtt://"+address, "watch", nil, "answers/+", prefix+"/gw/+/state", prefix+"/gw/+/response/+")
		linkTo(t, "mqtt://"+address, macA, take(macA))
		linkTo(t, "mqtt://"+address, macB, take(macB))
		c.Await("A", 0, on("/gw/"+macA+"/state", "online"))
		c.Await("B", 0, on("/gw/"+macB+"/state", "online"))

		seconds := uint32(60)
		send := func(i int, topic, payload string, retain bool) {
			c.Publish(&paho.Publish{Topic: prefix + topic, Payload: []byte(payload), Retain: retain, Properties: &paho.PublishProperties{
				ResponseTopic: fmt.Sprintf("answers/%d", i), CorrelationData: []byte{byte(i)}, MessageExpiry: &seconds,
			}})
		}
		const n = 10
		for i := range n {
			send(i, "/node/"+nodeMAC+"/text", fmt.Sprintf("text %d", i), false)
			p, _ := c.Await("delivered", 0, func(p *paho.Publish) bool {
				return p.Topic == fmt.Sprintf("answers/%d", i) && string(p.Payload) == "delivered"
			})
			if string(p.Properties.CorrelationData) != string([]byte{byte(i)}) {
				t.Errorf("%d: %+v", i, p)
			}
		}
		send(n, "/node/"+nodeMAC+"/tx/4000", "x", false)
		send(n+1, "/node/"+nodeMAC+"/tx/5000", strings.Repeat("x", downMax+1), false)
		for i, want := range map[int]string{n: "refused: port", n + 1: "refused: too long"} {
			c.Await(want, 0, func(p *paho.Publish) bool {
				return p.Topic == fmt.Sprintf("answers/%d", i) && string(p.Payload) == want
			})
		}
		c.Publish(&paho.Publish{Topic: prefix + "/node/zz/tx/5000", Payload: []byte("x")})
		c.Publish(&paho.Publish{Topic: prefix + "/gw/" + macA + "/request/ping", Payload: []byte(`{}`)})
		c.Await("an answer", 0, on("/gw/"+macA+"/response/ping", `{"ok":true,"result":"ping {}"}`))
		c.Publish(&paho.Publish{Topic: prefix + "/gw/" + macB + "/request/fail"})
		c.Await("an error", 0, on("/gw/"+macB+"/response/fail", `{"ok":false,"error":"no way"}`))
		mu.Lock()
		defer mu.Unlock()
		if len(got[macA])+len(got[macB]) != n {
			t.Errorf("%d and %d messages, want %d in all", len(got[macA]), len(got[macB]), n)
		}
		for _, m := range append(got[macA], got[macB]...) {
			if left := time.Until(m.Expires); !m.Text || m.Port != TextPort || m.Node != nodeMAC || left < 30*time.Second || left > time.Minute {
				t.Errorf("%+v", m)
			}
		}
	})
}

// TestNoDownlink has a gateway that takes nothing.
func TestNoDownlink(t *testing.T) {
	brokers(t, func(t *testing.T, address string) {
		c := brokertest.Connect(t, "mqtt://"+address, "watch", nil, "answers", prefix+"/gw/+/state")
		linkTo(t, "mqtt://"+address, macA, func(o *Options) {
			o.Ports, o.Ask = nil, nil
			o.Down = func(m Message) { t.Errorf("%+v", m) }
		})
		c.Await("A", 0, on("/gw/"+macA+"/state", "online"))
		for _, topic := range []string{"/node/" + nodeMAC + "/text", "/node/" + nodeMAC + "/tx/1234", "/gw/" + macA + "/request/ping"} {
			c.Publish(&paho.Publish{Topic: prefix + topic, Payload: []byte("x"), Properties: &paho.PublishProperties{ResponseTopic: "answers"}})
		}
		c.Publish(&paho.Publish{Topic: "answers", Payload: []byte("the end")})
		if p, _ := c.Await("an answer", 0, func(p *paho.Publish) bool { return p.Topic == "answers" }); string(p.Payload) != "the end" {
			t.Errorf("%s", p.Payload)
		}
	})
}

// TestTwoOpinions has one gateway lose a node that the other one hears.
func TestTwoOpinions(t *testing.T) {
	brokers(t, func(t *testing.T, address string) {
		c := brokertest.Connect(t, "mqtt://"+address, "watch", nil, "#")
		a, b := linkTo(t, "mqtt://"+address, macA, nil), linkTo(t, "mqtt://"+address, macB, nil)
		c.Await("A", 0, on("/gw/"+macA+"/state", "online"))
		c.Await("B", 0, on("/gw/"+macB+"/state", "online"))
		a.Node(nodeMAC, true, nil)
		_, n := c.Await("online", 0, on("/node/"+nodeMAC+"/availability", "online"))
		b.Node(nodeMAC, false, nil)
		_, n = c.Await("offline", n, on("/node/"+nodeMAC+"/availability", "offline"))
		_, n = c.Await("online all the same", n, on("/node/"+nodeMAC+"/availability", "online"))
		a.Node(nodeMAC, false, nil)
		c.Await("offline to both", n+1, on("/node/"+nodeMAC+"/availability", "offline"))
	})
}

// FuzzReceived has messages of all kinds come from a broker.
func FuzzReceived(f *testing.F) {
	for _, topic := range []string{"/node/" + nodeMAC + "/tx/5000", "/node/" + nodeMAC + "/text", "/node/" + nodeMAC + "/availability", "/gw/" + macA + "/request/ping"} {
		f.Add(prefix+topic, []byte(`{"node":"0005"}`), "answers", []byte("1"), uint32(60), false)
	}
	f.Fuzz(func(t *testing.T, topic string, payload []byte, response string, data []byte, seconds uint32, retain bool) {
		l := &Link{
			opt:      Options{Prefix: prefix, Gateway: macA, Ports: []uint16{1234, 5000}, Now: time.Now, HomeAssistant: true},
			retained: map[string]kept{}, counts: map[string]uint64{}, outs: make(chan struct{}), asks: make(chan struct{}), unsaid: make(chan struct{}, 1),
		}
		l.opt.Down = func(m Message) {
			if len(m.Payload) > downMax || !isMAC(m.Node) || retain || m.Port != 1234 && m.Port != 5000 {
				t.Errorf("%+v", m)
			}
			m.Result("queued")
		}
		p := &paho.Publish{Topic: topic, Payload: payload, Retain: retain, Properties: &paho.PublishProperties{
			ResponseTopic: response, CorrelationData: data, MessageExpiry: &seconds,
		}}
		if _, err := l.received(paho.PublishReceived{Packet: p}); err != nil {
			t.Error(err)
		}
		if topic, _ := l.response(p); strings.HasPrefix(topic, prefix+"/node/") {
			t.Errorf("an answer to %q", topic)
		}
	})
}
