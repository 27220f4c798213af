package netif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

// Errors.
var (
	// ErrDeleted says that the interface was removed while it was in use.
	ErrDeleted = errors.New("the interface was deleted")
	// ErrClosed says that the Interface was closed.
	ErrClosed = errors.New("netif: closed")
)

// Options say how the host uses the mesh. The zero value is sensible.
type Options struct {
	// Name of the interface, at most 15 characters; "pymesh0" if empty. "%d" in it lets the kernel choose the number.
	Name string
	// Routes are further destinations that lead into the mesh, beside its own prefixes: ::/0 has the host reach the world through a border
	// router of the mesh.
	Routes []netip.Prefix
	// RLOC gives the host the node's routing locator, too, as a deprecated address: one that works, but is no source of new conversations.
	RLOC bool
	// LinkScope lets multicasts of link scope into the mesh, as ping ff02::1 needs them. Without it they stay on the host: most of them are
	// what programs send on each interface that they find.
	LinkScope bool
	// TCP lets TCP into the mesh. A connection over LoRa is many small packets, and each is repeated long before its answer can be there.
	TCP bool
	// Share is how much of the airtime that the law allows in an hour the host's packets may take, 0.5 if 0; where the law has no limit, how
	// much of all time, 0.1 if 0.
	Share float64
	// MaxWait is for how long a packet may wait for airtime before it is refused, 30 s if 0.
	MaxWait time.Duration
	// BorderRouter makes the host the way out of the mesh; nil does not.
	BorderRouter *BorderRouter
	// Logger gets what changes at level Info and what fails at Warn. Silent if nil.
	Logger *slog.Logger
}

// BorderRouter says how the host routes between the mesh and the outside. Nothing comes in but answers, and what a rule allows.
type BorderRouter struct {
	// Prefix is the /64 from which the nodes of the mesh have addresses: a part of what the uplink has delegated to this host, or one of
	// fd00::/8. The zero Prefix stands for one of fd00::/8 that belongs to this node's MAC address and network, see [LocalPrefix].
	Prefix netip.Prefix
	// Preference ranks the border routers of a mesh.
	Preference pymesh.Preference
	// Uplink is the interface to the outside; any with a default route if empty.
	Uplink string
	// Sites lets the mesh reach addresses of fc00::/7 outside: the host's own site.
	Sites bool
	// Rules let packets in which the mesh has not asked for.
	Rules []Rule
}

func (o *Options) defaults() error {
	o.Name = cmp.Or(o.Name, "pymesh0")
	o.MaxWait = cmp.Or(o.MaxWait, 30*time.Second)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Share < 0 || o.Share > 1 {
		return fmt.Errorf("netif: a share of %v is not 0 to 1", o.Share)
	}
	for _, p := range o.Routes {
		if !p.IsValid() || !p.Addr().Is6() || p != p.Masked() {
			return fmt.Errorf("netif: %v is no route: an IPv6 prefix without bits beyond its length", p)
		}
	}
	if o.MaxWait < 0 {
		return fmt.Errorf("netif: MaxWait %v is negative", o.MaxWait)
	}
	return nil
}

// node is what an Interface needs of a [pymesh.Node].
type node interface {
	SendPacket(packet []byte) error
	OnPacket(handler func(packet []byte))
	Forward(packet []byte) error
	OnForward(handler func(pymesh.Forwarded))
	JoinGroup(group netip.Addr) error
	LeaveGroup(group netip.Addr)
	OnMeshPrefix(prefix netip.Prefix, preference pymesh.Preference, defaultRoute bool) error
	RemoveBorderRouter(prefix netip.Prefix) error
	IPAddrs() []netip.Addr
	MeshLocalEID() netip.Addr
	Network() pymesh.Network
	MAC() pymesh.MAC
	Radio() lora.Radio
	Events(ctx context.Context) <-chan pymesh.Event
}

var _ node = (*pymesh.Node)(nil)

// device gives and takes whole packets.
type device interface {
	Read(b []byte) (int, error)
	Write(b []byte) (int, error)
	Close() error
}

// kernel is the host's network configuration.
type kernel interface {
	begin() error
	apply(s settings) error
	check(s settings) (commands []string, err error)
	missing(commands []string) error
	watch(stop <-chan struct{}, changed, gone func()) error
	hasUplink(through string) (bool, error)
}

// Interface is a network interface of the host through which its programs use the mesh.
type Interface struct {
	node   node
	dev    device
	kernel kernel
	name   string
	opt    Options
	fixed  bool // the device was made beforehand: its settings are somebody else's
	log    *slog.Logger
	clock  *steady.Clock

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup
	wake   chan struct{} // the queue has something
	resync chan struct{} // the kernel may have forgotten

	mu             sync.Mutex
	own            []netip.Addr
	eid            netip.Addr
	set            settings
	queue          queue
	fence          *fence
	errs           errorRates
	recent         []([]byte) // the latest packets of the host, for errors about them
	groups         []netip.Addr
	toMesh, toHost tally
	err            error
}

// start runs an Interface on a device.
func start(ctx context.Context, n node, dev device, k kernel, name string, fixed bool, o Options) (*Interface, error) {
	i := &Interface{
		node: n, dev: dev, kernel: k, name: name, opt: o, fixed: fixed, log: o.Logger.With("interface", name),
		clock: steady.New(lora.ClockOf(n.Radio())), wake: make(chan struct{}, 1), resync: make(chan struct{}, 1),
	}
	i.ctx, i.cancel = context.WithCancel(ctx)
	i.queue = queue{perHour: i.perHour, burst: max(i.perHour()/6, i.cost(mtu)), maxWait: o.MaxWait}
	if err := i.prepare(); err != nil {
		i.cancel()
		return nil, errors.Join(err, dev.Close())
	}
	n.OnPacket(i.fromMesh)
	if i.fence != nil {
		n.OnForward(i.fromMeshOut)
	}
	events := n.Events(i.ctx)
	for _, f := range []func(){i.readHost, i.pump, func() { i.follow(events) }} {
		i.wg.Go(f)
	}
	context.AfterFunc(i.ctx, func() { _ = dev.Close() }) // unblocks readHost
	return i, nil
}

// prepare sets the device up for the first time.
func (i *Interface) prepare() error {
	if b := i.opt.BorderRouter; b != nil {
		meshLocal := i.node.Network().MeshLocalPrefix
		if !b.Prefix.IsValid() {
			b.Prefix = LocalPrefix(i.node.MAC(), i.node.Network().ExtPANID)
		}
		i.fence = &fence{prefix: b.Prefix, meshLocal: meshLocal, rules: b.Rules, tcp: i.opt.TCP}
		if err := i.publish(); err != nil {
			return err
		}
	}
	i.look()
	if i.fixed {
		commands, err := i.kernel.check(i.set)
		if err == nil && len(commands) > 0 {
			err = i.kernel.missing(commands)
		}
		return err
	}
	if err := i.kernel.begin(); err != nil {
		return err
	}
	if err := i.kernel.apply(i.set); err != nil {
		return err
	}
	return i.kernel.watch(i.ctx.Done(), func() { signal(i.resync) }, func() { i.fail(fmt.Errorf("netif: %s: %w", i.name, ErrDeleted)) })
}

// signal wakes up whoever waits for c.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Name returns the name of the interface.
func (i *Interface) Name() string { return i.name }

// Stats returns what has passed and what has not, since the start.
func (i *Interface) Stats() Stats {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := Stats{ToMesh: i.toMesh.counts(), ToHost: i.toHost.counts(), Queued: len(i.queue.packets)}
	if i.fence != nil {
		s.Flows = i.fence.flows.len()
	}
	return s
}

// Prefix returns the prefix that the host serves as a border router; it is not valid if it serves none.
func (i *Interface) Prefix() netip.Prefix {
	if i.fence == nil {
		return netip.Prefix{}
	}
	return i.fence.prefix
}

// Done is closed when the interface has ended: by Close, by the context, or because it was deleted; Err then says why.
func (i *Interface) Done() <-chan struct{} { return i.ctx.Done() }

// Err returns nil while the interface works and after Close, or why it ended by itself.
func (i *Interface) Err() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.err
}

// fail ends the interface.
func (i *Interface) fail(err error) {
	i.mu.Lock()
	if i.err == nil && i.ctx.Err() == nil {
		i.err = err
		i.log.Warn("the interface has ended", "err", err)
	}
	i.mu.Unlock()
	i.cancel()
}

// Close takes the interface away: its addresses and routes go with it, what waits for airtime is lost. A border router's prefix is
// withdrawn. Closing twice is no error.
func (i *Interface) Close() error {
	i.cancel()
	i.wg.Wait()
	i.node.OnPacket(nil)
	if i.fence != nil {
		i.node.OnForward(nil)
		if err := i.node.RemoveBorderRouter(i.fence.prefix); err != nil && !errors.Is(err, thread.ErrNotFound) && !errors.Is(err, pymesh.ErrClosed) {
			return err
		}
	}
	for _, g := range i.groups {
		i.node.LeaveGroup(g)
	}
	i.groups = nil
	return nil
}

// look finds out which addresses the host is to have.
func (i *Interface) look() (changed bool) {
	own, eid, meshLocal := i.node.IPAddrs(), i.node.MeshLocalEID(), i.node.Network().MeshLocalPrefix
	set := settings{routes: []netip.Prefix{meshLocal}}
	for _, a := range own {
		switch {
		case a == eid:
			set.addresses = append(set.addresses, address{a, false})
		case locator(a, meshLocal):
			if i.opt.RLOC && !anycast(a) {
				set.addresses = append(set.addresses, address{a, true})
			}
		case a.IsLinkLocalUnicast():
			if i.opt.LinkScope {
				set.addresses = append(set.addresses, address{a, false})
			}
		default: // in an on-mesh prefix: what the outside can answer to comes first
			set.addresses = slices.Insert(set.addresses, 0, address{a, false})
			if p, err := a.Prefix(64); err == nil && !slices.Contains(set.routes, p) {
				set.routes = append(set.routes, p)
			}
		}
	}
	if i.fence != nil && !slices.Contains(set.routes, i.fence.prefix) {
		set.routes = append(set.routes, i.fence.prefix)
	}
	for _, p := range i.opt.Routes {
		if !slices.Contains(set.routes, p) {
			set.routes = append(set.routes, p)
		}
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	changed = !set.equal(i.set)
	i.own, i.eid, i.set = own, eid, set
	return changed
}

// locator reports whether an address names a place in the mesh rather than a node (Thread 1.1 §5.2.2: interface identifier 0:ff:fe00:…).
func locator(a netip.Addr, meshLocal netip.Prefix) bool {
	b := a.As16()
	return meshLocal.Contains(a) && [6]byte(b[8:14]) == [6]byte{0, 0, 0, 0xff, 0xfe, 0}
}

// anycast reports whether a locator is that of a service (Thread 1.1 §5.2.2.2: fc00 and above).
func anycast(a netip.Addr) bool { return a.As16()[14] >= 0xfc }

// follow keeps the host's settings in step with the node, and the node's with the host's uplink.
func (i *Interface) follow(events <-chan pymesh.Event) {
	const uplinkEvery = 5 * time.Second
	tick := time.NewTicker(uplinkEvery)
	defer tick.Stop()
	for {
		force := false
		select {
		case <-i.ctx.Done():
			return
		case _, ok := <-events:
			if !ok {
				if i.ctx.Err() == nil {
					i.fail(pymesh.ErrClosed)
				}
				return
			}
		case <-i.resync:
			force = true
			i.log.Info("the interface came up again")
		case <-tick.C:
			if i.fence != nil {
				if err := i.publish(); err != nil {
					i.log.Warn("border router", "err", err)
				}
			}
		}
		if !i.look() && !force {
			continue
		}
		i.settle()
	}
}

// settle brings the device in step.
func (i *Interface) settle() {
	i.mu.Lock()
	set := i.set
	i.mu.Unlock()
	if i.fixed {
		if commands, err := i.kernel.check(set); err != nil || len(commands) > 0 {
			i.log.Warn("the interface is not as the mesh has it", "err", cmp.Or(err, i.kernel.missing(commands)))
		}
		return
	}
	i.log.Info("addresses", "addresses", set.addresses, "routes", set.routes)
	if err := i.kernel.apply(set); err != nil && i.ctx.Err() == nil {
		i.log.Warn("addresses and routes", "err", err)
	}
}

// publish tells the mesh of the prefix, as the way out only while there is one: nodes then get an error at once in place of silence.
func (i *Interface) publish() error {
	up, err := i.kernel.hasUplink(i.opt.BorderRouter.Uplink)
	if err != nil {
		return err
	}
	return i.node.OnMeshPrefix(i.fence.prefix, i.opt.BorderRouter.Preference, up)
}

// cost estimates the airtime of a packet on its way to the next node: as many full frames as its fragments are.
func (i *Interface) cost(size int) time.Duration {
	const inFrame, header, frame = 88, 34, 127 // bytes of a datagram in a full frame, of headers in any, and of the frame
	radio := i.node.Radio().Config()
	full := time.Duration(size / inFrame)
	rest := size % inFrame
	cost := full * radio.Airtime(frame)
	if rest > 0 {
		cost += radio.Airtime(min(rest+header, frame))
	}
	return cost
}

// perHour is the airtime that the host's packets may have in an hour as things are: its share of what the law allows, and never more than is
// left.
func (i *Interface) perHour() time.Duration {
	const unlimited, usual = 0.1, 0.5
	var limit, left time.Duration
	if g, ok := i.node.Radio().(*lora.Governor); ok {
		for _, u := range g.Usage() {
			if u.Limit > 0 && (limit == 0 || u.Left < left) {
				limit, left = u.Limit, u.Left
			}
		}
	}
	if limit == 0 {
		return time.Duration(cmp.Or(i.opt.Share, unlimited) * float64(time.Hour))
	}
	return min(time.Duration(cmp.Or(i.opt.Share, usual)*float64(limit)), left)
}

// readHost takes packets from the host until the device is closed.
func (i *Interface) readHost() {
	defer i.cancel()
	buf := make([]byte, 1<<16) // more than the MTU, so that what is too long is seen to be
	for {
		n, err := i.dev.Read(buf)
		if err != nil {
			if i.ctx.Err() == nil {
				i.fail(err)
			}
			return
		}
		i.handleHost(i.clock.Now(), buf[:n])
	}
}

// handleHost judges a packet of the host, and queues it.
func (i *Interface) handleHost(now time.Time, b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok := parse(b)
	if !ok {
		i.toMesh.add(Malformed, len(b))
		return
	}
	if p.report() {
		i.toMesh.add(Chatter, len(b))
		changes, _ := memberships(p.icmp)
		i.subscribe(changes)
		return
	}
	w := waiting{cost: i.cost(len(b))}
	v := Passed
	switch {
	case len(b) > mtu:
		v = TooLong
	case i.fence != nil && !i.isOwn(p.Src) && !p.Src.IsUnspecified() && !p.Dst.IsMulticast():
		w.out = true
		v = i.fence.inward(now, &p)
	default:
		v = p.fromHost(i.isOwn, i.opt.TCP, i.opt.LinkScope)
	}
	if v != Passed {
		i.refuse(now, &p, v)
		return
	}
	w.data = slices.Clone(b)
	w.talk, w.once = p.sameTalk()
	v, replaced := i.queue.put(now, w)
	switch {
	case v != Passed:
		i.refuse(now, &p, v)
		return
	case replaced > 0:
		i.toMesh.add(Collapsed, replaced)
	}
	signal(i.wake)
}

func (i *Interface) isOwn(a netip.Addr) bool { return slices.Contains(i.own, a) }

// refuse counts a packet that does not pass, and tells the host's program. i.mu is held.
func (i *Interface) refuse(now time.Time, p *packet, v Verdict) {
	i.toMesh.add(v, len(p.Bytes))
	t, code, ok := errorOf(v)
	if !ok || !i.eid.IsValid() || !i.errs.allow(now, p.Dst) {
		return
	}
	if message, ok := appendError(nil, i.eid, p, t, code); ok {
		i.writeHost(message)
	}
}

// writeHost gives the host a packet. i.mu is held.
func (i *Interface) writeHost(b []byte) {
	v := Passed
	if _, err := i.dev.Write(b); err != nil {
		v = HostFailed // it is down, or has no room
	}
	i.toHost.add(v, len(b))
}

// subscribe has the node join and leave what the host does. i.mu is held.
func (i *Interface) subscribe(changes []membership) {
	for _, c := range changes {
		at := slices.Index(i.groups, c.group)
		switch {
		case c.joined && at < 0:
			if len(i.groups) >= maxGroups {
				i.log.Warn("the host has joined too many groups", "group", c.group)
				continue
			}
			if err := i.node.JoinGroup(c.group); err != nil {
				i.log.Warn("group", "err", err)
				continue
			}
			i.groups = append(i.groups, c.group)
		case !c.joined && at >= 0:
			i.groups = slices.Delete(i.groups, at, at+1)
			i.node.LeaveGroup(c.group)
		}
	}
}

// pump sends what is in the queue, as airtime allows.
func (i *Interface) pump() {
	const full = 500 * time.Millisecond // until the mesh may have room again
	for {
		i.mu.Lock()
		w, wait, ok := i.queue.next(i.clock.Now())
		i.mu.Unlock()
		if ok {
			if wait = 0; i.offer(w) {
				continue
			}
			wait = full
		}
		if !i.sleep(wait) {
			return
		}
	}
}

// sleep waits for a time by the radio's clock, or for something new in the queue; a negative time is for ever. It reports false at the end.
func (i *Interface) sleep(wait time.Duration) bool {
	var due <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(max(i.clock.Until(i.clock.Now().Add(wait)), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-i.ctx.Done():
		return false
	case <-due:
	case <-i.wake:
	}
	return true
}

// offer hands a packet to the mesh, and reports false if it has no room for now.
func (i *Interface) offer(w waiting) bool {
	send := i.node.SendPacket
	if w.out {
		send = i.node.Forward
	}
	err := send(w.data)
	i.mu.Lock()
	defer i.mu.Unlock()
	if errors.Is(err, thread.ErrQueueFull) {
		i.queue.putBack(w)
		return false
	}
	if err == nil {
		i.toMesh.add(Passed, len(w.data))
		i.remember(w.data)
		return true
	}
	if p, ok := parse(w.data); ok {
		i.refuse(i.clock.Now(), &p, i.verdictOf(err, p.Dst))
	}
	return true
}

// remember keeps a packet for a while: an ICMPv6 error of a Thread node quotes its header alone, by which the host finds no socket.
func (i *Interface) remember(b []byte) {
	const most = 16
	if len(i.recent) >= most {
		i.recent = slices.Delete(i.recent, 0, 1)
	}
	i.recent = append(i.recent, b)
}

// undeliverable tells the host's program that nobody in the mesh has found a destination: with the packet that it was, where it is still
// known. i.mu is held.
func (i *Interface) undeliverable(dst netip.Addr, code uint8) {
	for at, b := range slices.Backward(i.recent) {
		p, ok := parse(b)
		if !ok || p.Dst != dst {
			continue
		}
		i.recent = slices.Delete(i.recent, at, at+1)
		if message, ok := appendError(nil, i.eid, &p, ip6.ICMPv6DestinationUnreachable, code); ok && i.errs.allow(i.clock.Now(), dst) {
			i.writeHost(message)
		}
		return
	}
}

// verdictOf tells what an error of the node means for a packet.
func (i *Interface) verdictOf(err error, dst netip.Addr) Verdict {
	switch {
	case errors.Is(err, thread.ErrNoRoute) && slices.ContainsFunc(i.set.routes, func(p netip.Prefix) bool { return p.Bits() == 64 && p.Contains(dst) }):
		return Unreachable // nobody has the address
	case errors.Is(err, thread.ErrNoRoute) || errors.Is(err, thread.ErrDetached) || errors.Is(err, thread.ErrDisabled):
		return NoRoute
	case errors.Is(err, thread.ErrTooLong):
		return TooLong
	case errors.Is(err, thread.ErrPacket):
		return ForeignSrc // it was one of ours when it came
	}
	return NotAllowed
}

// unreachableWhole is the least of an ICMPv6 error by which a host finds the socket: four bytes, a header, and the ports.
const unreachableWhole = 4 + ip6.HeaderSize + 8

// fromMesh gives the host a packet that is for it.
func (i *Interface) fromMesh(b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok := parse(b)
	switch {
	case !ok:
		i.toHost.add(Malformed, len(b))
	case p.Protocol == ip6.ProtocolICMPv6 && p.icmp.Type == ip6.ICMPv6DestinationUnreachable && len(p.icmp.Body) < unreachableWhole:
		i.toHost.add(Passed, len(b))
		const address = 3
		if about, err := ip6.ParseDestinationUnreachable(p.icmp.Body); err == nil {
			if h, err := ip6.ParseHeader(about); err == nil {
				i.undeliverable(h.Dst, address)
			}
		}
	case locator(p.Dst, i.set.routes[0]) && !i.opt.RLOC:
		i.toHost.add(Scope, len(b)) // the kernel does not have that address
	default:
		i.writeHost(b)
	}
}

// fromMeshOut lets a packet of the mesh out to where the host's routes lead.
func (i *Interface) fromMeshOut(f pymesh.Forwarded) {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.clock.Now()
	p, ok := parse(f.Packet)
	if !ok {
		i.toHost.add(Malformed, len(f.Packet))
		return
	}
	v := i.fence.outward(now, &p, i.opt.BorderRouter.Sites)
	if v == Passed {
		i.writeHost(f.Packet)
		return
	}
	i.toHost.add(v, len(f.Packet))
	if t, code, ok := errorOf(v); ok && i.errs.allow(now, p.Dst) {
		i.tellMesh(&p, t, code)
	}
}

// tellMesh sends an ICMPv6 error to a node of the mesh.
func (i *Interface) tellMesh(p *packet, t ip6.ICMPv6Type, code uint8) {
	message, ok := appendError(nil, i.eid, p, t, code)
	if !ok {
		return
	}
	_, _ = i.queue.put(i.clock.Now(), waiting{data: message, cost: i.cost(len(message))})
	signal(i.wake)
}
