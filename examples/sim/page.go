package main

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
)

//go:embed page.html
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what page.html shows.
type page struct {
	Title, Verdict, Mood string // Mood: good, weak or bad
	Tiles                []tile
	Map                  mapView
	Trips                []bar
	Nodes                []bar
	Others               int // nodes that are not shown
	Kinds                []bar
	Roles                []area
	Air                  string // points of a line
	AirTop               string
	TimeMarks            []mark
	Whole                *mark // when all were one mesh
	Rows                 [][2]string
	Limit                string
	Peers                bool
}

type tile struct{ Name, Value string }

// bar is one of a row of bars. Share is its length in percent.
type bar struct {
	Name, Value string
	Share       float64
	Class       string
	Mark        float64 // in percent; 0 for none
}

type area struct{ Class, Points string }

type mark struct {
	X    float64
	Text string
}

// mapView is the map of the first trial, in units of its viewBox.
type mapView struct {
	Height float64
	Lines  []mapLine
	Nodes  []mapNode
	Scale  string
	Bar    float64 // length of the scale
}

type mapLine struct {
	X1, Y1, X2, Y2, Width float64
	Used                  bool
	Text                  string
}

type mapNode struct {
	X, Y, R float64
	Class   string
	Label   string
	Text    string
}

// The charts' measures, in units of their viewBoxes.
const (
	chartWidth  = 420.0
	chartHeight = 150.0
	mapMargin   = 26.0
	minMap      = 120.0
	maxMap      = 520.0
)

func (r *report) writeHTML(out io.Writer) error {
	p := page{
		Title: r.title(), Verdict: r.verdict(), Mood: "good", Map: r.mapView(), Trips: r.tripBars(), Kinds: r.kindBars(), Rows: r.rows(), Peers: r.o.peer != "",
	}
	switch {
	case strings.HasPrefix(p.Verdict, "No"):
		p.Mood = "bad"
	case strings.HasPrefix(p.Verdict, "Barely"):
		p.Mood = "weak"
	}
	if r.limit > 0 {
		p.Limit = fmt.Sprintf("%s an hour (%s)", seconds(r.limit), r.band)
	}
	p.Nodes, p.Others = r.nodeBars()
	p.Tiles = r.tiles()
	r.timeline(&p)
	return pageTemplate.Execute(out, p)
}

func (r *report) tiles() []tile {
	formed := "never"
	if len(r.sum.Formed) > 0 {
		formed = clock(fields.Quantile(r.sum.Formed, 0.5))
	}
	list := []tile{{"forms in", formed}}
	if r.sum.Asked > 0 {
		list = append(list, tile{"answered", fmt.Sprintf("%.1f %%", 100*r.sum.Answered())},
			tile{"round trip, median", fmt.Sprintf("%.2f s", fields.Quantile(r.sum.Trips, 0.5).Seconds())},
			tile{"slowest twentieth", fmt.Sprintf("%.1f s", fields.Quantile(r.sum.Trips, 0.95).Seconds())})
	}
	return append(list, tile{"air in use", fmt.Sprintf("%.1f %%", 100*r.air)}, tile{"busiest node", seconds(r.longest) + "/h"},
		tile{"collisions", fmt.Sprintf("%.1f %%", r.share(r.collided))}, tile{"not whole", fmt.Sprintf("%.2f %%", 100*r.sum.Broken.Hours())})
}

// loadClass colors a node by its share of what the law allows, or of the largest load.
func (r *report) loadClass(n *nodeReport) string {
	most := r.limit
	if most == 0 {
		most = max(r.longest, 1)
	}
	share := float64(n.Airtime) / float64(most)
	if share > 1 && r.limit > 0 {
		return "over"
	}
	const classes = 5
	return "l" + strconv.Itoa(min(int(share*classes), classes-1))
}

// mapView draws the map.
func (r *report) mapView() mapView {
	lowX, highX, lowY, highY := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, n := range r.nodes {
		lowX, highX, lowY, highY = min(lowX, n.X), max(highX, n.X), min(lowY, n.Y), max(highY, n.Y)
	}
	width, height := max(highX-lowX, 1e-9), highY-lowY
	scale := (chartWidth - 2*mapMargin) / width
	if height*scale > maxMap {
		scale = maxMap / height
	}
	v := mapView{Height: max(height*scale, minMap) + 2*mapMargin}
	left := (chartWidth - width*scale) / 2
	top := (v.Height - height*scale) / 2
	place := func(n *nodeReport) (x, y float64) {
		return round1(left + (n.X-lowX)*scale), round1(top + (highY-n.Y)*scale)
	}
	v.Lines = r.mapLines(place)
	radius := min(9, max(2.5, 160/math.Sqrt(float64(len(r.nodes)))/4))
	for i := range r.nodes {
		n := &r.nodes[i]
		x, y := place(n)
		m := mapNode{X: x, Y: y, R: round1(radius), Class: r.loadClass(n) + " " + n.Role}
		if n.Peer {
			m.Class += " peer"
		}
		if len(r.nodes) <= 64 {
			m.Label = n.Name
		}
		m.Text = fmt.Sprintf("%s: %s, %s an hour", n.Name, n.role(), seconds(n.Airtime))
		if n.Asked > 0 {
			m.Text += fmt.Sprintf(", %d of %d requests answered", n.Answered, n.Asked)
		}
		v.Nodes = append(v.Nodes, m)
	}
	if r.o.sites != nil || r.o.spacing > 0 {
		v.Scale, v.Bar = scaleBar(scale)
	}
	return v
}

// scaleBar finds a round length of about a quarter of the map.
func scaleBar(scale float64) (text string, length float64) {
	meters := chartWidth / 4 / scale
	unit := math.Pow(10, math.Floor(math.Log10(meters)))
	for _, f := range []float64{5, 2, 1} {
		if f*unit <= meters {
			unit *= f
			break
		}
	}
	if unit >= 1000 {
		return fmt.Sprintf("%g km", unit/1000), round1(unit * scale)
	}
	return fmt.Sprintf("%g m", unit), round1(unit * scale)
}

func (r *report) mapLines(place func(*nodeReport) (x, y float64)) (lines []mapLine) {
	s := &r.surveys[0]
	frames := map[[2]int]int{}
	most := 1
	for _, l := range s.Links {
		k := [2]int{min(l.From, l.To), max(l.From, l.To)}
		frames[k] += l.Frames
		most = max(most, frames[k])
	}
	for _, c := range s.Contacts {
		n := frames[[2]int{c.A, c.B}]
		x1, y1 := place(&r.nodes[c.A])
		x2, y2 := place(&r.nodes[c.B])
		lines = append(lines, mapLine{
			x1, y1, x2, y2, round1(0.8 + 5*math.Sqrt(float64(n)/float64(most))), n > 0,
			fmt.Sprintf("%s – %s: %.0f dBm, %d frames", r.nodes[c.A].Name, r.nodes[c.B].Name, c.RSSI, n),
		})
	}
	slices.SortStableFunc(lines, func(a, b mapLine) int { return cmp.Compare(a.Width, b.Width) })
	return lines
}

func round1(v float64) float64 { return math.Round(10*v) / 10 }

// tripLimits are the upper ends of the classes of round trips, in seconds.
var tripLimits = []float64{0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 7, 10, 15, 20, 30, 60}

func (r *report) tripBars() (bars []bar) {
	if r.sum.Asked == 0 {
		return nil
	}
	counts := make([]int, len(tripLimits)+1)
	for _, d := range r.sum.Trips {
		i, _ := slices.BinarySearch(tripLimits, d.Seconds())
		counts[i]++
	}
	lost := r.sum.Asked - len(r.sum.Trips)
	most := max(slices.Max(counts), lost, 1)
	low := "0"
	for i, n := range counts {
		name := "over " + low + " s"
		if i < len(tripLimits) {
			high := strconv.FormatFloat(tripLimits[i], 'g', -1, 64)
			name, low = low+" to "+high+" s", high
		}
		if n > 0 || i > 0 && i+1 < len(counts) && slices.ContainsFunc(counts[i:], func(n int) bool { return n > 0 }) && len(bars) > 0 {
			bars = append(bars, bar{Name: name, Value: percent(n, r.sum.Asked), Share: share(n, most)})
		}
	}
	if lost > 0 {
		bars = append(bars, bar{Name: "no answer", Value: percent(lost, r.sum.Asked), Share: share(lost, most), Class: "over"})
	}
	return bars
}

func percent(n, of int) string { return fmt.Sprintf("%.1f %%", 100*float64(n)/float64(of)) }

func share(n, most int) float64 { return round1(100 * float64(n) / float64(most)) }

const pageNodes = 40

func (r *report) nodeBars() (bars []bar, others int) {
	list := slices.Clone(r.nodes)
	slices.SortStableFunc(list, func(a, b nodeReport) int { return cmp.Compare(b.Airtime, a.Airtime) })
	if len(list) > pageNodes {
		list, others = list[:pageNodes], len(list)-pageNodes
	}
	most := max(list[0].Airtime, 1)
	if r.limit > 0 && r.limit < 4*most {
		most = max(most, r.limit*21/20)
	}
	for i := range list {
		n := &list[i]
		b := bar{Name: n.Name, Value: seconds(n.Airtime), Share: round1(100 * float64(n.Airtime) / float64(most)), Class: r.loadClass(n)}
		if n.Peer {
			b.Name += " (peer)"
		}
		if r.limit > 0 && r.limit < most {
			b.Mark = round1(100 * float64(r.limit) / float64(most))
		}
		bars = append(bars, b)
	}
	return bars, others
}

func (r *report) kindBars() (bars []bar) {
	for i, k := range r.kinds {
		if i == shownKinds {
			break
		}
		bars = append(bars, bar{
			Name: k.Name, Value: fmt.Sprintf("%.1f %%, %.0f an hour", 100*k.Share, k.Frames), Share: round1(100 * k.Share / max(r.kinds[0].Share, 1e-9)),
		})
	}
	return bars
}

// timeline draws the first trial's course: who is what, and how full the air is.
func (r *report) timeline(p *page) {
	line := r.surveys[0].Timeline
	if len(line) < 2 {
		return
	}
	nodes := float64(len(r.nodes))
	span := line[len(line)-1].At.Seconds()
	x := func(d time.Duration) float64 { return round1(chartWidth * d.Seconds() / span) }
	top := 0.05
	for _, m := range line {
		top = max(top, m.Air)
	}
	heights := func(of func(fields.Moment) int) string {
		var b strings.Builder
		fmt.Fprintf(&b, "0,%g", chartHeight)
		for _, m := range line {
			fmt.Fprintf(&b, " %g,%g", x(m.At), round1(chartHeight*(1-float64(of(m))/nodes)))
		}
		fmt.Fprintf(&b, " %g,%g", chartWidth, chartHeight)
		return b.String()
	}
	p.Roles = []area{
		{"detached", heights(func(m fields.Moment) int { return m.Routers + m.Children + m.Detached })},
		{"child", heights(func(m fields.Moment) int { return m.Routers + m.Children })},
		{"router", heights(func(m fields.Moment) int { return m.Routers })},
	}
	var air []string
	for _, m := range line[1:] {
		air = append(air, fmt.Sprintf("%g,%g", x(m.At), round1(chartHeight*(1-m.Air/top))))
	}
	p.Air, p.AirTop = strings.Join(air, " "), fmt.Sprintf("%.0f %%", 100*top)
	p.TimeMarks = marks(span, x)
	if f := r.surveys[0].Formed; f > 0 {
		p.Whole = &mark{x(f), "one mesh"}
	}
}

// marks are round times on an axis.
func marks(span float64, x func(time.Duration) float64) (list []mark) {
	for _, every := range []time.Duration{10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 24 * time.Hour, 168 * time.Hour} {
		if span/every.Seconds() > 8 {
			continue
		}
		for at := every; at.Seconds() < span; at += every {
			text := fmt.Sprintf("%g h", at.Hours())
			if every < time.Hour {
				text = fmt.Sprintf("%g min", at.Minutes())
			}
			list = append(list, mark{x(at), text})
		}
		break
	}
	return list
}
