package cli

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/console"
	"github.com/gopymesh/pymesh/thread/ip6"
	"github.com/gopymesh/pymesh/thread/keys"
	"github.com/gopymesh/pymesh/thread/mle"
)

// setNetwork changes the network's parameters.
func (i *Interpreter) setNetwork(change func(*thread.Network) error) error {
	n := i.engine.Network()
	if err := change(&n); err != nil {
		return err
	}
	return i.view.SetNetwork(n)
}

func (i *Interpreter) channel(args []string) error {
	if len(args) == 0 {
		i.printf("%d\r\n", i.engine.Channel())
		return nil
	}
	return i.setNetwork(func(n *thread.Network) error {
		v, err := parseLong(args[0])
		n.Channel = uint8(v)
		return err
	})
}

func (i *Interpreter) panid(args []string) error {
	if len(args) == 0 {
		i.printf("%04x\r\n", uint16(i.engine.Network().PANID))
		return nil
	}
	return i.setNetwork(func(n *thread.Network) error {
		v, err := parseLong(args[0])
		n.PANID = ieee802154.PANID(v)
		return err
	})
}

// extpanid also sets the mesh-local prefix, which has the first five bytes of the extended PAN ID.
func (i *Interpreter) extpanid(args []string) error {
	if len(args) == 0 {
		i.printf("%x\r\n", i.engine.Network().ExtPANID)
		return nil
	}
	return i.setNetwork(func(n *thread.Network) error {
		if err := parseHexFull(n.ExtPANID[:], args[0]); err != nil {
			return err
		}
		prefix := [16]byte{0xfd}
		copy(prefix[1:6], n.ExtPANID[:])
		n.MeshLocalPrefix = ip6.PrefixOf(netip.AddrFrom16(prefix))
		return nil
	})
}

func (i *Interpreter) networkname(args []string) error {
	if len(args) == 0 {
		i.printf("%s\r\n", i.engine.Network().Name)
		return nil
	}
	return i.setNetwork(func(n *thread.Network) error {
		n.Name = args[0]
		return nil
	})
}

func (i *Interpreter) masterkey(args []string) error {
	if len(args) == 0 {
		i.printf("%x\r\n", i.engine.Network().Key)
		return nil
	}
	return i.setNetwork(func(n *thread.Network) error { return parseHexFull(n.Key[:], args[0]) })
}

func (i *Interpreter) extaddr(args []string) error {
	if len(args) == 0 {
		i.printf("%x\r\n", [8]byte(i.engine.ExtAddr()))
		return nil
	}
	a, err := parseExtAddr(args[0])
	if err != nil {
		return err
	}
	return i.view.SetExtAddr(a)
}

func (i *Interpreter) eui64(args []string) error {
	if len(args) > 0 {
		return InvalidArgs
	}
	i.printf("%x\r\n", [8]byte(i.EUI64))
	return nil
}

// modeLetters are those of the command mode, in the order in which it prints them.
var modeLetters = [...]struct {
	letter rune
	mode   mle.Mode
}{
	{'r', mle.ModeRxOnWhenIdle}, {'s', mle.ModeSecureDataRequests}, {'d', mle.ModeFullThreadDevice}, {'n', mle.ModeFullNetworkData},
}

func formatMode(m mle.Mode) string {
	s := ""
	for _, l := range modeLetters {
		if m.Has(l.mode) {
			s += string(l.letter)
		}
	}
	return s
}

func parseMode(s string) (m mle.Mode, err error) {
next:
	for _, c := range s {
		for _, l := range modeLetters {
			if c == l.letter {
				m |= l.mode
				continue next
			}
		}
		return 0, Parse
	}
	return m, nil
}

func (i *Interpreter) mode(args []string) error {
	if len(args) == 0 {
		i.printf("%s\r\n", formatMode(i.engine.Mode()))
		return nil
	}
	m, err := parseMode(args[0])
	if err != nil {
		return err
	}
	return i.view.SetMode(i.now, m)
}

func (i *Interpreter) autostart(args []string) error {
	return i.onOff(args, i.engine.AutoStart(), i.view.SetAutoStart)
}

func (i *Interpreter) routerrole(args []string) error {
	return i.onOff(args, i.view.RouterRole(), func(on bool) error {
		i.view.SetRouterRole(i.now, on)
		return nil
	})
}

func (i *Interpreter) keysequence(args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return InvalidArgs
	}
	switch args[0] {
	case "counter":
		return i.number(args[1:], int64(int32(i.view.Keys.Sequence())), func(v int64) error {
			seq := keys.Sequence(uint32(v))
			if i.view.Keys.Guarded(seq) {
				return nil // nothing changes, and nobody is told
			}
			return i.view.SetKeySequence(i.now, seq)
		})
	case "guardtime":
		return keySwitchGuard(i, args[1:])
	}
	return InvalidArgs
}

// number shows a value or, with an argument, sets it.
func (i *Interpreter) number(args []string, value int64, set func(int64) error) error {
	if len(args) == 0 {
		i.printf("%d\r\n", value)
		return nil
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	return set(v)
}

func (i *Interpreter) childmax(args []string) error {
	return i.number(args, int64(i.view.Neighbors.Children.Limit()), func(v int64) error { return i.view.SetMaxChildren(int(uint8(v))) })
}

func (i *Interpreter) childtimeout(args []string) error {
	return i.number(args, int64(int32(i.view.ChildTimeout()/time.Second)), func(v int64) error {
		i.view.SetChildTimeout(i.now, time.Duration(uint32(v))*time.Second)
		return nil
	})
}

func (i *Interpreter) leaderpartitionid(args []string) error {
	p := i.view.Parameters()
	if len(args) == 0 {
		i.printf("%d\r\n", p.PartitionID)
		return nil
	}
	v, err := parseUnsigned(args[0])
	if err != nil {
		return err
	}
	p.PartitionID = uint32(v)
	return i.view.SetParameters(p)
}

// parameter is a command that shows and sets one of the engine's parameters.
func parameter(get func(console.Parameters) int64, set func(*console.Parameters, int64) error) func(*Interpreter, []string) error {
	return func(i *Interpreter, args []string) error {
		p := i.view.Parameters()
		return i.number(args, get(p), func(v int64) error {
			if err := set(&p, v); err != nil {
				return err
			}
			return i.view.SetParameters(p)
		})
	}
}

var (
	leaderWeight = parameter(
		func(p console.Parameters) int64 { return int64(p.LeaderWeight) },
		func(p *console.Parameters, v int64) error { p.LeaderWeight = uint8(v); return nil })
	networkIDTimeout = parameter(
		func(p console.Parameters) int64 { return int64(p.NetworkIDTimeout / time.Second) },
		func(p *console.Parameters, v int64) error {
			p.NetworkIDTimeout = time.Duration(uint8(v)) * time.Second
			return nil
		})
	parentPriority = parameter(
		func(p console.Parameters) int64 { return int64(p.ParentPriority) },
		func(p *console.Parameters, v int64) error { p.ParentPriority = mle.ParentPriority(v); return nil })
	routerUpgradeThreshold = parameter(
		func(p console.Parameters) int64 { return int64(p.RouterUpgradeThreshold) },
		func(p *console.Parameters, v int64) error { p.RouterUpgradeThreshold = int(uint8(v)); return nil })
	routerDowngradeThreshold = parameter(
		func(p console.Parameters) int64 { return int64(p.RouterDowngradeThreshold) },
		func(p *console.Parameters, v int64) error { p.RouterDowngradeThreshold = int(uint8(v)); return nil })
	routerSelectionJitter = parameter(
		func(p console.Parameters) int64 { return int64(p.RouterSelectionJitter / time.Second) },
		func(p *console.Parameters, v int64) error {
			const least, most = 1, 255
			if v < least || v > most {
				return InvalidArgs
			}
			p.RouterSelectionJitter = time.Duration(v) * time.Second
			return nil
		})
	keySwitchGuard = parameter(
		func(p console.Parameters) int64 { return int64(p.KeySwitchGuard / time.Hour) },
		func(p *console.Parameters, v int64) error {
			const most = 1<<21 - 1 // hours fit into a time.Duration
			p.KeySwitchGuard = time.Duration(min(uint32(v), most)) * time.Hour
			return nil
		})
)
