package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/thread"
)

// A report is what all trials together show.
type report struct {
	o       *options
	surveys []fields.Survey
	sum     fields.Summary

	nodes   []nodeReport
	kinds   []kindReport
	limit   time.Duration // airtime that the law allows a node in an hour; 0 is no limit
	band    string
	longest time.Duration // largest airtime of a node in an hour of any trial
	air     float64       // of all nodes, as a share of the time

	sent, collided, halfDuplex, delivered, refused, busy float64 // mean, per hour
}

// nodeReport is a node, mean of all trials.
type nodeReport struct {
	Name     string        `json:"name"`
	X        float64       `json:"x_m"`
	Y        float64       `json:"y_m"`
	Peer     bool          `json:"peer,omitempty"`
	Role     string        `json:"role"` // in the first trial
	Router   float64       `json:"router_share"`
	Airtime  time.Duration `json:"airtime_ns_per_hour"`
	Most     time.Duration `json:"airtime_ns_per_hour_max"`
	Asked    int           `json:"asked"`
	Answered int           `json:"answered"`
}

// kindReport is a kind of frame, mean of all trials.
type kindReport struct {
	Name    string        `json:"name"`
	Frames  float64       `json:"frames_per_hour"`
	Airtime time.Duration `json:"airtime_ns_per_hour"`
	Share   float64       `json:"share"`
}

func newReport(o *options, surveys []fields.Survey) *report {
	r := &report{o: o, surveys: surveys, sum: fields.Summarize(surveys...)}
	r.air = r.sum.Air
	r.longest = r.sum.Busiest
	r.band = o.cfg.Region.String()
	for _, b := range o.cfg.SubBands() {
		limit := time.Duration(b.DutyCycle * float64(time.Hour))
		if limit > 0 && (r.limit == 0 || limit < r.limit) {
			r.limit, r.band = limit, b.Name
		}
	}
	r.addNodes()
	r.addKinds()
	return r
}

// perHour is the weight of a trial in a mean per hour.
func (r *report) perHour(s *fields.Survey) float64 {
	return 1 / s.Measured.Hours() / float64(len(r.surveys))
}

func (r *report) addNodes() {
	places := r.o.layout(r.o.seed).Places
	r.nodes = make([]nodeReport, len(places))
	for i, p := range places {
		r.nodes[i] = nodeReport{Name: r.o.name(i), X: p.X, Y: p.Y, Peer: r.o.isPeer(i), Role: r.surveys[0].Nodes[i].Role.String()}
	}
	for k := range r.surveys {
		s := &r.surveys[k]
		weight := r.perHour(s)
		for i := range s.Nodes {
			n, st := &r.nodes[i], &s.Nodes[i].Stats
			n.Airtime += time.Duration(float64(st.Airtime) * weight)
			n.Most = max(n.Most, time.Duration(float64(st.Airtime)/s.Measured.Hours()))
			if s.Nodes[i].Role >= thread.RoleRouter {
				n.Router += 1 / float64(len(r.surveys))
			}
			r.sent += weight * float64(st.Sent)
			r.collided += weight * float64(st.Collided)
			r.halfDuplex += weight * float64(st.HalfDuplex)
			r.delivered += weight * float64(st.Delivered)
			r.busy += weight * float64(st.Busy+st.Waited)
			r.refused += weight * float64(s.Nodes[i].Refused)
		}
		for _, a := range s.Asks {
			r.nodes[a.From].Asked++
			if a.Took > 0 {
				r.nodes[a.From].Answered++
			}
		}
	}
}

func (r *report) addKinds() {
	sums := map[string]kindReport{}
	var all time.Duration
	for k := range r.surveys {
		s := &r.surveys[k]
		for name, kind := range s.Kinds {
			x := sums[name]
			x.Name = name
			x.Frames += r.perHour(s) * float64(kind.Frames)
			air := time.Duration(r.perHour(s) * float64(kind.Airtime))
			x.Airtime += air
			all += air
			sums[name] = x
		}
	}
	r.kinds = slices.SortedFunc(maps.Values(sums), func(a, b kindReport) int {
		return cmp.Or(cmp.Compare(b.Airtime, a.Airtime), cmp.Compare(a.Name, b.Name))
	})
	for i := range r.kinds {
		r.kinds[i].Share = float64(r.kinds[i].Airtime) / float64(all)
	}
}

// between returns how many requests were answered, of those from peers or not, to peers or not.
func (r *report) between(fromPeers, toPeers bool) string {
	asked, answered := 0, 0
	for k := range r.surveys {
		for _, a := range r.surveys[k].Asks {
			if r.nodes[a.From].Peer == fromPeers && r.nodes[a.To].Peer == toPeers {
				asked++
				if a.Took > 0 {
					answered++
				}
			}
		}
	}
	if asked == 0 {
		return "nothing"
	}
	return fmt.Sprintf("%s of %d", percent(answered, asked), asked)
}

// verdict says in one sentence whether the mesh works.
func (r *report) verdict() string {
	var wrong, near []string
	judge := func(bad, weak bool, format string, args ...any) {
		switch text := fmt.Sprintf(format, args...); {
		case bad:
			wrong = append(wrong, text)
		case weak:
			near = append(near, text)
		}
	}
	missing := r.sum.Trials - len(r.sum.Formed)
	judge(missing > 0, false, "%d of %d trials never became one mesh", missing, r.sum.Trials)
	if r.sum.Asked > 0 {
		a := r.sum.Answered()
		judge(a < 0.9, a < 0.98, "%.1f %% of the requests are answered", 100*a)
	}
	if r.limit > 0 {
		used := float64(r.longest) / float64(r.limit)
		judge(used > 1.0001, used > 0.8, "the busiest node sends for %s in an hour, of %s that the law allows", seconds(r.longest), seconds(r.limit))
	}
	broken := r.sum.Broken.Hours()
	judge(broken > 0.05, broken > 0.005, "for %.1f %% of the time it is not whole", 100*broken)
	judge(r.air > 1, r.air > 0.4, "the air is in use for %.0f %% of the time, all nodes added up", 100*r.air)

	where := "at " + r.setting()
	switch {
	case len(wrong) > 0:
		return fmt.Sprintf("No, this mesh will not work %s: %s.", where, strings.Join(append(wrong, near...), "; "))
	case len(near) > 0:
		return fmt.Sprintf("Barely: this mesh works %s, but %s.", where, strings.Join(near, "; "))
	}
	return fmt.Sprintf("Yes, this mesh works %s: %s.", where, strings.Join(r.merits(), "; "))
}

// setting names the radio's settings and the law's.
func (r *report) setting() string {
	c := r.o.cfg
	s := fmt.Sprintf("%v, %v, %v", c.SpreadingFactor, c.Bandwidth, c.Frequency)
	if r.limit > 0 {
		s += fmt.Sprintf(" in the %v %% band", 100*r.limit.Hours())
	}
	return s
}

// merits are what is good about a mesh.
func (r *report) merits() []string {
	list := []string{"it forms in " + clock(fields.Quantile(r.sum.Formed, 0.5))}
	if r.sum.Asked > 0 {
		list = append(list, fmt.Sprintf("%.1f %% of the requests are answered, half of them within %.1f s", 100*r.sum.Answered(), fields.Quantile(r.sum.Trips, 0.5).Seconds()))
	}
	if r.limit > 0 {
		list = append(list, fmt.Sprintf("the busiest node sends for %s in an hour, of %s that the law allows", seconds(r.longest), seconds(r.limit)))
	}
	return list
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// clock writes a time as people say it.
func clock(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%.0f s", d.Seconds())
	}
	return d.Round(time.Second).String()
}

// rows are the lines of the table: a name and a value.
func (r *report) rows() [][2]string {
	formed := "never"
	if n := len(r.sum.Formed); n > 0 {
		var mean time.Duration
		for _, d := range r.sum.Formed {
			mean += d / time.Duration(n)
		}
		formed = fmt.Sprintf("%s, mean; %s to %s", clock(mean), clock(r.sum.Formed[0]), clock(r.sum.Formed[n-1]))
		if n < r.sum.Trials {
			formed += fmt.Sprintf("; %d of %d never", r.sum.Trials-n, r.sum.Trials)
		}
	}
	rows := [][2]string{{"forms in", formed}, {"roles", r.roles()}}
	if r.sum.Asked > 0 {
		rows = append(rows, [2]string{"answered", fmt.Sprintf("%.1f %% of %d requests of %d bytes", 100*r.sum.Answered(), r.sum.Asked, r.o.traffic.Size)})
		if r.o.peer != "" {
			rows = append(rows, [2]string{"", "ours ask ours " + r.between(false, false) + ", ours ask peers " + r.between(false, true)},
				[2]string{"", "peers ask ours " + r.between(true, false) + ", peers ask peers " + r.between(true, true)})
		}
		rows = append(rows, [2]string{"round trip", fmt.Sprintf("%.2f s median, %.1f s for the slowest twentieth", fields.Quantile(r.sum.Trips, 0.5).Seconds(), fields.Quantile(r.sum.Trips, 0.95).Seconds())})
	}
	rows = append(rows,
		[2]string{"air", fmt.Sprintf("%.1f %% of the time, all nodes added up; %.0f packets an hour", 100*r.air, r.sent)},
		[2]string{"lost to collisions", fmt.Sprintf("%.1f %% of what arrives; %.1f %% because the receiver was sending", r.share(r.collided), r.share(r.halfDuplex))},
		[2]string{"not whole", fmt.Sprintf("%.2f %% of the time", 100*r.sum.Broken.Hours())},
		[2]string{"busiest node", r.busiest()},
	)
	if r.o.duty {
		rows = append(rows, [2]string{"held back", fmt.Sprintf("%.0f packets an hour by the duty cycle", r.refused)})
	}
	return rows
}

func (r *report) share(n float64) float64 {
	return 100 * n / max(r.delivered+r.collided+r.halfDuplex, 1)
}

func (r *report) roles() string {
	children := 0.0
	others := 0.0
	for k := range r.surveys {
		for _, n := range r.surveys[k].Nodes {
			switch {
			case n.Role == thread.RoleChild:
				children += 1 / float64(len(r.surveys))
			case n.Role < thread.RoleChild:
				others += 1 / float64(len(r.surveys))
			}
		}
	}
	s := fmt.Sprintf("%.1f routers with leaders, %.1f children", r.sum.Routers, children)
	if others > 0 {
		s += fmt.Sprintf(", %.1f in no mesh", others)
	}
	return s
}

func (r *report) busiest() string {
	i := 0
	for k := range r.nodes {
		if r.nodes[k].Most > r.nodes[i].Most {
			i = k
		}
	}
	s := fmt.Sprintf("%s an hour (node %s)", seconds(r.longest), r.nodes[i].Name)
	if r.limit == 0 {
		return s + "; no limit here"
	}
	return s + fmt.Sprintf("; the law allows %s (%s)", seconds(r.limit), r.band)
}

// title says what was tried.
func (r *report) title() string {
	o := r.o
	f := o.layout(o.seed)
	text := fmt.Sprintf("%s, %d nodes", f.Name, len(f.Places))
	if o.sites != nil || o.spacing > 0 {
		text += fmt.Sprintf("; strength by distance, exponent %v", o.exponent)
	} else {
		text += fmt.Sprintf(", links of %v dBm", o.link)
	}
	text += fmt.Sprintf("; %v, %v, %v, %d dBm; ", o.cfg.SpreadingFactor, o.cfg.Bandwidth, o.cfg.Frequency, o.cfg.TxPower)
	switch o.traffic.Pattern {
	case fields.Pairs:
		text += fmt.Sprintf("a random pair every %v", o.traffic.Period)
	case fields.Reports:
		text += fmt.Sprintf("each node reports to %s every %v", o.name(o.traffic.Sink), o.traffic.Period)
	default:
		text += "no traffic"
	}
	return text + fmt.Sprintf("; %v h, %d trials", o.hours, len(r.surveys))
}

const (
	shownKinds = 14
	shownNodes = 32
)

// writeText prints the table.
func (r *report) writeText(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "%s\n\n", r.title())
	for _, row := range r.rows() {
		fmt.Fprintf(w, "%s\t%s\n", row[0], row[1])
	}
	fmt.Fprintf(w, "\nframe\tan hour\tairtime\tof all\n")
	for i, k := range r.kinds {
		if i == shownKinds {
			fmt.Fprintf(w, "%d other kinds\t\t\t\n", len(r.kinds)-i)
			break
		}
		fmt.Fprintf(w, "%s\t%.0f\t%s\t%.1f %%\n", k.Name, k.Frames, seconds(k.Airtime), 100*k.Share)
	}
	fmt.Fprintf(w, "\nnode\trole\tairtime an hour\tmost\t%s\n", r.budgetColumn())
	list := slices.Clone(r.nodes)
	slices.SortStableFunc(list, func(a, b nodeReport) int { return cmp.Compare(b.Airtime, a.Airtime) })
	for i, n := range list {
		if i == shownNodes {
			fmt.Fprintf(w, "%d others\t\tless\t\t\n", len(list)-i)
			break
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", n.Name, n.role(), seconds(n.Airtime), seconds(n.Most), r.budget(n))
	}
	fmt.Fprintf(w, "\n%s\n", r.verdict())
	return w.Flush()
}

func (n nodeReport) role() string {
	if n.Peer {
		return n.Role + ", peer"
	}
	return n.Role
}

func (r *report) budgetColumn() string {
	if r.limit == 0 {
		return ""
	}
	return "of what the law allows"
}

func (r *report) budget(n nodeReport) string {
	if r.limit == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %%", 100*float64(n.Airtime)/float64(r.limit))
}

// jsonReport is the form of -json. Times are in seconds unless their names say otherwise.
type jsonReport struct {
	Title     string          `json:"title"`
	Verdict   string          `json:"verdict"`
	Trials    int             `json:"trials"`
	Formed    []float64       `json:"formed_s"`
	Asked     int             `json:"asked"`
	Answered  int             `json:"answered"`
	Median    float64         `json:"round_trip_median_s"`
	P95       float64         `json:"round_trip_p95_s"`
	Air       float64         `json:"air_share"`
	Busiest   float64         `json:"busiest_airtime_s_per_hour"`
	Limit     float64         `json:"legal_airtime_s_per_hour"` // 0: none
	Routers   float64         `json:"routers"`
	NotWhole  float64         `json:"not_whole_share"`
	Collided  float64         `json:"collided_per_hour"`
	HeldBack  float64         `json:"held_back_per_hour"`
	Kinds     []kindReport    `json:"kinds"`
	Nodes     []nodeReport    `json:"nodes"`
	RoundTrip []float64       `json:"round_trips_s"`
	Timeline  []fields.Moment `json:"timeline"` // of the first trial
	Links     []fields.Link   `json:"links"`    // likewise
}

func (r *report) writeJSON(out io.Writer) error {
	j := jsonReport{
		Title: r.title(), Verdict: r.verdict(), Trials: r.sum.Trials, Formed: []float64{}, Asked: r.sum.Asked, Answered: len(r.sum.Trips),
		Median: fields.Quantile(r.sum.Trips, 0.5).Seconds(), P95: fields.Quantile(r.sum.Trips, 0.95).Seconds(), Air: r.air,
		Busiest: r.longest.Seconds(), Limit: r.limit.Seconds(), Routers: r.sum.Routers, NotWhole: r.sum.Broken.Hours(),
		Collided: math.Round(r.collided), HeldBack: math.Round(r.refused), Kinds: r.kinds, Nodes: r.nodes, RoundTrip: []float64{},
		Timeline: r.surveys[0].Timeline, Links: r.surveys[0].Links,
	}
	for _, d := range r.sum.Formed {
		j.Formed = append(j.Formed, d.Seconds())
	}
	for _, d := range r.sum.Trips {
		j.RoundTrip = append(j.RoundTrip, d.Seconds())
	}
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(j)
}
