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
	up := make(chan bool, 100)
	l, err := Start(context.Background(), q, Options{
		URL: b.URL(), Prefix: "pymesh/test", Gateway: "0011223344556677", Rate: 1000, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Down: func(Message) {}, State: func(c bool) { up <- c },
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
	deadline := time.Now().Add(60 * time.Second)
	for {
		mu.Lock()
		got := len(seen)
		mu.Unlock()
		if got == n {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d have come; %+v", got, n, q.Stats())
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	_ = b.Close()
}

func TestID(t *testing.T) {
	r := Reading{Time: time.Unix(6000, 0), Node: "05", Src: netip.MustParseAddrPort("[fd00::5]:1234"), Dst: netip.MustParseAddrPort("[fd00::1]:4000"), Payload: []byte("x")}
	o := r
	o.Time = time.Unix(6059, 0)
	o.Dst = netip.MustParseAddrPort("[fd00::2]:4000") // another gateway
	if r.ID() != o.ID() {
		t.Error("two gateways make two ids")
	}
	o.Payload = []byte("y")
	if r.ID() == o.ID() {
		t.Error("one id for two readings")
	}
}

func FuzzParseDown(f *testing.F) {
	f.Add("pymesh/mesh/node/0011223344556677/tx/1234")
	f.Fuzz(func(t *testing.T, topic string) {
		if mac, port, err := ParseDown("pymesh/mesh", topic); err == nil && (len(mac) != 16 || port == 0) {
			t.Errorf("%q: %q %d", topic, mac, port)
		}
	})
}
