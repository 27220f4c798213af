package zzfield

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/lora/lorasim"
	"github.com/gopymesh/pymesh/lora/meshtest"
	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/ip6"
)

func places(name string, seed uint64) (ps []lorasim.Position) {
	i := strings.IndexAny(name, "0123456789")
	kind, _ := name[:i], 0
	n, _ := strconv.Atoi(name[i:])
	switch kind {
	case "chain":
		for i := range n {
			ps = append(ps, lorasim.Position{X: float64(i)})
		}
	case "all":
		for i := range n {
			a := 2 * math.Pi * float64(i) / float64(n)
			ps = append(ps, lorasim.Position{X: 0.5 * math.Cos(a), Y: 0.5 * math.Sin(a)})
		}
	case "grid":
		for i := range n * n {
			ps = append(ps, lorasim.Position{X: float64(i % n), Y: float64(i / n)})
		}
	case "star":
		ps = append(ps, lorasim.Position{})
		for i := range n - 1 {
			ps = append(ps, lorasim.Position{X: 100 * float64(i+1)})
		}
	case "rand":
		r := rand.New(rand.NewPCG(seed, 77))
		side := math.Sqrt(float64(n) * math.Pi * 1.5 * 1.5 / 7)
		for {
			ps = ps[:0]
			for range n {
				ps = append(ps, lorasim.Position{X: side * r.Float64(), Y: side * r.Float64()})
			}
			if connected(ps) {
				return ps
			}
		}
	}
	return ps
}

func connected(ps []lorasim.Position) bool {
	seen := map[int]bool{0: true}
	todo := []int{0}
	for len(todo) > 0 {
		i := todo[0]
		todo = todo[1:]
		for j := range ps {
			if !seen[j] && ps[i].Distance(ps[j]) <= 1.5 {
				seen[j] = true
				todo = append(todo, j)
			}
		}
	}
	return len(seen) == len(ps)
}

type result struct {
	formed                time.Duration
	asked, answered       int
	rtts                  []time.Duration
	air, idleAir, formAir float64
	busiest               time.Duration
	routers               int
	collided, retries     uint64
}

func trial(t *testing.T, name string, seed uint64, over time.Duration, gap time.Duration) result {
	star := strings.HasPrefix(name, "star")
	opt := lorasim.Options{Seed: seed, Propagation: func(_ float64, a, b lorasim.Position) float64 {
		if star && (a.X == 0 || b.X == 0) || a.Distance(b) <= 1.5 {
			return -100
		}
		return math.Inf(-1)
	}}
	var capture bytes.Buffer
	if os.Getenv("KINDS") != "" && seed == 1 {
		opt.Capture = &capture
	}
	m := meshtest.New(t, opt)
	r := rand.New(rand.NewPCG(seed, 5))
	for _, p := range places(name, seed) {
		m.Add(seed, p, nil)
	}
	begun := m.Sim.Now()
	for _, n := range m.Nodes {
		m.Sim.After(time.Duration(r.Int64N(int64(over))), n.Start)
	}
	var res result
	m.Run(time.Second)
	if !m.Sim.RunUntil(m.OneMesh, 30*time.Minute) {
		res.formed = -1
	} else {
		res.formed = m.Sim.Now().Sub(begun)
	}
	res.formAir = m.Sim.Stats().Airtime.Seconds()
	m.Run(2 * time.Minute)
	before := m.Sim.Stats()
	var each []time.Duration
	for _, n := range m.Nodes {
		each = append(each, n.Antenna.Stats().Airtime)
	}
	start := m.Sim.Now()
	sent := map[uint16]time.Time{}
	by := map[uint16]*meshtest.Node{}
	if gap == 0 {
		m.Run(time.Hour)
	} else {
		for k := uint16(0); k < uint16(time.Hour/gap); k++ {
			i, j := r.IntN(len(m.Nodes)), r.IntN(len(m.Nodes)-1)
			if j >= i {
				j++
			}
			n, o := m.Nodes[i], m.Nodes[j]
			dst := o.MeshLocalEID()
			h := ip6.Header{HopLimit: 64, Src: n.SelectSource(dst), Dst: dst}
			packet, err := ip6.AppendEcho(nil, h, ip6.ICMPv6EchoRequest, ip6.Echo{Identifier: 9, Sequence: k, Data: make([]byte, 16)})
			res.asked++
			if err == nil {
				if err = n.HandlePacket(m.Sim.Now(), packet); err == nil {
					sent[k], by[k] = m.Sim.Now(), n
				}
				n.Antenna.Touch()
			}
			end := m.Sim.Now().Add(gap)
			collect := func() bool {
				for _, n := range m.Nodes {
					for {
						d, ok := n.PollPacket()
						if !ok {
							break
						}
						if d.Protocol != ip6.ProtocolICMPv6 {
							continue
						}
						mm, err := ip6.ParseICMPv6(d.Payload)
						if err != nil || mm.Type != ip6.ICMPv6EchoReply {
							continue
						}
						e, err := ip6.ParseEcho(mm.Body)
						if err != nil || by[e.Sequence] != n {
							continue
						}
						by[e.Sequence] = nil
						if rtt := m.Sim.Now().Sub(sent[e.Sequence]); rtt <= 20*time.Second {
							res.answered++
							res.rtts = append(res.rtts, rtt)
						}
					}
				}
				return false
			}
			for m.Sim.Now().Before(end) {
				m.Run(20 * time.Millisecond)
				collect()
			}
		}
	}
	if capture.Len() > 0 {
		kinds(capture.Bytes(), start, m.Nodes[0].Antenna.Config())
	}
	hours := m.Sim.Now().Sub(start).Hours()
	after := m.Sim.Stats()
	res.air = (after.Airtime - before.Airtime).Hours() / hours * 100
	res.collided = after.Collided - before.Collided
	for i, n := range m.Nodes {
		res.busiest = max(res.busiest, n.Antenna.Stats().Airtime-each[i])
		if n.Role() >= thread.RoleRouter {
			res.routers++
		}
		res.retries += n.Counters().TxRetries
	}
	return res
}

func TestField(t *testing.T) {
	fields := strings.Fields(os.Getenv("FIELDS"))
	if len(fields) == 0 {
		t.Skip()
	}
	seeds := 3
	if s := os.Getenv("SEEDS"); s != "" {
		seeds, _ = strconv.Atoi(s)
	}
	over := time.Minute
	if s := os.Getenv("OVER"); s != "" {
		over, _ = time.ParseDuration(s)
	}
	gap := 20 * time.Second
	if s := os.Getenv("GAP"); s != "" {
		gap, _ = time.ParseDuration(s)
	}
	for _, f := range fields {
		var formed []string
		var rtts []time.Duration
		var air, worst float64
		asked, answered := 0, 0
		routers := 0
		wall := time.Now()
		rs := make([]result, seeds)
		done := make(chan int)
		for s := range seeds {
			go func() { rs[s] = trial(t, f, uint64(s+1), over, gap); done <- s }()
		}
		for range seeds {
			<-done
		}
		var retries uint64
		for _, r := range rs {
			if r.formed < 0 {
				formed = append(formed, "never")
			} else {
				formed = append(formed, fmt.Sprintf("%.0f", r.formed.Seconds()))
			}
			rtts = append(rtts, r.rtts...)
			asked += r.asked
			answered += r.answered
			air += r.air / float64(seeds)
			worst = max(worst, r.busiest.Seconds())
			routers += r.routers
			retries += r.retries
		}
		slices.Sort(rtts)
		q := func(p float64) float64 {
			if len(rtts) == 0 {
				return -1
			}
			return rtts[int(p*float64(len(rtts)-1))].Seconds()
		}
		fmt.Printf("%-8s formed %v s; answered %.1f %%; %.2f / %.2f s; air %.1f %%; busiest %.0f s/h; routers %.1f; retries %d (%.1fs)\n", f, formed,
			100*float64(answered)/max(float64(asked), 1), q(.5), q(.95), air, worst, float64(routers)/float64(seeds), retries/uint64(seeds), time.Since(wall).Seconds())
	}
}
