package pymesh

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
)

type config struct {
	thread.Config
	key        Key
	store      Store
	mode       Mode
	capture    io.Writer
	maxSockets int
	refusePort bool
	progress   func(JoinProgress)
	// memoryStore says that no store was given.
	memoryStore bool
	pycom       bool
	err         error
}

// An Option changes how a node is made.
type Option func(*config)

// fail keeps the first error of the options.
func (c *config) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// WithKey sets the network key. All nodes of a mesh have the same. Without this option the network is the one that the node has joined ([Join]),
// with its other parameters; or else the key is DefaultKey, which is public, and a warning in the log says so.
func WithKey(key Key) Option {
	return func(c *config) {
		if key.IsZero() {
			c.fail(errors.New("pymesh: WithKey: the zero Key is none: see NewKey, ParseKey, DefaultKey"))
		}
		c.key = key
	}
}

// WithMAC sets the MAC address. A node with a fixed address must remember its frame counters, so New asks for WithStore with
// it ([OpenFileStore] in a program, new(MemoryStore) in a simulation). Without this option the address is the stored one, or else random.
func WithMAC(mac MAC) Option {
	return func(c *config) {
		if mac == 0 {
			c.fail(errors.New("pymesh: WithMAC: 0 is not an address"))
		}
		c.ExtAddr = mac.ext()
	}
}

// WithPANID sets the PAN ID, 0x0001 to 0xfffe, 0x1234 by default.
func WithPANID(id uint16) Option {
	return func(c *config) {
		if id == 0 || id == uint16(ieee802154.BroadcastPAN) {
			c.fail(fmt.Errorf("pymesh: WithPANID: 0x%04x is not in 0x0001 to 0xfffe", id))
		}
		c.PANID = ieee802154.PANID(id)
	}
}

// WithNetworkName sets the network's name, 1 to 16 bytes, "OpenThread" by default.
func WithNetworkName(name string) Option {
	const maxSize = 16 // of Thread's Network Name TLV
	return func(c *config) {
		if len(name) < 1 || len(name) > maxSize {
			c.fail(fmt.Errorf("pymesh: WithNetworkName: %q has %d bytes, need 1 to %d", name, len(name), maxSize))
		}
		c.NetworkName = name
	}
}

// WithExtPANID sets the extended PAN ID, any but zero, dead00beef00cafe by default.
func WithExtPANID(id [8]byte) Option {
	return func(c *config) {
		if id == [8]byte{} {
			c.fail(errors.New("pymesh: WithExtPANID: 0 is not an extended PAN ID"))
		}
		c.ExtPANID = id
	}
}

// WithMeshLocalPrefix sets the prefix of mesh-local addresses, a /64 inside fd00::/8. It is fdde:ad00:beef::/64 by default.
func WithMeshLocalPrefix(p netip.Prefix) Option {
	return func(c *config) {
		if a := p.Addr(); !a.Is6() || a.As16()[0] != 0xfd || p.Bits() != 64 {
			c.fail(fmt.Errorf("pymesh: WithMeshLocalPrefix: %v is not a /64 inside fd00::/8", p))
		}
		c.MeshLocalPrefix = p
	}
}

// WithChannel sets the channel number, 11 to 26. It stands in messages only and has no meaning for LoRa. 11 by default.
func WithChannel(ch uint8) Option {
	const first, last = 11, 26 // of the 2.4 GHz band, IEEE 802.15.4-2006 §6.1.2.1
	return func(c *config) {
		if ch < first || ch > last {
			c.fail(fmt.Errorf("pymesh: WithChannel: %d is not in %d to %d", ch, first, last))
		}
		c.Channel = ch
	}
}

// WithLogger sets where the node logs: role changes at Info, failures at Warn and Error, messages at Debug. It is silent by
// default. Keys are never logged. The logger's handler holds the node up and must not call its methods.
func WithLogger(l *slog.Logger) Option { return func(c *config) { c.Logger = l } }

// WithStore sets where the node keeps what must survive a restart, its frame counters above all: a file, by [OpenFileStore]. A node that
// is made again with its store is the same node: it has its MAC address and its addresses, and resumes its place in the mesh, as child or
// as router with its children, as Thread 1.1 §4.7 and §5.9 have it. A store is one node's at a time; the node does not close it.
//
//	store, err := pymesh.OpenFileStore("/var/lib/pymesh/node.store")
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	node, err := pymesh.New(radio, pymesh.WithKey(key), pymesh.WithStore(store))
//
// Where nothing needs to be kept, as in a simulation, a [MemoryStore] lasts as long as the program. Without this option the settings
// last as long as the node: one that is made anew is another node, with another address. A warning in the log says so.
func WithStore(s Store) Option { return func(c *config) { c.store = s } }

// WithTiming sets the timing. By default it is that of [TimingFor] the radio's settings: at SF7 and SF8 on 125 kHz the timing of Pycom's boards.
// See [TimingForBoards] for a mesh with boards at other settings.
func WithTiming(t Timing) Option {
	return func(c *config) {
		if t == (Timing{}) {
			c.fail(errors.New("pymesh: WithTiming: the zero Timing is not usable: see TimingFor"))
		}
		c.Timing = t.t
	}
}

// WithMode sets the part that the node can take, FullThreadDevice by default.
func WithMode(m Mode) Option {
	return func(c *config) {
		if m > SleepyEndDevice {
			c.fail(fmt.Errorf("pymesh: WithMode: %d is not a mode", m))
		}
		c.mode = m
	}
}

// WithPollPeriod sets how often a SleepyEndDevice asks its parent for what others have sent to it, which waits there until then: 0, or from
// the shortest period of the radio's timing (1 s at SF7) to MaxPollPeriod. 0, the default, stands for as seldom as the parent's patience
// allows, 4 minutes less some retries. A longer period asks the parent for more patience: it is four times the period then, and so is the
// time after which a node that has gone is missed.
func WithPollPeriod(d time.Duration) Option {
	return func(c *config) {
		if d < 0 || d > MaxPollPeriod {
			c.fail(fmt.Errorf("pymesh: WithPollPeriod: %v is not in 0 to %v", d, MaxPollPeriod))
		}
		c.PollPeriod = d
	}
}

// WithCapture writes all packets that the node sends and hears to w, in the pcap format with link type 195 (IEEE 802.15.4).
// A writer that fails gets no more. w holds the node up and must not call its methods.
func WithCapture(w io.Writer) Option { return func(c *config) { c.capture = w } }

// defaultMaxSockets bounds the number of open sockets where WithMaxSockets does not.
const defaultMaxSockets = 1024

// WithMaxSockets bounds the number of open sockets. The firmware allows 3; the bound is 1024 by default.
func WithMaxSockets(n int) Option {
	return func(c *config) {
		if n < 1 {
			c.fail(fmt.Errorf("pymesh: WithMaxSockets: %d is not positive", n))
		}
		c.maxSockets = n
	}
}

// WithPortUnreachable has the node tell others that nobody listens to the port that they have sent a datagram to, by an ICMPv6 error, as an
// IPv6 host does; it is ECONNREFUSED at a dialled socket. Pycom's boards do not, and lose a message buffer for each ICMPv6 error that they
// get: it is for meshes without boards. A node tells its own sockets always.
func WithPortUnreachable() Option { return func(c *config) { c.refusePort = true } }

// WithPycomAddress gives the node the address that Pycom's own library gives each board, see [PycomAddress], by which programs there know each
// other: a host that talks to such boards has one, too. It follows the mesh-local prefix when that changes.
func WithPycomAddress() Option { return func(c *config) { c.pycom = true } }

// WithRand sets the source of identifiers, challenges and jitter. It is crypto/rand's by default, which is the right one for
// everything but simulations that must repeat. It must not fail; the node alone may read from it.
func WithRand(r io.Reader) Option { return func(c *config) { c.Rand = r } }

// chooseNetwork takes the network that WithKey says, or that the node has joined.
func (c *config) chooseNetwork(joined *thread.Network) {
	switch {
	case !c.key.IsZero():
		c.NetworkKey = c.key.b
	case joined != nil:
		n := joined
		c.NetworkKey, c.PANID, c.NetworkName, c.ExtPANID = n.Key, n.PANID, n.Name, n.ExtPANID
		c.MeshLocalPrefix, c.Channel, c.PSKc = n.MeshLocalPrefix, n.Channel, n.PSKc
	default:
		c.NetworkKey = DefaultKey().b
		c.Logger.Warn("no network key given: using the documented default key, which everybody knows")
	}
}

// complete checks the options and fills in what depends on others.
func (c *config) complete() error {
	if c.err != nil {
		return c.err
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	c.maxSockets = cmp.Or(c.maxSockets, defaultMaxSockets)
	switch c.mode {
	case EndDevice:
		c.Config.EndDevice = true
	case MinimalEndDevice:
		c.Mode = thread.ModeMinimalEndDevice
	case SleepyEndDevice:
		c.Mode = thread.ModeSleepyEndDevice
	}
	if c.store == nil {
		if c.ExtAddr != (ieee802154.ExtAddr{}) {
			return errors.New("pymesh: WithMAC needs WithStore: a node that restarts under the same address must never use a frame " +
				"counter twice (OpenFileStore; for a simulation new(MemoryStore))")
		}
		c.store, c.memoryStore = new(MemoryStore), true
		c.Logger.Warn("no store given: after a restart this will be another node, with another address (WithStore)")
	}
	c.Store = engineStore{c.store}
	s, ok, err := c.Store.Load()
	if err != nil {
		return fmt.Errorf("pymesh: WithStore: %w", err)
	}
	c.chooseNetwork(s.Joined)
	if c.ExtAddr == (ieee802154.ExtAddr{}) {
		if c.ExtAddr = s.ExtAddr; !ok {
			if _, err := io.ReadFull(c.Rand, c.ExtAddr[:]); err != nil {
				return fmt.Errorf("pymesh: WithRand: %w", err)
			}
			const locallyAdministered, group = 0x02, 0x01
			c.ExtAddr[0] = c.ExtAddr[0]&^group | locallyAdministered
		}
	}
	return nil
}
