package neighbors

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/core"
	"github.com/gopymesh/pymesh/thread/mle"
)

// Router IDs of these tests: this node's, and those of others.
const (
	self mle.RouterID = iota
	left
	right
	far
)

var (
	epoch = time.Unix(1000, 0)

	own = ieee802154.ExtAddr{0xee}

	meshLocal = netip.MustParsePrefix("fdde:ad00:beef::/64")
)

// room is a table under test with places for three children, its clock, and what it has told since that was last looked at.
type room struct {
	*Table
	t    testing.TB
	core *core.Core
	told []string
}

func newRoom(t testing.TB) *room {
	c := core.New(rand.NewChaCha8([32]byte{}), slog.New(slog.DiscardHandler), own)
	c.Advance(epoch)
	r := &room{t: t, core: c}
	r.Table = New(c, 3, func(n *Neighbor, added bool) {
		if n.Valid() != added {
			t.Errorf("told of %x, added: %v, while it is %v", n.Ext[0], added, n.State())
		}
		sign := '-'
		if added {
			sign = '+'
		}
		kind := map[Kind]string{KindParent: "parent", KindChild: "child", KindRouter: "router"}[n.Kind()]
		r.told = append(r.told, fmt.Sprintf("%c%s %x", sign, kind, n.Ext[0]))
	})
	return r
}

// newRouter is a room of the router self among the assigned routers left, right and far, whose extended addresses begin with their IDs.
func newRouter(t testing.TB) *room {
	r := newRoom(t)
	r.View = AsRouter
	r.Routers.Self = self.RLOC16()
	r.SetAssigned(idSet(self, left, right, far), 1)
	for id, router := range r.Routers.All() {
		router.Ext = extOf(id)
	}
	return r
}

func extOf(id mle.RouterID) ieee802154.ExtAddr { return ieee802154.ExtAddr{byte(id)} }

func idSet(ids ...mle.RouterID) (set mle.RouterIDSet) {
	for _, id := range ids {
		set = set.Add(id)
	}
	return set
}

// link makes the link to a router stand, with a quality in both directions.
func (r *room) link(id mle.RouterID, quality uint8) *Router {
	n := r.Routers.Get(id)
	n.Link.Quality, n.QualityOut = quality, quality
	r.Change(&n.Neighbor, Valid)
	return n
}

// route makes next the way to a router.
func (r *room) route(to, next mle.RouterID, cost uint8) *Router {
	n := r.Routers.Get(to)
	n.NextHop, n.Cost = next, cost
	return n
}

// child adds a child or half a child.
func (r *room) child(n byte, s State) *Child {
	r.t.Helper()
	c := r.AddChild(ieee802154.ExtAddr{n}, s)
	if c == nil {
		r.t.Fatalf("no place for child %x", n)
	}
	return c
}

func (r *room) after(d time.Duration) { r.core.Advance(r.core.Now.Add(d)) }

// tells checks what has been told since the last call.
func (r *room) tells(want ...string) {
	r.t.Helper()
	if !slices.Equal(r.told, want) {
		r.t.Errorf("told %v, want %v", r.told, want)
	}
	r.told = nil
}

// states are all there are.
var states = []State{Invalid, Restored, ParentRequest, ParentResponse, ChildIDRequest, LinkRequest, ChildUpdateRequest, Valid}
