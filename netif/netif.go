package netif

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/gopymesh/pymesh"
	"github.com/gopymesh/pymesh/internal/steady"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
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
	// router of the mesh. What they cover does not leave by this host: beside a BorderRouter they are for what other border routers reach, and
	// what the mesh gives this host for them comes back as an error.
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
	lost(s settings) bool
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
	given          given      // what the host was given of late
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
		given: newGiven(),
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
		if err != nil {
			return err
		}
	} else {
		if err := i.kernel.begin(); err != nil {
			return err
		}
		if err := i.kernel.apply(i.set); err != nil {
			return err
		}
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
