// Sim tells whether a LoRa mesh will work before it is built: how long it takes to form, what it delivers, what that costs of the air and of
// the airtime that the law allows. Everything happens in virtual time: an hour of 16 nodes takes less than a second.
//
//	go run ./examples/sim                                                # 16 nodes in a grid
//	go run ./examples/sim -places farm.csv -sf 9 -traffic reports        # places in meters or degrees
//	go run ./examples/sim -places farm.geojson -html farm.html           # with a page to look at
//	go run ./examples/sim -field grid4 -seeds 10                         # a field of the project's own table
//
// With -peer some of the nodes are OpenThread's own, as programs of its simulation, with the manners of Pycom's boards.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gopymesh/pymesh/internal/fields"
)

// Exit codes.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitInterrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	o, err := parse(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintf(stderr, "sim: %v (sim -h explains)\n", err)
		return exitUsage
	}
	if o.left > 0 && !o.quiet {
		fmt.Fprintf(stderr, "sim: %s: %d shapes are no points, and no nodes\n", o.places, o.left)
	}
	err = o.run(ctx, stdout, stderr)
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(stderr, "sim: interrupted")
		return exitInterrupted
	case err != nil:
		fmt.Fprintln(stderr, "sim:", err)
		return exitFailure
	}
	return 0
}

// run tries all seeds and prints what came out.
func (o *options) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	show := newProgress(o, stderr)
	surveys, err := o.survey(ctx, show)
	show.done()
	if len(surveys) == 0 {
		return err // what is only interrupted has something to say
	}
	r := newReport(o, surveys)
	switch {
	case o.json:
		err = errors.Join(err, r.writeJSON(stdout))
	default:
		err = errors.Join(err, r.writeText(stdout))
	}
	if o.html != "" {
		err = errors.Join(err, writeFile(o.html, r.writeHTML))
	}
	return err
}

// writeFile makes a file.
func writeFile(name string, write func(io.Writer) error) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// survey tries all seeds, some of them at a time. If it is interrupted, it returns those that were finished.
func (o *options) survey(ctx context.Context, show *progress) (surveys []fields.Survey, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var capture io.WriteCloser
	if o.pcap != "" {
		if capture, err = os.Create(o.pcap); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, capture.Close()) }()
	}
	all := make([]*fields.Survey, o.seeds)
	next := make(chan int)
	var group sync.WaitGroup
	for range min(o.parallel, o.seeds) {
		group.Go(func() {
			for k := range next {
				t := o.trial(o.seed + uint64(k))
				if k == 0 && capture != nil {
					t.Air.Capture = capture
				}
				t.Progress = show.of(k)
				s, err := fields.Run(ctx, t)
				if err != nil {
					cancel(fmt.Errorf("seed %d: %w", t.Seed, err))
					return
				}
				all[k] = &s
				show.finished(k, &s)
			}
		})
	}
	for k := range o.seeds {
		select {
		case next <- k:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	group.Wait()
	for _, s := range all {
		if s != nil {
			surveys = append(surveys, *s)
		}
	}
	return surveys, context.Cause(ctx)
}

// progress is what is said on standard error meanwhile.
type progress struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	quiet    bool
	seeds    int
	seed     uint64
	complete int
	last     time.Time
	open     bool // a line without an end
}

// pause is the time between two lines of progress, or between two states of the one on a terminal.
const (
	terminalPause = 200 * time.Millisecond
	linePause     = 5 * time.Second
)

func newProgress(o *options, out io.Writer) *progress {
	p := &progress{out: out, quiet: o.quiet, seeds: o.seeds, seed: o.seed, last: time.Now()}
	if f, ok := out.(*os.File); ok {
		info, err := f.Stat()
		p.terminal = err == nil && info.Mode()&os.ModeCharDevice != 0
	}
	return p
}

// of returns what a trial tells of its progress.
func (p *progress) of(k int) func(fields.Progress) {
	return func(f fields.Progress) {
		what := fmt.Sprintf("%.0f %% of the traffic", 100*f.Share)
		if f.Forming {
			what = fmt.Sprintf("%d of %d nodes attached, %d partitions", f.Attached, f.Nodes, f.Partitions)
		}
		p.say(false, "trial %d of %d: %v, %s", k+1, p.seeds, f.Elapsed.Round(time.Second), what)
	}
}

// finished tells of a trial that is over.
func (p *progress) finished(k int, s *fields.Survey) {
	p.mu.Lock()
	p.complete++
	p.mu.Unlock()
	formed := "never one mesh"
	if s.Formed > 0 {
		formed = "one mesh after " + s.Formed.Round(time.Second).String()
	}
	p.say(true, "trial %d of %d: seed %d, %s", k+1, p.seeds, p.seed+uint64(k), formed)
}

// say prints a line, unless the last one is too new; one that must be said is.
func (p *progress) say(must bool, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pause := linePause
	if p.terminal {
		pause = terminalPause
	}
	if p.quiet || !must && time.Since(p.last) < pause {
		return
	}
	p.last = time.Now()
	const clear = "\r\x1b[K"
	if p.terminal {
		fmt.Fprintf(p.out, clear+format, args...)
		p.open = true
		return
	}
	fmt.Fprintf(p.out, format+"\n", args...)
}

// done ends the line on a terminal.
func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
