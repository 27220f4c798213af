package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gopymesh/pymesh/examples/internal/about"
	"github.com/gopymesh/pymesh/internal/fields"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/lorasim"
)

// options are the command line's.
type options struct {
	// The field.
	field, topology, places string
	nodes                   int
	degree                  float64
	link                    float64 // dBm
	spacing                 float64 // meters; 0 where links are as strong as link says
	loss1m, exponent        float64
	shadowing               float64
	sites                   []site // of places
	left                    int

	// The radio.
	cfg    lora.Config
	driver bool
	duty   bool

	// The trial.
	over    time.Duration
	hours   float64
	seeds   int
	seed    uint64
	traffic fields.Traffic
	peer    string
	peers   int

	// The output.
	json, quiet bool
	pcap, html  string
	parallel    int
}

const usage = `Sim tells whether a mesh will work before it is built: it puts nodes on a simulated LoRa air, switches
them on, lets them talk for some hours of virtual time, and counts what is delivered and what it costs.

  sim                                          16 nodes in a grid, three trials
  sim -topology chain -nodes 6 -sf 9           a row, at SF9
  sim -places farm.csv -traffic reports        places in meters or degrees, all report to the first
  sim -field grid4 -seeds 10                   a field of the project's own table
  sim -places farm.geojson -html farm.html     with a page to look at

In a topology each node hears those next to it with the strength of -link. With -spacing, and with
-places, the strength follows from the distance: -power less -loss1m at one meter, and 10 times
-exponent dB more for each factor of ten, with -shadowing.

A file of places is CSV with a first line that names columns x and y (meters) or lat and lon
(degrees), and, if wanted, z and name; or GeoJSON with points.

Usage:
  sim [flags]

Flags:
`

// parse reads the command line.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := new(options)
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	raw := o.register(f)
	if err := about.Parse(f, args, usage, stderr); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("what is %q?", f.Arg(0))
	}
	given := map[string]bool{}
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	if err := o.checkField(given); err != nil {
		return nil, err
	}
	if err := raw.apply(o); err != nil {
		return nil, err
	}
	return o, o.check(given)
}

// words are flags that are more than they look.
type words struct {
	region, traffic string
	sf, bw, power   int
	frequency       float64
	size, sink      int
	period          time.Duration
}

func (o *options) register(f *flag.FlagSet) *words {
	w := new(words)
	f.StringVar(&o.field, "field", "", "`name` of a field: chain4, grid4, all16, star9, rand32 and the like")
	f.StringVar(&o.topology, "topology", "grid", "`form` of the field: chain, grid, cell (all hear all), star (hidden from each other) or random")
	f.IntVar(&o.nodes, "nodes", 16, "`number` of nodes; a grid is filled row by row")
	f.Float64Var(&o.degree, "density", fields.Degree, "random: mean `number` of neighbors")
	f.StringVar(&o.places, "places", "", "CSV or GeoJSON `file` with the places of the nodes")
	f.Float64Var(&o.link, "link", fields.Signal, "strength of links in `dBm`")
	f.Float64Var(&o.spacing, "spacing", 0, "`meters` from a node to the next: strength by distance, in place of -link")
	f.Float64Var(&o.loss1m, "loss1m", lorasim.DefaultLoss1m, "path loss at one meter in `dB`")
	f.Float64Var(&o.exponent, "exponent", lorasim.DefaultExponent, "path loss exponent: 2 in free space, 3 to 4 near the ground")
	f.Float64Var(&o.shadowing, "shadowing", 0, "standard deviation in `dB` of what hills and walls take from each link")

	f.IntVar(&w.sf, "sf", 7, "spreading `factor`, 6 to 12")
	f.IntVar(&w.bw, "bw", 0, "bandwidth in `kHz`: 125, 250 or 500; 0 for the region's")
	f.StringVar(&w.region, "region", "EU868", "`region`: EU868, US915, AU915, AS923, IN865, EU433 or CN470")
	f.Float64Var(&w.frequency, "frequency", 0, "`MHz`; 0 for the region's")
	f.IntVar(&w.power, "power", 0, "`dBm`; 0 for the region's")
	f.BoolVar(&o.driver, "driver", false, "radios with the pauses and the turnaround of the SX1276 driver, in place of ideal ones")
	f.BoolVar(&o.duty, "duty", false, "keep to the legal duty cycle: what is too much is not sent")

	f.DurationVar(&o.over, "over", time.Minute, "`time` within which the nodes are switched on; 2s is a power cut")
	f.Float64Var(&o.hours, "hours", 1, "`hours` of traffic, after the mesh has formed")
	f.IntVar(&o.seeds, "seeds", 3, "`number` of trials")
	f.Uint64Var(&o.seed, "seed", 1, "the first trial's `seed`")
	f.StringVar(&w.traffic, "traffic", "pairs", "`kind`: pairs (a random node asks another one), reports (all to -sink) or none")
	f.IntVar(&w.size, "size", 16, "`bytes` in a request, and in its answer")
	f.DurationVar(&w.period, "period", 0, "`time` between two requests: of the mesh with pairs (20s), of each node with reports (5m)")
	f.IntVar(&w.sink, "sink", 1, "reports: `number` of the node that gets them, from 1 on")
	f.StringVar(&o.peer, "peer", "", "`program` of OpenThread's simulation (ot-cli-ftd, virtual time) at some of the places")
	f.IntVar(&o.peers, "peers", 0, "`number` of places with -peer; 0 for every second one")

	f.BoolVar(&o.json, "json", false, "print JSON")
	f.StringVar(&o.pcap, "pcap", "", "write what the first trial sent to a `file` for Wireshark")
	f.StringVar(&o.html, "html", "", "write a page about the trials to a `file`")
	f.IntVar(&o.parallel, "parallel", runtime.GOMAXPROCS(0), "`number` of trials at a time")
	f.BoolVar(&o.quiet, "q", false, "no progress on standard error")
	return w
}

// apply takes over words.
func (w *words) apply(o *options) error {
	region, err := lora.ParseRegion(w.region)
	if err != nil {
		return fmt.Errorf("-region: %w", err)
	}
	const maxMHz = 3000
	if w.frequency < 0 || w.frequency > maxMHz || math.IsNaN(w.frequency) {
		return fmt.Errorf("-frequency %v is no frequency in MHz", w.frequency)
	}
	if w.sf < 6 || w.sf > 12 {
		return fmt.Errorf("-sf %d is not in 6 to 12", w.sf)
	}
	if w.bw < 0 || w.bw > 500 {
		return fmt.Errorf("-bw %d is none of 125, 250 and 500", w.bw)
	}
	o.cfg = lora.Config{
		Region: region, Frequency: lora.Frequency(math.Round(w.frequency*1e6)) * lora.Hz, Bandwidth: lora.Bandwidth(w.bw * 1000),
		SpreadingFactor: lora.SpreadingFactor(w.sf), TxPower: w.power,
	}.WithDefaults()
	if err := o.cfg.Validate(); err != nil {
		return err
	}
	pattern, err := fields.ParsePattern(w.traffic)
	if err != nil {
		return fmt.Errorf("-traffic: %w", err)
	}
	o.traffic = fields.Traffic{Pattern: pattern, Period: w.period, Size: w.size, Sink: w.sink - 1}
	if w.period == 0 {
		o.traffic.Period = 20 * time.Second
		if pattern == fields.Reports {
			o.traffic.Period = 5 * time.Minute
		}
	}
	return nil
}

// checkField finds out which of the ways to a field was taken.
func (o *options) checkField(given map[string]bool) (err error) {
	if err := o.checkDistance(given); err != nil {
		return err
	}
	switch {
	case o.field != "" && o.places != "":
		return errors.New("-field and -places exclude each other")
	case (o.field != "" || o.places != "") && (given["topology"] || given["nodes"]):
		return errors.New("-topology and -nodes do not go with -field and -places")
	case o.field != "":
		if o.topology, o.nodes, err = fields.ParseName(o.field); err != nil {
			return fmt.Errorf("-field: %w", err)
		}
	case o.places != "":
		if o.sites, o.left, err = readPlaces(o.places); err != nil {
			return fmt.Errorf("-places: %w", err)
		}
		o.nodes = len(o.sites)
	case o.nodes < 2 || o.nodes > maxNodes:
		return fmt.Errorf("-nodes %d is not in 2 to %d", o.nodes, maxNodes)
	}
	return nil
}

// checkDistance finds out whether strength follows from distance.
func (o *options) checkDistance(given map[string]bool) error {
	switch {
	case given["spacing"] && !(o.spacing > 0 && o.spacing < maxSpan):
		return fmt.Errorf("-spacing %v is no distance in meters", o.spacing)
	case given["link"] && (given["spacing"] || o.places != ""):
		return errors.New("-link does not go with -spacing and -places: there the strength follows from the distance")
	case given["spacing"] && o.places != "":
		return errors.New("-spacing does not go with -places")
	}
	return nil
}

const (
	maxHours = 24 * 31
	maxSeeds = 1000
)

func (o *options) check(given map[string]bool) error {
	switch {
	case o.over <= 0 || !(o.hours > 0 && o.hours <= maxHours):
		return fmt.Errorf("-over must be positive, -hours more than 0 and at most %d", maxHours)
	case o.seeds < 1 || o.seeds > maxSeeds || o.parallel < 1:
		return fmt.Errorf("-seeds must be 1 to %d, -parallel at least 1", maxSeeds)
	case o.peer == "" && given["peers"]:
		return errors.New("-peers goes with -peer")
	case o.peers < 0 || o.peers > o.nodes:
		return fmt.Errorf("-peers %d is not in 0 to %d", o.peers, o.nodes)
	}
	if o.peer != "" {
		if _, err := os.Stat(o.peer); err != nil {
			return fmt.Errorf("-peer: %w", err)
		}
	}
	if err := errors.Join(o.checkPath(), o.checkTraffic()); err != nil {
		return err
	}
	if !strings.Contains(" chain grid cell star random ", " "+o.topology+" ") {
		return fmt.Errorf("-topology %q is none of chain, grid, cell, star and random", o.topology)
	}
	return nil
}

func (o *options) checkPath() error {
	for name, v := range map[string]float64{"link": o.link, "loss1m": o.loss1m, "exponent": o.exponent, "shadowing": o.shadowing, "density": o.degree} {
		if bad(v) || math.Abs(v) > 1000 {
			return fmt.Errorf("-%s %v is out of range", name, v)
		}
	}
	if o.exponent < 0 || o.shadowing < 0 || o.degree < 1 || o.degree > 100 {
		return errors.New("-exponent and -shadowing must not be negative, -density must be 1 to 100")
	}
	return nil
}

func (o *options) checkTraffic() error {
	switch shortest := o.cfg.Airtime(lora.MaxPacket) / 10; {
	case o.traffic.Pattern != fields.Silence && o.traffic.Period < shortest:
		return fmt.Errorf("-period %v is shorter than a tenth of a packet's airtime", o.traffic.Period)
	case o.traffic.Size < 0 || o.traffic.Size > fields.MaxSize:
		return fmt.Errorf("-size %d is not in 0 to %d", o.traffic.Size, fields.MaxSize)
	case o.traffic.Sink < 0 || o.traffic.Sink >= o.nodes:
		return fmt.Errorf("-sink %d is not one of %d nodes", o.traffic.Sink+1, o.nodes)
	}
	return nil
}

// layout returns the field of a trial.
func (o *options) layout(seed uint64) fields.Field {
	f := fields.Field{Name: o.topology, Propagation: fields.Within(fields.Reach, o.link)}
	switch {
	case o.sites != nil:
		f.Name = filepath.Base(o.places)
		for _, s := range o.sites {
			f.Places = append(f.Places, s.Position)
		}
	case o.topology == "chain":
		f.Places = fields.Chain(o.nodes)
	case o.topology == "cell":
		f.Places = fields.Cell(o.nodes)
	case o.topology == "star":
		f.Places, f.Propagation = fields.Star(o.nodes), fields.Spokes(o.link)
	case o.topology == "random":
		f.Places = fields.Random(o.nodes, o.degree, seed)
	default:
		columns := int(math.Ceil(math.Sqrt(float64(o.nodes))))
		f.Places = fields.Grid(columns, (o.nodes+columns-1)/columns)[:o.nodes]
	}
	if o.field != "" {
		f.Name = o.field
	}
	if o.sites != nil || o.spacing > 0 {
		f.Propagation = lorasim.LogDistance(o.loss1m, o.exponent)
		if o.spacing > 0 {
			for i, p := range f.Places {
				f.Places[i] = lorasim.Position{X: p.X * o.spacing, Y: p.Y * o.spacing}
			}
		}
	}
	return f
}

// name returns what a node is called.
func (o *options) name(i int) string {
	if o.sites != nil {
		return o.sites[i].Name
	}
	return fmt.Sprint(i + 1)
}

// isPeer reports whether a place is -peer's.
func (o *options) isPeer(i int) bool {
	switch {
	case o.peer == "":
		return false
	case o.peers == 0:
		return i%2 == 1
	default: // spread evenly
		n := o.nodes
		return (i+1)*o.peers/n != i*o.peers/n
	}
}

// trial returns a trial but for its progress.
func (o *options) trial(seed uint64) fields.Trial {
	t := fields.Trial{
		Field: o.layout(seed), Seed: seed, Over: o.over, Measure: time.Duration(o.hours * float64(time.Hour)), Traffic: o.traffic,
		DutyCycle: o.duty, Details: true, Air: lorasim.Options{Config: o.cfg, Shadowing: o.shadowing},
	}
	if o.driver {
		t.Air.Manners = lorasim.DriverManners(o.cfg)
	}
	if o.peer != "" {
		t.Program = func(i int) string {
			if o.isPeer(i) {
				return o.peer
			}
			return ""
		}
	}
	return t
}
