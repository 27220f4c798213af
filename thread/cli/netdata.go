package cli

import (
	"net/netip"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/netdata"
)

// prefixFlags are the letters of prefix add, in the order in which prefix lists them; "s" follows.
var prefixFlags = [...]struct {
	letter byte
	flag   netdata.BorderRouterFlags
}{
	{'p', netdata.FlagPreferred},
	{'a', netdata.FlagSLAAC},
	{'d', netdata.FlagDHCP},
	{'c', netdata.FlagConfigure},
	{'r', netdata.FlagDefaultRoute},
	{'o', netdata.FlagOnMesh},
}

// preferences are the words for preferences.
var preferences = [...]struct {
	word       string
	preference netdata.Preference
}{
	{"low", netdata.PreferenceLow}, {"med", netdata.PreferenceMedium}, {"high", netdata.PreferenceHigh},
}

func parsePreference(word string) (netdata.Preference, bool) {
	for _, p := range preferences {
		if p.word == word {
			return p.preference, true
		}
	}
	return 0, false
}

// printPrefix prints what a line of a list begins with: the upper half of a prefix, as OpenThread does.
func (i *Interpreter) printPrefix(p netip.Prefix) {
	a := p.Addr().As16()
	for k := 0; k < 8; k += 2 {
		i.printf("%x:", uint16(a[k])<<8|uint16(a[k+1]))
	}
	i.printf(":/%d ", p.Bits())
}

func (i *Interpreter) printPreference(preference netdata.Preference) {
	for _, p := range preferences {
		if p.preference == preference {
			i.printf(" %s\r\n", p.word)
		}
	}
}

// parsePrefix parses an address with a length. Without one there is nothing to do, and that is no error.
func parsePrefix(s string) (p netip.Prefix, ok bool, err error) {
	addr, length, ok := strings.Cut(s, "/")
	if !ok {
		return netip.Prefix{}, false, nil
	}
	a, err := parseAddr(addr)
	if err != nil {
		return netip.Prefix{}, false, err
	}
	bits, err := parseLong(length)
	if err != nil {
		return netip.Prefix{}, false, err
	}
	p = netip.PrefixFrom(a, int(uint8(bits))).Masked()
	if !p.IsValid() {
		return netip.Prefix{}, false, InvalidArgs
	}
	return p, true, nil
}

// offers is what prefix and route have in common: they list, add and remove.
func (i *Interpreter) offers(args []string, list func(), add func(netip.Prefix, []string) error, remove func(netip.Prefix) error) error {
	switch {
	case len(args) == 0:
		list()
		return nil
	case args[0] != "add" && args[0] != "remove", len(args) == 1:
		return InvalidArgs
	}
	p, ok, err := parsePrefix(args[1])
	switch {
	case !ok:
		return err
	case args[0] == "add":
		return add(p, args[2:])
	}
	return remove(p)
}

func (i *Interpreter) prefix(args []string) error {
	return i.offers(args, i.listPrefixes, i.addPrefix, i.engine.RemovePrefix)
}

func (i *Interpreter) addPrefix(prefix netip.Prefix, words []string) error {
	p := thread.OnMeshPrefix{Prefix: prefix}
	for _, word := range words {
		if preference, ok := parsePreference(word); ok {
			p.Preference = preference
			continue
		}
		for _, letter := range []byte(word) {
			if letter == 's' {
				p.Stable = true
				continue
			}
			flag, ok := prefixFlag(letter)
			if !ok {
				return Parse
			}
			p.Flags |= flag
		}
	}
	return i.engine.AddPrefix(p)
}

func prefixFlag(letter byte) (netdata.BorderRouterFlags, bool) {
	for _, f := range prefixFlags {
		if f.letter == letter {
			return f.flag, true
		}
	}
	return 0, false
}

func (i *Interpreter) listPrefixes() {
	for _, p := range i.engine.Prefixes() {
		i.printPrefix(p.Prefix)
		for _, f := range prefixFlags {
			if p.Flags.Has(f.flag) {
				i.printf("%c", f.letter)
			}
		}
		if p.Stable {
			i.printf("s")
		}
		i.printPreference(p.Preference)
	}
}

func (i *Interpreter) route(args []string) error {
	return i.offers(args, i.listRoutes, i.addRoute, i.engine.RemoveRoute)
}

func (i *Interpreter) addRoute(prefix netip.Prefix, words []string) error {
	r := thread.ExternalRoute{Prefix: prefix}
	for _, word := range words {
		preference, ok := parsePreference(word)
		switch {
		case ok:
			r.Preference = preference
		case word == "s":
			r.Stable = true
		default:
			return Parse
		}
	}
	return i.engine.AddRoute(r)
}

func (i *Interpreter) listRoutes() {
	for _, r := range i.engine.ExternalRoutes() {
		i.printPrefix(r.Prefix)
		if r.Stable {
			i.printf("s")
		}
		i.printPreference(r.Preference)
	}
}

func (i *Interpreter) service(args []string) error {
	switch {
	case len(args) == 0, args[0] != "add" && args[0] != "remove", len(args) < 3, args[0] == "add" && len(args) < 4:
		return InvalidArgs
	}
	enterprise, err := parseLong(args[1])
	switch {
	case err != nil:
		return err
	case args[0] == "add":
		return i.engine.AddService(thread.Service{
			Enterprise: uint32(enterprise), Data: []byte(args[2]), ServerData: []byte(args[3]), Stable: true,
		})
	}
	return i.engine.RemoveService(uint32(enterprise), []byte(args[2]))
}

func (i *Interpreter) netdataregister([]string) error { return i.engine.RegisterNetworkData(i.now) }

func (i *Interpreter) netdatashow([]string) error {
	i.printf("%x\r\n", i.view.NetworkData.TLVs())
	return nil
}

func (i *Interpreter) contextreusedelay(args []string) error {
	if len(args) == 0 {
		i.printf("%d\r\n", seconds(i.engine.ContextReuseDelay()))
		return nil
	}
	if v, err := parseLong(args[0]); err == nil { // what is no number is no error, as in OpenThread
		i.engine.SetContextReuseDelay(time.Duration(uint32(v)) * time.Second)
	}
	return nil
}
