package cli

import (
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/internal/neighbors"
	"github.com/gopymesh/pymesh/thread/mle"
)

func (i *Interpreter) ifconfig(args []string) error {
	switch {
	case len(args) == 0 && i.view.IsUp():
		i.printf("up\r\n")
	case len(args) == 0:
		i.printf("down\r\n")
	case args[0] == "up":
		i.view.InterfaceUp(i.now)
	case args[0] == "down":
		i.view.InterfaceDown(i.now)
		i.leaveGroups()
	default:
		return InvalidArgs
	}
	return nil
}

func (i *Interpreter) thread(args []string) error {
	switch {
	case len(args) == 0:
		return InvalidArgs
	case args[0] == "start":
		return i.view.StartThread(i.now)
	case args[0] == "stop":
		i.view.StopThread(i.now)
		return nil
	}
	return InvalidArgs
}

func (i *Interpreter) state(args []string) error {
	if len(args) == 0 {
		i.printf("%v\r\n", i.engine.Role())
		return nil
	}
	switch args[0] {
	case "detached":
		return i.view.BecomeDetached(i.now)
	case "child":
		return i.view.BecomeChild(i.now)
	case "router":
		return i.view.BecomeRouter(i.now)
	case "leader":
		return i.view.BecomeLeader(i.now)
	}
	return InvalidArgs
}

func (i *Interpreter) rloc16([]string) error {
	i.printf("%04x\r\n", uint16(i.engine.RLOC16()))
	return nil
}

func (i *Interpreter) singleton([]string) error {
	i.printf("%t\r\n", i.engine.Single())
	return nil
}

func (i *Interpreter) leaderdata([]string) error {
	l, ok := i.engine.Leader()
	if !ok {
		return Detached
	}
	i.printf("Partition ID: %d\r\n", l.PartitionID)
	i.printf("Weighting: %d\r\n", l.Weighting)
	i.printf("Data Version: %d\r\n", l.DataVersion)
	i.printf("Stable Data Version: %d\r\n", l.StableDataVersion)
	i.printf("Leader Router ID: %d\r\n", uint8(l.LeaderRouterID))
	return nil
}

func (i *Interpreter) releaserouterid(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	return i.view.ReleaseRouterID(i.now, mle.RouterID(v))
}

// seconds is an age as the tables have it.
func seconds(d time.Duration) int { return int(d / time.Second) }

// age is a router's age, of which OpenThread keeps the lower eight bits.
func age(d time.Duration) uint8 { return uint8(seconds(d)) }

// list reports whether the arguments ask for a list or table, and which.
func isList(args []string) (table, ok bool) {
	return args[0] == "table", args[0] == "table" || args[0] == "list"
}

// flags are the columns R, S, D and N of a table.
func flags(m mle.Mode) [4]int {
	var f [4]int
	for k, l := range modeLetters {
		if m.Has(l.mode) {
			f[k] = 1
		}
	}
	return f
}

func (i *Interpreter) child(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	if table, ok := isList(args); ok {
		i.children(table)
		return nil
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	id := uint16(v) & mle.MaxChildID
	for c := range i.view.Neighbors.Children.Established() {
		if c.RLOC16 != i.engine.RLOC16()|mle.RLOC16(id) {
			continue
		}
		i.printf("Child ID: %d\r\n", c.RLOC16.ChildID())
		i.printf("Rloc: %04x\r\n", uint16(c.RLOC16))
		i.printf("Ext Addr: %x\r\n", [8]byte(c.Ext))
		i.printf("Mode: %s\r\n", formatMode(c.Mode))
		i.printf("Net Data: %d\r\n", c.NetworkDataVersion)
		i.printf("Timeout: %d\r\n", seconds(c.Timeout))
		i.printf("Age: %d\r\n", seconds(i.view.Core.AgeOf(c.LastHeard)))
		i.printf("Link Quality In: %d\r\n", c.Link.Quality)
		i.printf("RSSI: %d\r\n", c.Link.RSSI())
		return nil
	}
	return NotFound
}

func (i *Interpreter) children(table bool) {
	if table {
		i.printf("| ID  | RLOC16 | Timeout    | Age        | LQ In | C_VN |R|S|D|N| Extended MAC     |\r\n")
		i.printf("+-----+--------+------------+------------+-------+------+-+-+-+-+------------------+\r\n")
	}
	for c := range i.view.Neighbors.Children.Established() {
		switch {
		case !c.Valid():
		case table:
			f := flags(c.Mode)
			i.printf("| %3d | 0x%04x | %10d | %10d | %5d | %4d |%d|%d|%d|%d| %x |\r\n", c.RLOC16.ChildID(), uint16(c.RLOC16),
				seconds(c.Timeout), seconds(i.view.Core.AgeOf(c.LastHeard)), c.Link.Quality, c.NetworkDataVersion, f[0], f[1], f[2], f[3],
				[8]byte(c.Ext))
		default:
			i.printf("%d ", c.RLOC16.ChildID())
		}
	}
	i.printf("\r\n")
}

func (i *Interpreter) neighbor(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	table, ok := isList(args)
	if !ok {
		return InvalidArgs
	}
	if table {
		i.printf("| Role | RLOC16 | Age | Avg RSSI | Last RSSI |R|S|D|N| Extended MAC     |\r\n")
		i.printf("+------+--------+-----+----------+-----------+-+-+-+-+------------------+\r\n")
	}
	show := func(role byte, n *neighbors.Neighbor) {
		if !table {
			i.printf("0x%04x ", uint16(n.RLOC16))
			return
		}
		f := flags(n.Mode)
		i.printf("|   %c  | 0x%04x | %3d | %8d | %9d |%d|%d|%d|%d| %x |\r\n", role, uint16(n.RLOC16),
			seconds(i.view.Core.AgeOf(n.LastHeard)), n.Link.RSSI(), n.Link.Last, f[0], f[1], f[2], f[3], [8]byte(n.Ext))
	}
	for c := range i.view.Neighbors.Children.Established() {
		if c.Valid() {
			show('C', &c.Neighbor)
		}
	}
	for _, r := range i.view.Neighbors.Routers.Linked() {
		show('R', &r.Neighbor)
	}
	i.printf("\r\n")
	return nil
}

func (i *Interpreter) router(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	if table, ok := isList(args); ok {
		i.routers(table)
		return nil
	}
	v, err := parseLong(args[0])
	if err != nil {
		return err
	}
	id := mle.RouterID(v)
	if rloc := mle.RLOC16(v); rloc > mle.RLOC16(mle.MaxRouterID) {
		if !rloc.IsRouter() {
			return InvalidArgs
		}
		id = rloc.RouterID()
	}
	r := i.view.Neighbors.Routers.Get(id)
	if r == nil {
		return NotFound
	}
	i.printf("Alloc: 1\r\n")
	i.printf("Router ID: %d\r\n", uint8(id))
	i.printf("Rloc: %04x\r\n", uint16(id.RLOC16()))
	i.printf("Next Hop: %04x\r\n", uint16(r.NextHop.RLOC16()))
	if !r.Valid() {
		i.printf("Link: 0\r\n")
		return nil
	}
	i.printf("Link: 1\r\n")
	i.printf("Ext Addr: %x\r\n", [8]byte(r.Ext))
	i.printf("Cost: %d\r\n", r.Cost)
	i.printf("Link Quality In: %d\r\n", r.Link.Quality)
	i.printf("Link Quality Out: %d\r\n", r.QualityOut)
	i.printf("Age: %d\r\n", i.routerAge(r))
	return nil
}

// routerAge is the time since a router was heard, in seconds as they are shown; this node hears itself.
func (i *Interpreter) routerAge(r *neighbors.Router) uint8 {
	if r.RLOC16 == i.engine.RLOC16() {
		return 0
	}
	return age(i.view.Core.AgeOf(r.LastHeard))
}

func (i *Interpreter) routers(table bool) {
	if table {
		i.printf("| ID | RLOC16 | Next Hop | Path Cost | LQ In | LQ Out | Age | Extended MAC     |\r\n")
		i.printf("+----+--------+----------+-----------+-------+--------+-----+------------------+\r\n")
	}
	for id, r := range i.view.Neighbors.Routers.All() {
		if !table {
			i.printf("%d ", uint8(id))
			continue
		}
		i.printf("| %2d | 0x%04x | %8d | %9d | %5d | %6d | %3d | %x |\r\n", uint8(id), uint16(id.RLOC16()), uint8(r.NextHop),
			r.Cost, r.Link.Quality, r.QualityOut, i.routerAge(r), [8]byte(r.Ext))
	}
	i.printf("\r\n")
}

func (i *Interpreter) parent([]string) error {
	p := &i.view.Neighbors.Parent
	i.printf("Ext Addr: %x\r\n", [8]byte(p.Ext))
	i.printf("Rloc: %x\r\n", uint16(p.RLOC16))
	i.printf("Link Quality In: %d\r\n", p.Link.Quality)
	i.printf("Link Quality Out: %d\r\n", p.QualityOut)
	i.printf("Age: %d\r\n", age(i.view.Core.AgeOf(p.LastHeard)))
	return nil
}

func (i *Interpreter) eidcache([]string) error {
	for addr, rloc := range i.view.Resolver.Cached() {
		i.printf("%s %04x\r\n", formatAddr(addr), uint16(rloc))
	}
	return nil
}

// bufferinfo counts datagrams, where OpenThread counts messages and the buffers that they take.
func (i *Interpreter) bufferinfo([]string) error {
	q := i.view.Queues()
	i.printf("total: %d\r\n", q.Limit)
	i.printf("free: %d\r\n", q.Limit-q.Len())
	for _, l := range [...]struct {
		name  string
		count int
	}{
		{"6lo send", q.Sending}, {"6lo reas", q.Reassembling}, {"ip6", 0}, {"mpl", q.MPL}, {"mle", q.MLE}, {"arp", q.Resolving},
		{"coap", q.CoAP}, {"coap secure", 0}, {"application coap", i.coap.pending()},
	} {
		i.printf("%s: %d %d\r\n", l.name, l.count, l.count)
	}
	return nil
}

// counter shows the MAC's counters. What this MAC never sends or receives stays zero.
func (i *Interpreter) counter(args []string) error {
	if len(args) == 0 {
		i.printf("mac\r\n")
		return nil
	}
	if args[0] != "mac" {
		return InvalidArgs
	}
	c := i.engine.Counters()
	for _, l := range [...]struct {
		name  string
		count uint64
	}{
		{"TxTotal", c.TxUnicast + c.TxBroadcast},
		{"    TxUnicast", c.TxUnicast},
		{"    TxBroadcast", c.TxBroadcast},
		{"    TxAckRequested", c.TxAckRequested},
		{"    TxAcked", c.TxAcked},
		{"    TxNoAckRequested", c.TxUnicast + c.TxBroadcast - c.TxAckRequested},
		{"    TxData", c.TxUnicast + c.TxBroadcast - c.TxBeacons - c.TxBeaconRequests},
		{"    TxDataPoll", 0},
		{"    TxBeacon", c.TxBeacons},
		{"    TxBeaconRequest", c.TxBeaconRequests},
		{"    TxOther", 0},
		{"    TxRetry", c.TxRetries},
		{"    TxErrCca", c.TxDeferred},
		{"    TxErrBusyChannel", c.TxChannelBusy},
		{"RxTotal", c.RxFrames},
		{"    RxUnicast", c.RxUnicast},
		{"    RxBroadcast", c.RxBroadcast},
		{"    RxData", c.RxData},
		{"    RxDataPoll", 0},
		{"    RxBeacon", c.RxBeacons},
		{"    RxBeaconRequest", c.RxBeaconRequests},
		{"    RxOther", c.RxCommands - c.RxBeaconRequests + c.RxUnsupported},
		{"    RxAddressFiltered", c.RxFiltered},
		{"    RxDestAddrFiltered", c.RxOtherDestination},
		{"    RxDuplicated", c.RxDuplicate},
		{"    RxErrNoFrame", 0},
		{"    RxErrNoUnknownNeighbor", c.RxUnknownNeighbor},
		{"    RxErrInvalidSrcAddr", c.RxOwnSource},
		{"    RxErrSec", c.RxSecurity},
		{"    RxErrFcs", 0},
		{"    RxErrOther", c.RxMalformed},
	} {
		i.printf("%s: %d\r\n", l.name, l.count)
	}
	return errNoAnswer
}

// linkquality shows or fixes the quality of the link from a node, as a fixed signal strength of the MAC filter.
func (i *Interpreter) linkquality(args []string) error {
	if len(args) == 0 {
		return InvalidArgs
	}
	a, err := parseExtAddr(args[0])
	if err != nil {
		return err
	}
	if len(args) > 1 {
		rssi, err := i.parseQuality(args[1])
		if err != nil {
			return err
		}
		return i.view.Filter.Fix(a, rssi)
	}
	quality, ok := i.linkQualityOf(a)
	if !ok {
		return NotFound
	}
	i.printf("%d\r\n", quality)
	return nil
}

func (i *Interpreter) linkQualityOf(a ieee802154.ExtAddr) (uint8, bool) {
	for _, en := range i.view.Filter.Entries() {
		if en.ExtAddr == a && en.Fixed {
			return i.view.LinkQuality(en.RSSI), true
		}
	}
	for _, n := range i.engine.Neighbors() {
		if n.ExtAddr == a {
			return n.LinkQualityIn, true
		}
	}
	return 0, false
}
