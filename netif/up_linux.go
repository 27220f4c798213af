package netif

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/gopymesh/pymesh"
)

// Up makes a TUN interface, gives it the node's addresses and the routes into the mesh, and keeps them in step until Close or the end of ctx.
// It needs CAP_NET_ADMIN; [Attach] does without. Errors say what to do.
func Up(ctx context.Context, n *pymesh.Node, o Options) (*Interface, error) {
	return open(ctx, n, o, false)
}

// Attach uses a TUN interface that was made beforehand, with its addresses and routes, and changes nothing about it: no privilege is needed if
// it belongs to the program's user. Where something is missing the error has the commands that mend it.
//
//	ip tuntap add dev pymesh0 mode tun user pymesh
func Attach(ctx context.Context, n *pymesh.Node, o Options) (*Interface, error) {
	return open(ctx, n, o, true)
}

func open(ctx context.Context, n *pymesh.Node, o Options, fixed bool) (*Interface, error) {
	if err := o.defaults(); err != nil {
		return nil, err
	}
	if fixed {
		if _, err := linkByName(o.Name); err != nil {
			return nil, fmt.Errorf("%w: make it as root:\n  ip tuntap add dev %s mode tun user %d", err, o.Name, os.Geteuid())
		}
	}
	dev, err := retryBusy(func() (*tun, error) { return openTUN(o.Name) })
	if err != nil {
		return nil, err
	}
	k, err := linkByName(dev.name)
	if err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	return start(ctx, n, dev, k, dev.name, fixed, o)
}

func (k link) hasUplink(through string) (bool, error) { return upstream(k.index, through) }
