package lora

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/gopymesh/pymesh/internal/lasting"
	"github.com/gopymesh/pymesh/internal/steady"
)

// Governor is a Radio that keeps to the duty cycle of its sub-band. See [Govern].
//
// Its methods may be called by many goroutines at once.
type Governor struct {
	radio  Radio
	clock  *steady.Clock
	began  time.Time
	opt    governing
	closed chan struct{}
	once   sync.Once

	saving sync.Mutex    // held while the store is written
	known  []SentAirtime // what the store had at first
	failed bool          // the store was not read
	disk   lasting.Condition

	mu       sync.Mutex
	cfg      Config     // of current
	current  []*account // of the sub-bands that the signal touches
	accounts []*account // of all sub-bands so far
	limited  bool       // an episode of waiting, which has been logged
}

var (
	_ Radio   = (*Governor)(nil)
	_ Clocked = (*Governor)(nil)
	_ Sleeper = (*Governor)(nil)
	_ Meter   = (*Governor)(nil)
)

type governing struct {
	log       *slog.Logger
	maxWait   time.Duration
	dutyCycle float64 // negative: as the region has it
	store     AirtimeStore
}

// A GovernorOption changes how a radio is governed.
type GovernorOption func(*governing)

// WithLogger sets where a Governor logs: at Warn when it begins to hold packets back, once
// until it is over, and at Info then. It is silent by default.
func WithLogger(l *slog.Logger) GovernorOption { return func(g *governing) { g.log = l } }

// WithMaxWait lets Send wait up to a time until a packet is allowed. By default it does not wait.
//
// That is right for a mesh: a Send that waits leaves its node no room for acknowledgments. A
// program that sends for itself may prefer to wait.
func WithMaxWait(d time.Duration) GovernorOption { return func(g *governing) { g.maxWait = d } }

// WithDutyCycle sets the share of an hour for which the radio may send, in every sub-band, in
// place of the region's: of a country with rules of its own, say, or 100.0/3600 for polite
// spectrum access in Europe, which allows 100 s an hour. With 0 or 1 there is no limit, but
// airtime is still counted.
func WithDutyCycle(share float64) GovernorOption {
	return func(g *governing) { g.dutyCycle = max(share, 0) }
}

// WithAirtimeStore sets where a Governor keeps what it has sent, in every sub-band, so that the hour goes on when the program starts
// anew. The Governor stores it a sixteenth of an hour's airtime ahead of its use: that much a crash costs. An empty store says that
// nothing was sent. Without a store, and with one that cannot be read, see [Govern].
func WithAirtimeStore(s AirtimeStore) GovernorOption { return func(g *governing) { g.store = s } }

// Govern wraps a radio so that it keeps to the duty cycle that its region has for its
// sub-band ([Config.SubBands]): over any hour, by the radio's clock. Where the region has
// none it lets everything pass, so that every radio may be governed:
//
//	chip, err := sx1276.Open(board, cfg)
//	…
//	radio := lora.Govern(chip, lora.WithLogger(log))
//	node, err := pymesh.New(radio, …)
//
// A packet that is not allowed is never dropped in silence: Send waits for up to [WithMaxWait],
// or returns [ErrDutyCycle]. A mesh that stops talking falls apart, so data must leave
// something for what matters more, told by the header of an IEEE 802.15.4 frame:
//
//   - Acknowledgments are sent as long as anything is left.
//   - Frames that the MAC does not secure, which are those that keep up the mesh, stop at 98 %
//     of the airtime allowed in an hour.
//   - All else stops at 95 %, less what the others will need: as much as they have needed in
//     the last hour, 60 % at most.
//
// A signal that lies in no sub-band has the lowest duty cycle of the region.
//
// What was sent before Govern counts, too: give it a store ([WithAirtimeStore]). Without one nobody knows, and the hour before counts as
// 80 % used, which comes free evenly over the next hour. That is enough for a mesh to form, but each start has some airtime at
// once: five in an hour can send half as much again as is allowed. A Governor knows nothing of what another radio sends on the
// same sub-band.
func Govern(radio Radio, options ...GovernorOption) *Governor {
	g := &Governor{
		radio: radio, clock: steady.New(ClockOf(radio)), closed: make(chan struct{}),
		opt: governing{log: slog.New(slog.DiscardHandler), dutyCycle: -1},
	}
	for _, o := range options {
		o(&g.opt)
	}
	if g.opt.log == nil {
		g.opt.log = slog.New(slog.DiscardHandler)
	}
	g.began = g.clock.Now()
	if s := g.opt.store; s != nil {
		var err error
		if g.known, err = s.LoadAirtime(); err != nil {
			g.opt.log.Warn("duty cycle: what was sent before cannot be read: the last hour counts as used for the most part", "err", err)
			g.failed = true
		}
	}
	g.tune(radio.Config())
	return g
}

// tune chooses the accounts. g.mu is held, or g not yet known to others.
func (g *Governor) tune(cfg Config) {
	if cfg == g.cfg && g.current != nil {
		return
	}
	g.cfg, g.current = cfg, nil
	for _, b := range cfg.governed() {
		if g.opt.dutyCycle >= 0 {
			b.DutyCycle = g.opt.dutyCycle
		}
		if b.DutyCycle >= 1 {
			b.DutyCycle = 0
		}
		g.current = append(g.current, g.account(b))
	}
}

// account returns the account of a sub-band.
func (g *Governor) account(b SubBand) *account {
	for _, a := range g.accounts {
		if a.band == b {
			return a
		}
	}
	a := newAccount(b)
	switch i := slices.IndexFunc(g.known, func(s SentAirtime) bool { return s.SubBand == b.Name }); {
	case i >= 0:
		a.recall(g.began, g.known[i])
	case g.opt.store == nil, g.failed:
		a.presume(g.began)
	}
	g.accounts = append(g.accounts, a)
	return a
}

// governed returns the sub-bands whose duty cycle holds.
func (c Config) governed() []SubBand {
	bands := c.SubBands()
	if len(bands) > 0 {
		return bands
	}
	outside := SubBand{Name: "outside"}
	for _, b := range c.Region.SubBands() {
		if outside.DutyCycle == 0 || b.DutyCycle > 0 && b.DutyCycle < outside.DutyCycle {
			outside.DutyCycle = b.DutyCycle
		}
	}
	return []SubBand{outside}
}

// Config returns the settings of the radio.
func (g *Governor) Config() Config { return g.radio.Config() }

// Radio returns the radio that it governs, which may tell more than a [Radio] does.
func (g *Governor) Radio() Radio { return g.radio }

// Clock returns the clock of the radio.
func (g *Governor) Clock() Clock { return ClockOf(g.radio) }

// Sleep says whether the radio may sleep, if it is a [Sleeper].
func (g *Governor) Sleep(asleep bool) {
	if r, ok := g.radio.(Sleeper); ok {
		r.Sleep(asleep)
	}
}

// Power asks the radio, if it is a [Meter]; else the error is [errors.ErrUnsupported].
func (g *Governor) Power(ctx context.Context) (int, error) {
	m, ok := g.radio.(Meter)
	if !ok {
		return 0, fmt.Errorf("lora: the power on the channel: %w", errors.ErrUnsupported)
	}
	return m.Power(ctx)
}

// Receive waits for a packet, as the radio does.
func (g *Governor) Receive(ctx context.Context, buf []byte) (Reception, error) {
	return g.radio.Receive(ctx, buf)
}

// Close closes the radio, and stores what was sent.
func (g *Governor) Close() error {
	err := g.radio.Close()
	g.once.Do(func() {
		close(g.closed)
		g.save(true)
	})
	return err
}

// save stores what was sent; last is without more to come. A store that fails stops nobody: the count of this run goes on.
func (g *Governor) save(last bool) {
	if g.opt.store == nil {
		return
	}
	g.saving.Lock()
	defer g.saving.Unlock()
	g.mu.Lock()
	now := g.clock.Now()
	sent := make([]SentAirtime, 0, len(g.accounts)+len(g.known))
	for _, a := range g.accounts {
		if a.limit > 0 {
			sent = append(sent, a.record(now, last))
			a.unsaved, a.stored = 0, true
		}
	}
	for _, s := range g.known { // of a sub-band in which the radio has not been since
		if !slices.ContainsFunc(sent, func(o SentAirtime) bool { return o.SubBand == s.SubBand }) {
			sent = append(sent, s)
		}
	}
	g.mu.Unlock()
	if err := g.opt.store.SaveAirtime(sent); err != nil {
		g.disk.Log(now, g.opt.log, slog.LevelWarn, "duty cycle: what is sent is not stored", "err", err)
	}
}

// Send transmits a packet when the duty cycle allows, as [Govern] says.
func (g *Governor) Send(ctx context.Context, packet []byte) error {
	return g.transmit(ctx, packet, nil)
}

// Answer is Send for an answer, if the radio is an [Answerer].
func (g *Governor) Answer(ctx context.Context, packet []byte) error {
	r, _ := g.radio.(Answerer)
	return g.transmit(ctx, packet, r)
}

// transmit sends a packet: as an answer, if it is given a radio for that.
func (g *Governor) transmit(ctx context.Context, packet []byte, answerer Answerer) error {
	cfg := g.radio.Config()
	p := parcel{airtime: cfg.Airtime(len(packet)), rank: rankOf(packet)}
	accounts, err := g.book(ctx, cfg, p)
	if err != nil {
		return err
	}
	if g.ahead(accounts, p.rank) {
		g.save(false)
	}
	began := g.clock.Now()
	if answerer != nil {
		err = answerer.Answer(ctx, packet)
	} else {
		err = g.radio.Send(ctx, packet)
	}
	now := g.clock.Now()
	took := p.airtime
	switch {
	case err == nil, ctx.Err() != nil:
	case errors.Is(err, ErrChannelBusy), errors.Is(err, ErrPacketSize), errors.Is(err, ErrClosed):
		took = 0
	default: // nobody knows how much was sent, but no more than there was time for
		took = min(took, max(now.Sub(began), 0))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range accounts {
		a.settle(now, p, took)
	}
	return err
}

// ahead reports whether what is stored ahead comes to its end. An acknowledgment, which waits for no disk, may use all of it.
func (g *Governor) ahead(accounts []*account, r rank) bool {
	if g.opt.store == nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, a := range accounts {
		most := a.share(aheadShare)
		if r < rankAck {
			most /= 2
		}
		if a.limit > 0 && (a.unsaved > most || !a.stored) {
			return true
		}
	}
	return false
}

// book waits until a packet may be sent and sets its airtime aside.
func (g *Governor) book(ctx context.Context, cfg Config, p parcel) ([]*account, error) {
	latest := g.clock.Now().Add(g.opt.maxWait)
	for waited := false; ; waited = true {
		accounts, until := g.tryBook(cfg, p, latest, waited)
		if accounts != nil {
			return accounts, nil
		}
		if until.IsZero() {
			return nil, ErrDutyCycle
		}
		timer := time.NewTimer(g.clock.Until(until))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, ctx.Err()
		case <-g.closed:
			timer.Stop()
			return nil, ErrClosed
		}
	}
}

// tryBook sets the airtime of a packet aside in the accounts that it returns. If there is
// not enough left it returns none, and when there will be; zero if that is too late.
func (g *Governor) tryBook(cfg Config, p parcel, latest time.Time, waited bool) (accounts []*account, until time.Time) {
	g.mu.Lock()
	g.tune(cfg)
	now := g.clock.Now()
	tightest, wait, calm := g.current[0], time.Duration(0), true
	for _, a := range g.current {
		if w := a.wait(now, p); w > wait {
			tightest, wait = a, w
		}
		calm = calm && a.calm(now)
	}
	began, ended := false, false
	switch {
	case wait == 0:
		accounts = g.current
		for _, a := range accounts {
			a.booked += p.airtime
			a.unsaved += p.airtime
		}
		ended = g.limited && calm
		g.limited = g.limited && !calm
	case wait > latest.Sub(now):
		tightest.refused++
		began = !g.limited
		g.limited = true
	default:
		until = now.Add(wait)
		if !waited {
			tightest.delayed++
		}
		began = !g.limited
		g.limited = true
	}
	var usage Usage
	if began || ended {
		usage = tightest.usage(now)
	}
	g.mu.Unlock()

	switch { // without the lock: the handler may ask for Usage
	case began:
		g.opt.log.Warn("duty cycle: packets are held back", "subband", usage.SubBand.Name, "used", usage.Used, "limit", usage.Limit)
	case ended:
		g.opt.log.Info("duty cycle: packets are no longer held back", "subband", usage.SubBand.Name, "used", usage.Used)
	}
	return accounts, until
}

// Usage is what a radio has sent in a sub-band.
type Usage struct {
	SubBand SubBand
	// Limit is the airtime allowed in any hour; 0 is no limit.
	Limit time.Duration
	// Used is the airtime of the last hour, with a packet that is being sent.
	Used time.Duration
	// Left is what is left of Limit; 0 also where there is no limit.
	Left time.Duration
	// Need is what acknowledgments and what holds the mesh together will take, at their pace of the last ten minutes, until as much of Used is
	// forgotten; in the first twenty minutes at that of the last six and a half if it is lower; 0 also where there is no limit.
	Need time.Duration
	// Delayed counts packets that had to wait, Refused those that Send returned with
	// ErrDutyCycle.
	Delayed, Refused uint64
}

// String returns a line for people, such as "M: 12.3s of 36s used".
func (u Usage) String() string {
	used := u.Used.Round(time.Millisecond)
	if u.Limit == 0 {
		return fmt.Sprintf("%s: %v used, no limit", u.SubBand.Name, used)
	}
	return fmt.Sprintf("%s: %v of %v used", u.SubBand.Name, used, u.Limit)
}

// Usage returns the airtime used and left, of each sub-band in which the radio has been.
func (g *Governor) Usage() []Usage {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.clock.Now()
	list := make([]Usage, len(g.accounts))
	for i, a := range g.accounts {
		list[i] = a.usage(now)
	}
	return list
}
