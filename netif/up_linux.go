package netif

import (
	"context"
	"errors"
	"fmt"

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
	dev, err := retryBusy(func() (*tun, error) { return openTUN(o.Name) })
	if err != nil {
		return nil, err
	}
	k, err := linkByName(dev.name)
	if err != nil {
		return nil, errors.Join(err, dev.Close())
	}
	i, err := start(ctx, n, dev, k, dev.name, fixed, o)
	if err != nil {
		return nil, fmt.Errorf("%w", err)
	}
	return i, nil
}

func (k link) hasUplink(through string) (bool, error) { return upstream(k.index, through) }
