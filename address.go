package pymesh

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// AddAddress gives the node another IPv6 address, as the command line's ipaddr add does: a unicast address that is valid beyond a link. In the
// mesh-local prefix, or in that of a border router, the mesh finds it; elsewhere only this node knows of it. It holds until RemoveAddress or Close.
// A node has at most four such addresses.
func (n *Node) AddAddress(a netip.Addr) error {
	return n.changeAddress("AddAddress", a, func() error { return n.engine.Console().AddAddress(a) })
}

// RemoveAddress undoes AddAddress.
func (n *Node) RemoveAddress(a netip.Addr) error {
	return n.changeAddress("RemoveAddress", a, func() error { return n.engine.Console().RemoveAddress(a) })
}

func (n *Node) changeAddress(method string, a netip.Addr, change func() error) error {
	err := ErrClosed
	n.run.Do(func(now time.Time) {
		n.engine.Console().Observe(now)
		err = change()
	})
	switch {
	case err == nil || errors.Is(err, ErrClosed):
		return err
	case errors.Is(err, thread.ErrTableFull):
		return fmt.Errorf("pymesh: %s: %v would be one too many: four addresses can be added: %w", method, a, err)
	case errors.Is(err, thread.ErrArgument):
		return fmt.Errorf("pymesh: %s: %v is not a unicast address beyond the link that the node does not have by itself: %w", method, a, err)
	case errors.Is(err, thread.ErrNotFound):
		return fmt.Errorf("pymesh: %s: nobody has added %v: %w", method, a, err)
	}
	return fmt.Errorf("pymesh: %s: %v: %w", method, a, err)
}

// PycomAddress returns the address that Pycom's own library gives a node in a mesh with this mesh-local prefix: the prefix with the last 16 bits
// of the MAC address, such as fdde:ad00:beef::104. It is how those programs find each other, see [WithPycomAddress].
func PycomAddress(meshLocal netip.Prefix, mac MAC) netip.Addr {
	a := meshLocal.Masked().Addr().As16()
	binary.BigEndian.PutUint16(a[14:], uint16(mac))
	return netip.AddrFrom16(a)
}

// keepPycomAddress gives the node its PycomAddress, another one when the prefix has changed. The runner's.
func (n *Node) keepPycomAddress() {
	if !n.pycom {
		return
	}
	a := PycomAddress(n.engine.Network().MeshLocalPrefix, n.mac)
	if a == n.pycomAddr {
		return
	}
	c := n.engine.Console()
	if n.pycomAddr.IsValid() {
		_ = c.RemoveAddress(n.pycomAddr) // the user may have
	}
	n.pycomAddr = a
	if err := c.AddAddress(a); err != nil {
		n.log.Error("no place for the address of Pycom's library", "addr", a, "err", err)
	}
}
