// Package brokertest runs Debian's mosquitto for tests, and a client that remembers what it has heard.
package brokertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.golang/autopaho"
	"github.com/eclipse/paho.golang/paho"
)

// Mosquitto is a running mosquitto.
type Mosquitto struct {
	Address string
	Log     string // file
	t       testing.TB
	conf    string
	cmd     *exec.Cmd
	done    chan struct{}
}

// Start runs mosquitto at a free port of loopback, or skips the test where it is not installed. What is in conf is added to its configuration; it
// has a line for the listener, and one that lets everybody in unless conf says otherwise.
func Start(t testing.TB, conf string) *Mosquitto {
	t.Helper()
	if _, err := exec.LookPath(program()); err != nil {
		t.Skip("skipped: no mosquitto (Debian's package mosquitto)")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &Mosquitto{Address: l.Addr().String(), t: t}
	_ = l.Close()
	dir, err := os.MkdirTemp("", "mosquitto-") // not t.TempDir: where tests run as root, mosquitto becomes another user
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	_, port, _ := net.SplitHostPort(m.Address)
	m.Log, m.conf = filepath.Join(dir, "log"), filepath.Join(dir, "conf")
	text := fmt.Sprintf("user root\nlistener %s 127.0.0.1\npersistence true\npersistence_location %s/\nlog_dest file %s\nmax_queued_messages 0\n%s\n", port, dir, m.Log, conf)
	if err := os.WriteFile(m.conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	m.Run()
	t.Cleanup(func() { m.Kill() })
	return m
}

// program finds mosquitto, which Debian installs where users have no path.
func program() string {
	if _, err := os.Stat("/usr/sbin/mosquitto"); err == nil {
		return "/usr/sbin/mosquitto"
	}
	return "mosquitto"
}

// Run starts it again after a Kill.
func (m *Mosquitto) Run() {
	m.t.Helper()
	m.cmd = exec.Command(program(), "-c", m.conf)
	if err := m.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) { defer close(done); _ = cmd.Wait() }(m.cmd, m.done)
	for range 500 {
		if c, err := net.Dial("tcp", m.Address); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-m.done:
			log, _ := os.ReadFile(m.Log)
			m.t.Fatalf("mosquitto has ended: %s", log)
		case <-time.After(10 * time.Millisecond):
		}
	}
	m.t.Fatal("mosquitto does not listen")
}

// Kill ends it as a crash does.
func (m *Mosquitto) Kill() {
	_ = m.cmd.Process.Kill()
	<-m.done
}

// PID is its process.
func (m *Mosquitto) PID() int { return m.cmd.Process.Pid }

// URL is where clients connect to.
func (m *Mosquitto) URL() string { return "mqtt://" + m.Address }

// Client is one that remembers.
type Client struct {
	t      testing.TB
	cm     *autopaho.ConnectionManager
	cancel context.CancelFunc

	mu    sync.Mutex
	heard []*paho.Publish
	more  chan struct{}
}

// Connect connects a client and subscribes it to topics. Hear, if it is not nil, gets what comes instead of the memory.
func Connect(t testing.TB, broker, id string, hear func(*paho.Publish), topics ...string) *Client {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	c := &Client{t: t, more: make(chan struct{}, 1)}
	if hear == nil {
		hear = c.remember
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel = cancel
	ready := make(chan error, 100)
	cfg := autopaho.ClientConfig{
		ServerUrls: []*url.URL{u}, KeepAlive: 30, CleanStartOnInitialConnection: false, SessionExpiryInterval: 3600,
		ReconnectBackoff: autopaho.NewConstantBackoff(20 * time.Millisecond),
		ConnectPacketBuilder: func(c *paho.Connect, _ *url.URL) (*paho.Connect, error) {
			if c.Properties == nil {
				c.Properties = &paho.ConnectProperties{}
			}
			c.Properties.RequestProblemInfo = true // else mochi leaves the user properties out
			return c, nil
		},
		OnConnectionUp: func(cm *autopaho.ConnectionManager, _ *paho.Connack) {
			s := &paho.Subscribe{}
			for _, topic := range topics {
				s.Subscriptions = append(s.Subscriptions, paho.SubscribeOptions{Topic: topic, QoS: 1})
			}
			if len(topics) == 0 {
				ready <- nil
				return
			}
			go func() { _, err := cm.Subscribe(ctx, s); ready <- err }()
		},
		ClientConfig: paho.ClientConfig{
			ClientID: id,
			OnPublishReceived: []func(paho.PublishReceived) (bool, error){func(p paho.PublishReceived) (bool, error) {
				hear(p.Packet)
				return true, nil
			}},
		},
	}
	if c.cm, err = autopaho.NewConnection(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	select {
	case err := <-ready:
		if err != nil {
			t.Fatal(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no connection to the broker")
	}
	return c
}

func (c *Client) remember(p *paho.Publish) {
	c.mu.Lock()
	c.heard = append(c.heard, p)
	c.mu.Unlock()
	select {
	case c.more <- struct{}{}:
	default:
	}
}

// Close disconnects.
func (c *Client) Close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = c.cm.Disconnect(ctx)
	c.cancel()
	<-c.cm.Done()
}

// Heard returns all that has come.
func (c *Client) Heard() []*paho.Publish {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*paho.Publish{}, c.heard...)
}

// Await returns the first message after the first skip ones that is wanted, and its number.
func (c *Client) Await(what string, skip int, want func(*paho.Publish) bool) (*paho.Publish, int) {
	c.t.Helper()
	late := time.After(20 * time.Second)
	for {
		for i, p := range c.Heard()[skip:] {
			if want(p) {
				return p, skip + i
			}
		}
		select {
		case <-c.more:
		case <-late:
			for _, p := range c.Heard() {
				c.t.Logf("has come: %s %.100s", p.Topic, p.Payload)
			}
			c.t.Fatalf("%s: nothing has come", what)
		}
	}
}

// Publish publishes a message with QoS 1.
func (c *Client) Publish(p *paho.Publish) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	p.QoS = 1
	if err := c.cm.AwaitConnection(ctx); err != nil {
		c.t.Fatal(err)
	}
	if _, err := c.cm.Publish(ctx, p); err != nil {
		c.t.Fatal(err)
	}
}

// Gate is a door in front of a broker, which a test can close.
type Gate struct {
	Address string
	to      string
	l       net.Listener
	mu      sync.Mutex
	open    bool
	conns   map[net.Conn]struct{}
}

// NewGate opens a gate to an address.
func NewGate(t testing.TB, to string) *Gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &Gate{Address: l.Addr().String(), to: to, l: l, open: true, conns: map[net.Conn]struct{}{}}
	go g.serve()
	t.Cleanup(func() { _ = l.Close(); g.Shut() })
	return g
}

// URL is where clients connect to.
func (g *Gate) URL() string { return "mqtt://" + g.Address }

func (g *Gate) serve() {
	for {
		c, err := g.l.Accept()
		if err != nil {
			return
		}
		go g.pass(c)
	}
}

func (g *Gate) pass(c net.Conn) {
	defer c.Close()
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	if !open {
		return
	}
	b, err := net.Dial("tcp", g.to)
	if err != nil {
		return
	}
	defer b.Close()
	g.mu.Lock()
	g.conns[c], g.conns[b] = struct{}{}, struct{}{}
	g.mu.Unlock()
	done := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{c, b}, {b, c}} {
		go func() { _, _ = io.Copy(way[0], way[1]); done <- struct{}{} }()
	}
	<-done
	g.mu.Lock()
	delete(g.conns, c)
	delete(g.conns, b)
	g.mu.Unlock()
}

// Shut cuts all connections, as a cable that is pulled, and lets none through.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = false
	for c := range g.conns {
		_ = c.Close()
	}
}

// Open lets connections through again.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
}
