package cli

import (
	"net/netip"
	"slices"
)

// groupAddr is a multicast address that ipmaddr has added.
type groupAddr = netip.Addr

func (i *Interpreter) ipaddr(args []string) error {
	if len(args) == 0 {
		for _, a := range i.engine.Addresses() {
			i.printf("%s\r\n", formatAddr(a))
		}
		return nil
	}
	if len(args) == 1 || args[0] != "add" && args[0] != "del" {
		return InvalidArgs
	}
	a, err := parseAddr(args[1])
	switch {
	case err != nil:
		return err
	case args[0] == "add":
		return i.view.AddAddress(a)
	}
	return i.view.RemoveAddress(a)
}

func (i *Interpreter) ipmaddr(args []string) error {
	if len(args) == 0 {
		for _, a := range i.view.MulticastAddresses() {
			i.printf("%s\r\n", formatAddr(a))
		}
		return nil
	}
	switch args[0] {
	case "promiscuous":
		return i.onOff(args[1:], false, onlyOff)
	case "add", "del":
	default:
		return InvalidArgs
	}
	if len(args) == 1 {
		return InvalidArgs
	}
	a, err := parseAddr(args[1])
	if err != nil {
		return err
	}
	if args[0] == "add" {
		return i.joinGroup(a)
	}
	return i.leaveGroup(a)
}

func (i *Interpreter) joinGroup(a netip.Addr) error {
	switch {
	case !a.IsMulticast():
		return InvalidArgs
	case i.view.IsOwnGroup(a), slices.Contains(i.groups, a):
		return Already
	}
	if err := i.engine.Subscribe(a); err != nil {
		return err
	}
	i.groups = append(i.groups, a)
	return nil
}

func (i *Interpreter) leaveGroup(a netip.Addr) error {
	k := slices.Index(i.groups, a)
	switch {
	case k >= 0:
		i.groups = slices.Delete(i.groups, k, k+1)
		i.engine.Unsubscribe(a)
		return nil
	case i.view.IsOwnGroup(a), slices.Contains(i.view.MulticastAddresses(), a):
		return InvalidArgs // it is not the command line's to leave
	}
	return NotFound
}

// leaveGroups is what happens when the interface goes down.
func (i *Interpreter) leaveGroups() {
	for _, a := range i.groups {
		i.engine.Unsubscribe(a)
	}
	i.groups = nil
}
