//go:build !linux

package netif

import (
	"context"
	"errors"
	"fmt"

	"github.com/gopymesh/pymesh"
)

// Up works on Linux only; elsewhere it fails with errors.ErrUnsupported.
func Up(context.Context, *pymesh.Node, Options) (*Interface, error) {
	return nil, fmt.Errorf("netif: %w", errors.ErrUnsupported)
}

// Attach works on Linux only; elsewhere it fails with errors.ErrUnsupported.
func Attach(context.Context, *pymesh.Node, Options) (*Interface, error) {
	return nil, fmt.Errorf("netif: %w", errors.ErrUnsupported)
}
