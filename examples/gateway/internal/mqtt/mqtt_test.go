package mqtt

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/gopymesh/pymesh/examples/gateway/internal/broker"
	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

// TestOutage has the broker away while readings come: none is lost, and equal ones have equal ids.
func TestOutage(t *testing.T) {
	b, err := broker.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(b.URL(), "mqtt://")
	q, err := spool.Open(t.TempDir(), spool.Options{})
	if err != nil {
		t.Fatal(err)
	}
	l, err := Start(context.Background(), q, Options{
		URL: b.URL(), Prefix: "pymesh/test", Gateway: "0011223344556677", Rate: 1000, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Down: func(Message) {}, backoff: func(int) time.Duration { return 50 * time.Millisecond },
	})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	seen := map[string]int{}
	take := func(_ *mochi.Client, _ packets.Subscription, p packets.Packet) {
		mu.Lock()
		defer mu.Unlock()
		seen[string(p.Payload)]++
	}
	if err := b.Server().Subscribe("pymesh/test/node/+/rx/+", 1, take); err != nil {
		t.Fatal(err)
	}
	const n = 60
	for i := range n {
		if i == n/2 {
			_ = b.Close()
		}
		r := Reading{
			Time: time.Unix(1000, 0), Node: "0000000000000005", Src: netip.MustParseAddrPort("[fd00::5]:1234"), Dst: netip.MustParseAddrPort("[fd00::1]:4000"),
			Payload: fmt.Appendf(nil, "reading %d", i),
		}
		if err := l.Publish(r); err != nil {
			t.Fatal(err)
		}
	}
	if b, err = broker.Start(address); err != nil {
		t.Fatal(err)
	}
	if err := b.Server().Subscribe("pymesh/test/node/+/rx/+", 2, take); err != nil {
		t.Fatal(err)
	}
	count := func() int { mu.Lock(); defer mu.Unlock(); return len(seen) }
	for deadline := time.Now().Add(60 * time.Second); count() < n; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d have come; %+v", count(), n, q.Stats())
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	_ = b.Close()
}

// TestIDs has two gateways hear of a reading at times that are not quite the same.
func TestIDs(t *testing.T) {
	r := Reading{Node: "05", Src: netip.MustParseAddrPort("[fd00::5]:1234"), Dst: netip.MustParseAddrPort("[ff03::1]:4000"), Payload: []byte("x")}
	for second := range 120 {
		r.Time = time.Unix(6000+int64(second), 0)
		id, also := r.IDs()
		o := r
		o.Node, o.Dst = "ip-fd00--5", netip.MustParseAddrPort("[fd00::2]:4000") // who has not learned the MAC address yet
		for late := range 20 {
			o.Time = r.Time.Add(time.Duration(late) * time.Second)
			if id2, also2 := o.IDs(); id2 != id && also2 != id {
				t.Errorf("at %d s, and %d s later: %s %s, %s %s", second, late, id, also, id2, also2)
			}
		}
		o = r
		o.Payload = []byte("y")
		if id2, also2 := o.IDs(); id2 == id || also2 == id || also2 != "" && also2 == also {
			t.Error("one id for two readings")
		}
	}
}

func TestParseDown(t *testing.T) {
	const p, mac = "pymesh/mesh", "0011223344556677"
	for topic, want := range map[string]Down{
		p + "/node/0011223344556678/tx/1234":    {Kind: DownDatagram, Node: "0011223344556678", Port: 1234},
		p + "/node/0011223344556678/text":       {Kind: DownText, Node: "0011223344556678", Port: TextPort},
		p + "/node/ip-fd00--5/availability":     {Kind: DownAvailability, Node: "ip-fd00--5"},
		p + "/gw/0011223344556677/request/ping": {Kind: DownRequest, Verb: "ping"},
		"homeassistant/status":                  {Kind: DownBirth},
		p + "/gw/0011223344556678/request/ping": {}, // of another gateway
		p + "/node/0011223344556678/tx/0":       {},
		p + "/node/0011223344556678/tx/65536":   {},
		p + "/node/0011223344556678/tx/1/2":     {},
		p + "/node/001122334455667/tx/1":        {},
		p + "/node/00112233445566AA/tx/1":       {},
		p + "/node//tx/1":                       {},
		p + "/node/0011223344556678/rx/1":       {},
		"other/node/0011223344556678/tx/1":      {},
		"":                                      {},
	} {
		got, err := ParseDown(p, mac, topic)
		if got != want || (err == nil) != (want != Down{}) {
			t.Errorf("%q: %+v, %v", topic, got, err)
		}
	}
}

func FuzzParseDown(f *testing.F) {
	const p, mac = "pymesh/mesh", "0011223344556677"
	for _, topic := range []string{p + "/node/0011223344556678/tx/1234", p + "/node/x/availability", p + "/gw/" + mac + "/request/ping", birthTopic} {
		f.Add(topic)
	}
	f.Fuzz(func(t *testing.T, topic string) {
		d, err := ParseDown(p, mac, topic)
		if err == nil && (d.Kind == DownDatagram || d.Kind == DownText) && (len(d.Node) != 16 || d.Port == 0) || err == nil && strings.Contains(d.Node+d.Verb, "/") {
			t.Errorf("%q: %+v", topic, d)
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(`{"ts":1000,"id":"ab","node":"0011223344556677","src":"[fd00::5]:1234","dst":"[fd00::1]:4000","payload":"eA=="}`))
	f.Add([]byte(`{"ts":1000,"src":"","dst":"","event":{"kind":"mesh"}}`))
	l := &Link{opt: Options{Prefix: "p/m", Gateway: "0011223344556677"}}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRecord(b)
		if err != nil {
			return
		}
		for _, m := range l.messages(r) {
			if strings.ContainsAny(m.Topic, "+#") || strings.Count(m.Topic, "/") > 5 {
				t.Errorf("topic %q", m.Topic)
			}
		}
	})
}

func FuzzNumbers(f *testing.F) {
	f.Add([]byte(`{"temperature":12.5,"battery":3.3,"name":"x","a b":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, name := range numbers(b) {
			if !fieldName.MatchString(name) {
				t.Errorf("%q", name)
			}
		}
	})
}
