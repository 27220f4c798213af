package dhcp

import (
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/dhcp6"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
)

var start = time.Unix(1000, 0)

func newCore(i byte) *core.Core {
	c := core.New(rand.NewChaCha8([32]byte{i}), slog.New(slog.DiscardHandler), ieee802154.ExtAddr{0x70, 7: i})
	c.Now = start
	return c
}

var one, two = netip.MustParsePrefix("2001::/64"), netip.MustParsePrefix("2002::/64")

// due lets time pass until a Solicit is due.
func due(t *testing.T, k *Client) (mle.RLOC16, []byte) {
	t.Helper()
	at, ok := k.NextTimeout()
	if !ok {
		t.Fatal("no Solicit")
	}
	if at.After(k.core.Now) {
		k.core.Now = at
	}
	agent, message, ok := k.PollSolicit()
	if !ok {
		t.Fatal("no Solicit")
	}
	return agent, message
}

// One exchange for the prefixes of one agent, one for each agent.
func TestExchange(t *testing.T) {
	client, server := newCore(1), newCore(2)
	k := NewClient(client, time.Second)
	k.Update([]Prefix{{one, 0x0400}, {two, 0x0800}, {netip.MustParsePrefix("2003::/64"), 0x0400}})
	agent, solicit := due(t, k)
	m, err := dhcp6.ParseMessage(solicit)
	if err != nil || agent != 0x0400 || len(m.Addresses) != 2 || m.Client != client.Ext || !k.Waiting() {
		t.Fatalf("to %v: %+v, %v", agent, m, err)
	}
	reply, ok := Answer(server, solicit, []netip.Prefix{one, netip.MustParsePrefix("2003::/64"), netip.MustParsePrefix("2004::/64")})
	if !ok || !k.HandleReply(reply) || k.HandleReply(reply) {
		t.Fatalf("%x", reply)
	}
	if a := k.Addresses(); len(a) != 2 || a[0].Addr != netip.MustParseAddr("2001::7200:0:0:1") || !a[0].Preferred {
		t.Errorf("%v", a)
	}
	agent, solicit = due(t, k)
	reply, _ = Answer(server, solicit, []netip.Prefix{two})
	if agent != 0x0800 || !k.HandleReply(reply) || len(k.Addresses()) != 3 || k.Waiting() {
		t.Errorf("from %v: %v", agent, k.Addresses())
	}
	if _, ok := k.NextTimeout(); ok {
		t.Error("it asks on")
	}
	if !k.Update([]Prefix{{two, 0x0800}}) || len(k.Addresses()) != 1 || k.Update([]Prefix{{two, 0x0c00}}) {
		t.Errorf("%v", k.Addresses())
	}
	if !k.Forget(k.Addresses()[0].Addr) || k.Forget(netip.MustParseAddr("2002::1")) || len(k.Addresses()) != 0 {
		t.Errorf("%v", k.Addresses())
	}
	if _, ok := k.NextTimeout(); ok {
		t.Error("it asks for the same address again")
	}
}

// Without an answer the pauses double, up to two minutes; another agent has a request of its own.
func TestPauses(t *testing.T) {
	c := newCore(1)
	k := NewClient(c, time.Second)
	k.Update([]Prefix{{one, 0x0400}})
	var last time.Time
	for i, want := range []time.Duration{0, 1, 2, 4, 8, 16, 32, 64, 120, 120} {
		due(t, k)
		if i > 0 && c.Now.Sub(last) != want*time.Second {
			t.Errorf("pause %d: %v", i, c.Now.Sub(last))
		}
		last = c.Now
	}
	id := k.id
	k.Update([]Prefix{{one, 0x0800}})
	if agent, _ := due(t, k); agent != 0x0800 || k.id == id {
		t.Errorf("%v", agent)
	}
	k.Update(nil)
	if _, ok := k.NextTimeout(); ok || k.Waiting() {
		t.Error("it asks for nothing")
	}
}

func TestRefusals(t *testing.T) {
	client, server := newCore(1), newCore(2)
	k := NewClient(client, time.Second)
	k.Update([]Prefix{{one, 0x0400}, {netip.MustParsePrefix("2001:db8::/48"), 0x0400}})
	_, solicit := due(t, k)
	reply, _ := Answer(server, solicit, []netip.Prefix{one})
	for name, change := range map[string]func(*dhcp6.Message){
		"type":        func(m *dhcp6.Message) { m.Type = dhcp6.Solicit },
		"transaction": func(m *dhcp6.Message) { m.TransactionID[0]++ },
		"client":      func(m *dhcp6.Message) { m.Client[0]++ },
		"status":      func(m *dhcp6.Message) { m.Failed = true },
		"two steps":   func(m *dhcp6.Message) { m.RapidCommit = false },
		"prefix":      func(m *dhcp6.Message) { m.Addresses[0].Addr = netip.MustParseAddr("2002::1") },
		"lifetime":    func(m *dhcp6.Message) { m.Addresses[0].Valid = 0 },
	} {
		m, _ := dhcp6.ParseMessage(reply)
		change(&m)
		b, _ := m.AppendBinary(nil)
		if k.HandleReply(b) {
			t.Errorf("%s: %v", name, k.Addresses())
		}
	}
	for name, change := range map[string]func(*dhcp6.Message){
		"type":      func(m *dhcp6.Message) { m.Type = dhcp6.Reply },
		"no client": func(m *dhcp6.Message) { m.Client = ieee802154.ExtAddr{} },
		"a server":  func(m *dhcp6.Message) { m.Server[0] = 1 },
		"two steps": func(m *dhcp6.Message) { m.RapidCommit = false },
		"no IA_NA":  func(m *dhcp6.Message) { m.HasIANA = false },
	} {
		m, _ := dhcp6.ParseMessage(solicit)
		change(&m)
		b, _ := m.AppendBinary(nil)
		if r, ok := Answer(server, b, []netip.Prefix{one}); ok {
			t.Errorf("%s: %x", name, r)
		}
	}
	if _, ok := Answer(server, []byte{1}, nil); ok || k.HandleReply(nil) {
		t.Error("half a message")
	}
}
