//go:build unix

package otsim

import "slices"

// Filter decides which frames arrive. It reports whether node to hears a frame that
// node from sends. The frame, a PSDU with FCS, is valid during the call only. A node's
// knowledge of its own transmission is not asked for.
type Filter func(from, to int, psdu []byte) bool

// Chain lets each node of a row hear its neighbors alone. Nodes that are not named
// hear nothing and are not heard.
func Chain(ids ...int) Filter {
	return func(from, to int, _ []byte) bool {
		i, j := slices.Index(ids, from), slices.Index(ids, to)
		return i >= 0 && j >= 0 && (i == j+1 || j == i+1)
	}
}

// Without cuts nodes off: they hear nothing and are not heard, while the rest goes by
// the filter next, or hears everything if next is nil.
func Without(next Filter, ids ...int) Filter {
	return func(from, to int, psdu []byte) bool {
		if slices.Contains(ids, from) || slices.Contains(ids, to) {
			return false
		}
		return next == nil || next(from, to, psdu)
	}
}
