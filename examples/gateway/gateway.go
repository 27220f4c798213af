package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/examples/gateway/internal/control"
	"github.com/gopymesh/pymesh/examples/gateway/internal/metrics"
	"github.com/gopymesh/pymesh/examples/gateway/internal/mqtt"
	"github.com/gopymesh/pymesh/examples/gateway/internal/pycom"
	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
	"github.com/gopymesh/pymesh/examples/gateway/internal/view"
	"github.com/gopymesh/pymesh/examples/gateway/internal/web"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/transceiver"
	"github.com/gopymesh/pymesh/netif"
)

// gateway is a node and all that is around it.
type gateway struct {
	cfg   config
	log   *slog.Logger
	node  *pymesh.Node
	radio lora.Radio
	clock lora.Clock
	view  *view.View
	mapper
	sender
	doorman doorman
	agent   *borderAgent

	queue   *spool.Queue
	passing string // the queue's directory, if it goes with the gateway
	broker  *mqtt.Link
	host    *netif.Interface
	web     *web.Server
	numbers *metrics.Metrics
	control *control.Server
	sockets map[uint16]*pymesh.UDPConn

	roleChanges, partitions atomic.Uint64
	attached                atomic.Int64 // Unix time in seconds
	roleChanged             chan struct{}
	wg                      sync.WaitGroup
}

// newGateway starts all parts on a node. Close ends them, not the node.
func newGateway(ctx context.Context, cfg config, node *pymesh.Node, radio lora.Radio, log *slog.Logger) (*gateway, error) {
	g := &gateway{
		cfg: cfg, log: log, node: node, radio: radio, clock: lora.ClockOf(radio), view: view.New(),
		sockets: map[uint16]*pymesh.UDPConn{}, roleChanged: make(chan struct{}, 1),
	}
	g.numbers = metrics.New(g.metrics)
	g.mapper.init(g)
	g.sender.init(g)
	g.doorman.init(g)
	for _, start := range []func(context.Context) error{g.listen, g.startBroker, g.startHost, g.startWeb, g.startControl, g.startBorderAgent} {
		if err := start(ctx); err != nil {
			return nil, errors.Join(err, g.close())
		}
	}
	for port, s := range g.sockets { // now that all is there that they speak to
		g.wg.Go(func() { g.receive(s, port) })
	}
	return g, nil
}

// run lets the gateway live until ctx ends, or the node or the interface does.
func (g *gateway) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var parts sync.WaitGroup // those that ctx ends; those that close ends are in g.wg
	defer func() { cancel(); parts.Wait() }()
	events := g.node.Events(ctx)
	parts.Go(func() { g.follow(events) })
	parts.Go(func() { g.watch(ctx) })
	parts.Go(func() { g.walk(ctx) })
	parts.Go(func() { g.tell(ctx) })
	parts.Go(func() { g.doorman.admit(ctx) })
	parts.Go(func() { g.agent.run(ctx) })
	for range carriers {
		parts.Go(func() { g.carry(ctx) })
	}
	var host <-chan struct{}
	if g.host != nil {
		host = g.host.Done()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-host:
			if err := g.host.Err(); err != nil {
				return err
			}
			host = nil
		case <-tick.C:
			if err := g.node.Err(); err != nil {
				return err
			}
		}
	}
}

func (g *gateway) close() error {
	var errs []error
	if g.control != nil {
		errs = append(errs, g.control.Close())
	}
	if g.web != nil {
		errs = append(errs, g.web.Close())
	}
	if g.host != nil {
		errs = append(errs, g.host.Close())
	}
	errs = append(errs, g.agent.close())
	for _, s := range g.sockets {
		errs = append(errs, s.Close())
	}
	g.wg.Wait()
	if g.broker != nil {
		errs = append(errs, g.broker.Close())
	} else if g.queue != nil {
		errs = append(errs, g.queue.Close())
	}
	if g.passing != "" {
		errs = append(errs, os.RemoveAll(g.passing))
	}
	return errors.Join(errs...)
}

// listen opens a socket for each port, and hears what leaves the mesh by this node.
func (g *gateway) listen(context.Context) error {
	for _, p := range g.cfg.Mesh.Ports {
		port := uint16(p)
		if _, twice := g.sockets[port]; twice {
			continue
		}
		s, err := g.node.ListenUDP(netip.AddrPortFrom(netip.IPv6Unspecified(), port))
		if err != nil {
			return fmt.Errorf("port %d: %w", port, err)
		}
		if err := s.SetErrorQueue(true); err != nil {
			return err
		}
		g.sockets[port] = s
	}
	return nil
}

// receive takes datagrams of a socket until it is closed.
func (g *gateway) receive(s *pymesh.UDPConn, port uint16) {
	buf := make([]byte, pymesh.MaxDatagramSize)
	for {
		n, m, err := s.ReadMsg(buf)
		switch {
		case err == nil:
			g.arrived(s, m, port, bytes.Clone(buf[:n]))
		case closed(err):
			return
		default: // of a datagram that was sent
			g.hearErrors(s)
		}
	}
}

// arrived is a datagram of a node.
func (g *gateway) arrived(s *pymesh.UDPConn, m pymesh.Message, port uint16, payload []byte) {
	if g.relayed(m.From, payload) {
		return
	}
	r := g.reading(m.From, netip.AddrPortFrom(m.To, port), payload)
	if port == pycom.Port {
		r.Told = g.library(s, m.From, payload)
	}
	g.publish(r)
}

// reading is what a node has sent, now.
func (g *gateway) reading(from, to netip.AddrPort, payload []byte) mqtt.Reading {
	return mqtt.Reading{Time: time.Now(), Node: g.nodeOf(from.Addr()), Src: from, Dst: to, Payload: payload}
}

// publish shows a reading, and gives it to the broker.
func (g *gateway) publish(r mqtt.Reading) {
	if r.Told == nil || r.Outside {
		g.happened("message", fmt.Sprintf("%s → port %d: %s", short(r.Node), r.Dst.Port(), printable(r.Payload)))
	}
	if g.broker == nil {
		return
	}
	if err := g.broker.Publish(r); err != nil {
		g.happened("problem", "spool: "+err.Error())
	}
}

// happened notes an event for the page, the broker and the log.
func (g *gateway) happened(kind, text string) {
	e := view.Event{Time: time.Now().UnixMilli(), Kind: kind, Text: text}
	g.view.Happened(e)
	if g.broker != nil && kind != "message" {
		g.broker.Event(time.Now(), e)
	}
	level := slog.LevelDebug
	if kind == "problem" {
		level = slog.LevelWarn
	}
	g.log.Log(context.Background(), level, text, "kind", kind)
}

// follow tells of the node's events.
func (g *gateway) follow(events <-chan pymesh.Event) {
	for e := range events {
		switch e.Type {
		case pymesh.EventState:
			g.became(e.State)
		case pymesh.EventPartition:
			g.partitions.Add(1)
			g.happened("mesh", fmt.Sprintf("partition %08x", e.PartitionID))
		case pymesh.EventNeighborAdded, pymesh.EventNeighborRemoved:
			g.happened("node", e.String())
		default:
			g.log.Debug("event", "event", e)
		}
	}
}

// startHost gives the host an interface, if that is wanted. Without one a border router hears what leaves the mesh itself.
func (g *gateway) startHost(ctx context.Context) error {
	border, err := g.cfg.border()
	if err != nil {
		return err
	}
	if g.cfg.Host.Interface == "" {
		if border == nil {
			return nil
		}
		if !border.Prefix.IsValid() {
			border.Prefix = netif.LocalPrefix(g.node.MAC(), g.node.Network().ExtPANID)
		}
		g.node.OnForward(g.outside)
		return g.node.BorderRouter(border.Prefix, border.Preference)
	}
	o := netif.Options{
		Name: g.cfg.Host.Interface, TCP: g.cfg.Host.TCP, Share: g.cfg.Host.Share, BorderRouter: border, Logger: g.log.With("part", "host"),
	}
	if o.Routes, err = g.cfg.routes(); err != nil {
		return err
	}
	g.host, err = netif.Up(ctx, g.node, o)
	return err
}

func (g *gateway) startBroker(ctx context.Context) error {
	c := g.cfg.MQTT
	if c.URL == "" {
		return nil
	}
	o := mqtt.Options{
		URL: c.URL, User: c.User, Prefix: c.Prefix + "/" + g.cfg.Mesh.Name, Gateway: macText(g.node.MAC()),
		Mesh: g.cfg.Mesh.Name, Version: version(), Logger: g.log.With("part", "broker"), Down: g.takeDown, HomeAssistant: c.HomeAssistant,
	}
	var err error
	if c.PasswordFile != "" {
		if o.Password, err = g.cfg.secret("mqtt.password_file", c.PasswordFile); err != nil {
			return err
		}
	}
	if o.TLS, err = tlsConfig(c.CAFile); err != nil {
		return err
	}
	if c.Downlink {
		o.Ask = g.request
		for _, p := range c.DownlinkPorts {
			o.Ports = append(o.Ports, uint16(p))
		}
	}
	dir := c.Spool
	if dir == "" {
		if dir, err = os.MkdirTemp("", "pymesh-spool-"); err != nil {
			return err
		}
		g.passing = dir
		g.log.Warn("mqtt.spool is not set: what waits for the broker is lost when the gateway ends", "spool", dir)
	}
	if g.queue, err = spool.Open(dir, spool.Options{MaxBytes: int64(c.SpoolMiB) << 20}); err != nil {
		return err
	}
	g.broker, err = mqtt.Start(ctx, g.queue, o)
	return err
}

func tlsConfig(file string) (*tls.Config, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("mqtt.ca_file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("mqtt.ca_file: %s has no certificate", file)
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}

func (g *gateway) startWeb(context.Context) (err error) {
	if g.cfg.Web.Listen == "" {
		return nil
	}
	o := web.Options{Listen: g.cfg.Web.Listen, Hosts: g.cfg.Web.Hosts, Metrics: g.numbers, Doorman: &g.doorman}
	if g.cfg.Web.TokenFile != "" {
		if o.Token, err = g.cfg.secret("web.token_file", g.cfg.Web.TokenFile); err != nil {
			return err
		}
	}
	if g.web, err = web.Start(g.view, actions{g}, o); err == nil {
		g.log.Info("page", "url", "http://"+g.web.Addr()+"/")
	}
	return err
}

func (g *gateway) startControl(ctx context.Context) (err error) {
	if g.cfg.Control.Socket != "" {
		g.control, err = control.Start(ctx, g.cfg.Control.Socket, g.command)
	}
	return err
}

// metrics takes a snapshot for Prometheus.
func (g *gateway) metrics() metrics.Snapshot {
	leader, _ := g.node.Leader()
	s := metrics.Snapshot{
		Version: version(), MAC: macText(g.node.MAC()), Network: g.node.Network().Name, Partition: fmt.Sprintf("%08x", leader.PartitionID),
		Role: g.node.State().String(), Counters: g.node.Counters(),
		RoleChanges: g.roleChanges.Load(), Partitions: g.partitions.Load(), AttachedSince: float64(g.attached.Load()),
		Boards: len(g.boards.Known()), Watchers: g.view.Watchers(),
	}
	s.Airtime = map[string]float64{}
	for name, count := range s.Counters {
		if class, ok := strings.CutPrefix(name, "Airtime"); ok {
			s.Airtime[strings.ToLower(class)] = float64(count) / 1000
			delete(s.Counters, name)
		}
	}
	s.Queues = g.queues()
	routers := g.node.Routers()
	s.Routers = len(routers)
	for _, n := range g.node.Neighbors() {
		if n.Role == pymesh.StateChild {
			s.Children++
		}
		cost := slices.IndexFunc(routers, func(r pymesh.Router) bool { return r.MAC == n.MAC })
		m := metrics.Neighbor{MAC: macText(n.MAC), RSSI: float64(n.RSSI), Margin: float64(n.Margin), Heard: float64(time.Now().Add(-n.Age).Unix()), Cost: -1}
		if cost >= 0 {
			m.Cost = int(routers[cost].PathCost)
		}
		s.Neighbors = append(s.Neighbors, m)
	}
	g.radioMetrics(&s)
	for _, u := range g.usage() {
		s.Duty = append(s.Duty, metrics.Duty{Band: band(u.SubBand), Used: u.Used.Seconds(), Limit: u.Limit.Seconds(), Refused: u.Refused})
	}
	if g.host != nil {
		s.Host, s.HostBytes = map[[2]string]uint64{}, map[string]uint64{}
		stats := g.host.Stats()
		for direction, counts := range map[string]map[netif.Verdict]netif.Count{"to_mesh": stats.ToMesh, "to_host": stats.ToHost} {
			for v, c := range counts {
				s.Host[[2]string{direction, v.String()}] = c.Packets
				if v == netif.Passed {
					s.HostBytes[direction] = c.Bytes
				}
			}
		}
	}
	if g.broker != nil {
		q := g.queue.Stats()
		s.MQTT, s.Connected, s.Queue, s.QueueBytes, s.QueueDropped = g.broker.Counts(), g.broker.Connected(), q.Records, q.Bytes, q.Lost
	}
	return s
}

// queues is how much waits in the node, and for it.
func (g *gateway) queues() map[string]int {
	q := g.node.Queues()
	all := map[string]int{
		"sending": q.Sending, "resolving": q.Resolving, "reassembling": q.Reassembling, "repeating": q.Repeating, "delayed": q.Delayed,
		"requests": q.Requests, "sockets": q.Sockets, "handlers": q.Handlers, "downlink": g.out.Len(),
	}
	if g.host != nil {
		all["host"] = g.host.Stats().Queued
	}
	return all
}

// radioMetrics tells of the radio what it can tell.
func (g *gateway) radioMetrics(s *metrics.Snapshot) {
	if m, ok := g.radio.(lora.Meter); ok {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if power, err := m.Power(ctx); err == nil {
			s.Noise = power
		}
	}
	governed, ok := g.radio.(*lora.Governor)
	if !ok {
		return
	}
	if chip, ok := governed.Radio().(interface{ Stats() transceiver.Stats }); ok {
		c := chip.Stats()
		s.Radio = map[string]uint64{
			"Deferred": c.Deferred, "Busy": c.Busy, "CrcErrors": c.CRCErrors, "NoCrc": c.NoCRC, "Missed": c.Missed, "Overrun": c.Overrun, "LostEdges": c.LostEdges,
			"Stuck": c.Stuck, "TxTimeouts": c.TxTimeouts, "Restarts": c.Restarts, "SpiErrors": c.SPIErrors, "Repairs": c.Repairs,
		}
	}
}

// usage is what the radio has sent, if it keeps count.
func (g *gateway) usage() []lora.Usage {
	if r, ok := g.radio.(*lora.Governor); ok {
		return r.Usage()
	}
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "devel"
}

// band names a sub-band for people.
func band(b lora.SubBand) string { return "sub-band " + b.Name }
