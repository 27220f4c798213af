package netif

import (
	"cmp"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/thread"
)

// cost estimates the airtime of a packet on its way to the next node: as many full frames as its fragments are.
func (i *Interface) cost(size int) time.Duration {
	const inFrame, header, frame = 88, 34, 127 // bytes of a datagram in a full frame, of headers in any, and of the frame
	radio := i.node.Radio().Config()
	full := time.Duration(size / inFrame)
	rest := size % inFrame
	cost := full * radio.Airtime(frame)
	if rest > 0 {
		cost += radio.Airtime(min(rest+header, frame))
	}
	return cost
}

// perHour is the airtime that the host's packets may have in an hour as things are: its share of what the law allows, and never more than is
// left.
func (i *Interface) perHour() time.Duration {
	const unlimited, usual = 0.1, 0.5
	var limit, left time.Duration
	if g, ok := i.node.Radio().(*lora.Governor); ok {
		for _, u := range g.Usage() {
			if u.Limit > 0 && (limit == 0 || u.Left < left) {
				limit, left = u.Limit, u.Left
			}
		}
	}
	if limit == 0 {
		return time.Duration(cmp.Or(i.opt.Share, unlimited) * float64(time.Hour))
	}
	return min(time.Duration(cmp.Or(i.opt.Share, usual)*float64(limit)), left)
}

// readHost takes packets from the host until the device is closed.
func (i *Interface) readHost() {
	defer i.cancel()
	buf := make([]byte, 1<<16) // more than the MTU, so that what is too long is seen to be
	for {
		n, err := i.dev.Read(buf)
		if err != nil {
			if i.ctx.Err() == nil {
				i.fail(err)
			}
			return
		}
		i.handleHost(i.clock.Now(), buf[:n])
	}
}

// handleHost judges a packet of the host, and queues it.
func (i *Interface) handleHost(now time.Time, b []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	p, ok := parse(b)
	if !ok {
		i.toMesh.add(Malformed, len(b))
		return
	}
	if p.report() {
		i.toMesh.add(Chatter, len(b))
		changes, _ := memberships(p.icmp)
		i.subscribe(changes)
		return
	}
	if i.given.back(b) {
		i.turnBack(now, &p)
		return
	}
	w := waiting{cost: i.cost(len(b))}
	v := Passed
	switch {
	case len(b) > mtu:
		v = TooLong
	case i.fence != nil && !i.isOwn(p.Src) && !p.Src.IsUnspecified() && !p.Dst.IsMulticast():
		w.out = true
		v = i.fence.inward(now, &p)
	default:
		v = p.fromHost(i.isOwn, i.opt.TCP, i.opt.LinkScope)
	}
	if v != Passed {
		i.refuse(now, &p, v)
		return
	}
	w.data = slices.Clone(b)
	w.talk, w.once = p.sameTalk()
	v, replaced := i.queue.put(now, w)
	switch {
	case v != Passed:
		i.refuse(now, &p, v)
		return
	case replaced > 0:
		i.toMesh.add(Collapsed, replaced)
	}
	signal(i.wake)
}

func (i *Interface) isOwn(a netip.Addr) bool { return slices.Contains(i.own, a) }

// refuse counts a packet that does not pass, and tells the host's program. i.mu is held.
func (i *Interface) refuse(now time.Time, p *packet, v Verdict) {
	i.toMesh.add(v, len(p.Bytes))
	t, code, ok := errorOf(v)
	if !ok || !i.eid.IsValid() || !i.errs.allow(now, p.Dst) {
		return
	}
	if message, ok := appendError(nil, i.eid, p, t, code); ok {
		i.writeHost(message)
	}
}

// turnBack counts a packet that the host has been given and gives back, and tells who has sent it: a program of the host, or a node of the mesh.
// i.mu is held.
func (i *Interface) turnBack(now time.Time, p *packet) {
	if i.isOwn(p.Src) {
		i.refuse(now, p, Returned)
		return
	}
	i.toMesh.add(Returned, len(p.Bytes))
	t, code, ok := errorOf(Returned)
	if ok && i.fence != nil && i.fence.prefix.Contains(p.Src) && i.eid.IsValid() && i.errs.allow(now, p.Dst) {
		i.tellMesh(p, t, code)
	}
}

// subscribe has the node join and leave what the host does. i.mu is held.
func (i *Interface) subscribe(changes []membership) {
	for _, c := range changes {
		at := slices.Index(i.groups, c.group)
		switch {
		case c.joined && at < 0:
			if len(i.groups) >= maxGroups {
				i.log.Warn("the host has joined too many groups", "group", c.group)
				continue
			}
			if err := i.node.JoinGroup(c.group); err != nil {
				i.log.Warn("group", "err", err)
				continue
			}
			i.groups = append(i.groups, c.group)
		case !c.joined && at >= 0:
			i.groups = slices.Delete(i.groups, at, at+1)
			i.node.LeaveGroup(c.group)
		}
	}
}

// pump sends what is in the queue, as airtime allows.
func (i *Interface) pump() {
	const full = 500 * time.Millisecond // until the mesh may have room again
	for {
		i.mu.Lock()
		w, wait, ok := i.queue.next(i.clock.Now())
		i.mu.Unlock()
		if ok {
			if wait = 0; i.offer(w) {
				continue
			}
			wait = full
		}
		if !i.sleep(wait) {
			return
		}
	}
}

// sleep waits for a time by the radio's clock, or for something new in the queue; a negative time is for ever. It reports false at the end.
func (i *Interface) sleep(wait time.Duration) bool {
	var due <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(max(i.clock.Until(i.clock.Now().Add(wait)), time.Millisecond))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-i.ctx.Done():
		return false
	case <-due:
	case <-i.wake:
	}
	return true
}

// offer hands a packet to the mesh, and reports false if it has no room for now.
func (i *Interface) offer(w waiting) bool {
	send := i.node.SendPacket
	if w.out {
		send = i.node.Forward
	}
	err := send(w.data)
	i.mu.Lock()
	defer i.mu.Unlock()
	if errors.Is(err, thread.ErrQueueFull) {
		i.queue.putBack(w)
		return false
	}
	if err == nil {
		i.toMesh.add(Passed, len(w.data))
		i.remember(w.data)
		return true
	}
	if p, ok := parse(w.data); ok {
		i.refuse(i.clock.Now(), &p, i.verdictOf(err, p.Dst))
	}
	return true
}

// remember keeps a packet for a while: an ICMPv6 error of a Thread node quotes its header alone, by which the host finds no socket.
func (i *Interface) remember(b []byte) {
	const most = 16
	if len(i.recent) >= most {
		i.recent = slices.Delete(i.recent, 0, 1)
	}
	i.recent = append(i.recent, b)
}

// verdictOf tells what an error of the node means for a packet.
func (i *Interface) verdictOf(err error, dst netip.Addr) Verdict {
	switch {
	case errors.Is(err, thread.ErrNoRoute) && slices.ContainsFunc(i.set.routes, func(p netip.Prefix) bool { return p.Bits() == 64 && p.Contains(dst) }):
		return Unreachable // nobody has the address
	case errors.Is(err, thread.ErrNoRoute) || errors.Is(err, thread.ErrDetached) || errors.Is(err, thread.ErrDisabled):
		return NoRoute
	case errors.Is(err, thread.ErrTooLong):
		return TooLong
	case errors.Is(err, thread.ErrPacket):
		return ForeignSrc // it was one of ours when it came
	}
	return NotAllowed
}
