package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/gopymesh/pymesh/thread"
	"github.com/gopymesh/pymesh/thread/keys"
)

// inode is the content of a file. It is on the disk at once: write syncs it.
type inode struct{ data []byte }

// A memDisk is a disk on which things go wrong: at random it is full, or loses power in the middle of a step. Then directory entries that
// were not synced are as before or as they should be, each for itself.
type memDisk struct {
	rand    *rand.Rand
	names   map[string]*inode // as programs see them
	synced  map[string]*inode // as they were at the last sync
	pending []func(map[string]*inode)
	noLinks bool
	crash   int // a step in so many loses power, 0 for none
	fail    int // a step in so many fails
}

var (
	errPowerLost = errors.New("power lost")
	errNoSpace   = errors.New("no space left on device")
)

func newMemDisk(r *rand.Rand) *memDisk {
	return &memDisk{rand: r, names: map[string]*inode{}, synced: map[string]*inode{}}
}

// chance decides the fate of a step.
func (d *memDisk) chance() error {
	switch {
	case d.crash > 0 && d.rand.IntN(d.crash) == 0:
		panic(errPowerLost)
	case d.fail > 0 && d.rand.IntN(d.fail) == 0:
		return errNoSpace
	}
	return nil
}

// change changes the directory.
func (d *memDisk) change(f func(map[string]*inode)) {
	f(d.names)
	d.pending = append(d.pending, f)
}

// reboot is what the disk has after a loss of power.
func (d *memDisk) reboot() {
	for _, f := range d.pending {
		if d.rand.IntN(2) == 0 {
			f(d.synced)
		}
	}
	d.pending = nil
	d.names = map[string]*inode{}
	for name, n := range d.synced {
		d.names[name] = n
	}
}

func (d *memDisk) read(name string) ([]byte, error) {
	n, ok := d.names[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return bytes.Clone(n.data), nil
}

func (d *memDisk) size(name string) (int64, error) {
	b, err := d.read(name)
	return int64(len(b)), err
}

func (d *memDisk) write(name string, b []byte) error {
	if err := d.remove(name); err != nil {
		return err
	}
	n := &inode{}
	d.change(func(m map[string]*inode) { m[name] = n })
	// Torn: a part of it, and zeros where blocks were given to the file but not written.
	n.data = bytes.Clone(b)
	clear(n.data[d.rand.IntN(len(b)):])
	n.data = n.data[:d.rand.IntN(len(b)+1)]
	if err := d.chance(); err != nil {
		return err
	}
	n.data = bytes.Clone(b)
	return d.chance()
}

func (d *memDisk) link(name, second string) error {
	if d.noLinks {
		return errors.ErrUnsupported
	}
	n, ok := d.names[name]
	if _, exists := d.names[second]; !ok || exists {
		return fs.ErrInvalid
	}
	if err := d.chance(); err != nil {
		return err
	}
	d.change(func(m map[string]*inode) { m[second] = n })
	return d.chance()
}

func (d *memDisk) rename(from, to string) error {
	n, ok := d.names[from]
	if !ok {
		return fs.ErrNotExist
	}
	if err := d.chance(); err != nil {
		return err
	}
	d.change(func(m map[string]*inode) {
		if m[from] == n {
			delete(m, from)
		}
		m[to] = n
	})
	return d.chance()
}

func (d *memDisk) remove(name string) error {
	if err := d.chance(); err != nil {
		return err
	}
	if _, ok := d.names[name]; ok {
		d.change(func(m map[string]*inode) { delete(m, name) })
	}
	return nil
}

func (d *memDisk) syncDirectory(string) error {
	if err := d.chance(); err != nil {
		return err
	}
	d.synced = map[string]*inode{}
	for name, n := range d.names {
		d.synced[name] = n
	}
	d.pending = nil
	return d.chance()
}

// damage changes the content of a file, in each name that it has, or removes a name.
func (d *memDisk) damage(name string) {
	n, ok := d.names[name]
	if !ok {
		return
	}
	switch d.rand.IntN(4) {
	case 0:
		delete(d.names, name)
		delete(d.synced, name)
	case 1:
		n.data = n.data[:d.rand.IntN(len(n.data))]
	case 2:
		clear(n.data)
	default:
		n.data[d.rand.IntN(len(n.data))] ^= 0x10
	}
}

// space is what counters are counted in: a key, by network key and sequence, and an address.
type space struct {
	key, ext byte
	sequence uint32
	layer    int
}

// A user uses frame counters as an engine does, with a store on a bad disk.
type user struct {
	t    *testing.T
	rand *rand.Rand
	disk *memDisk
	lock *lock

	store          *Store
	key, ext       byte
	seq            uint32
	least, highest uint32
	next, limit    [2]uint32
	spent          map[space]uint32 // least counter that was not used
	damaged        bool             // since something was saved last; a recovery that loses power may be undone
	saves, uses    int
	recoveries     int
}

const counterAhead, nearEnd = 1000, math.MaxUint32 - 10000

func (u *user) settings() thread.Settings {
	limit := func(n uint32) uint32 { return n + min(counterAhead, math.MaxUint32-n) }
	return thread.Settings{
		NetworkKey: [16]byte{u.key}, ExtAddr: [8]byte{u.ext}, KeySequence: keys.Sequence(u.seq),
		LeastKeySequence: keys.Sequence(u.least), HighestKeySequence: keys.Sequence(max(u.highest, u.seq)),
		MACFrameCounter: limit(u.next[0]), MLEFrameCounter: limit(u.next[1]),
	}
}

// save stores limits. They hold when that has worked.
func (u *user) save() bool {
	s := u.settings()
	if err := u.store.Save(s); err != nil {
		if !errors.Is(err, errNoSpace) {
			u.t.Fatal(err)
		}
		return false
	}
	u.saves++
	u.damaged = false
	u.limit = [2]uint32{s.MACFrameCounter, s.MLEFrameCounter}
	return true
}

// use uses up to n counters.
func (u *user) use(layer int, n uint32) {
	for n > 0 {
		if u.next[layer] >= u.limit[layer] && (u.next[layer] == math.MaxUint32 || !u.save()) {
			return
		}
		at := space{u.key, u.ext, u.seq, layer}
		if u.next[layer] < u.spent[at] {
			u.t.Fatalf("counter %d again in %+v, %d is the next", u.next[layer], at, u.spent[at])
		}
		some := min(n, u.limit[layer]-u.next[layer])
		u.uses += int(some)
		u.next[layer] += some
		u.spent[at] = u.next[layer]
		n -= some
	}
}

// move moves to another sequence, which is stored before it is used.
func (u *user) move(seq uint32) {
	u.seq, u.highest = seq, max(u.highest, seq)
	u.limit = [2]uint32{}
}

// live does things until it loses power, or goes down by itself.
func (u *user) live() {
	defer func() {
		if r := recover(); r != nil && r != any(errPowerLost) {
			panic(r)
		}
	}()
	if !u.save() {
		return
	}
	for range u.rand.IntN(20) {
		if max(u.next[0], u.next[1]) > nearEnd {
			u.least = max(u.highest, u.seq) + 1
			u.move(u.least)
			u.next = [2]uint32{}
		}
		switch u.rand.IntN(9) {
		case 8:
			if i := u.rand.IntN(2); u.next[i] < nearEnd-2000 { // as after years
				u.next[i] = nearEnd - u.rand.Uint32N(2000)
			}
		case 0:
			u.move(u.seq + 1)
		case 1:
			u.move(u.seq + u.rand.Uint32N(40))
		case 2:
			u.key ^= 1
			u.move(u.least)
			if !u.save() {
				return
			}
		case 3:
			u.save() // for another reason
		default:
			u.use(u.rand.IntN(2), u.rand.Uint32N(1500))
		}
	}
}

// boot opens the store after a loss of power, or the end of the process alone. Then a file may be damaged. It takes up what is there.
func (u *user) boot() {
	if u.rand.IntN(3) > 0 {
		u.disk.reboot()
	}
	if u.rand.IntN(4) == 0 {
		u.disk.damage("s")
		u.damaged = true
	}
	crash, fail := u.disk.crash, u.disk.fail
	defer func() { u.disk.crash, u.disk.fail = crash, fail }()
	for {
		u.disk.crash, u.disk.fail = 0, 0
		u.store = &Store{path: "s", disk: u.disk, lock: u.lock}
		err := u.store.load()
		if err == nil {
			break
		}
		if !u.damaged || !errors.Is(err, ErrDamaged) {
			u.t.Fatalf("a crash made the store unreadable: %v", err)
		}
		if _, err := u.store.read("s.previous"); err != nil {
			u.anew()
			break
		}
		u.disk.crash, u.disk.fail = crash, fail
		u.recover()
	}
	s, ok, _ := u.store.Load()
	if !ok {
		u.ext++
		u.next, u.seq, u.least, u.highest = [2]uint32{}, 0, 0, 0
	} else {
		u.next = [2]uint32{s.MACFrameCounter, s.MLEFrameCounter}
		u.least, u.highest, u.seq = uint32(s.LeastKeySequence), uint32(s.HighestKeySequence), uint32(s.LeastKeySequence)
		if u.key = byte(u.rand.IntN(2)); u.key == s.NetworkKey[0] {
			u.seq = uint32(s.KeySequence)
		}
	}
	u.limit = [2]uint32{}
}

// recover recovers the store, unless that loses power or space, too.
func (u *user) recover() {
	defer func() {
		if r := recover(); r == any(errPowerLost) {
			u.disk.reboot()
		} else if r != nil {
			panic(r)
		}
	}()
	u.recoveries++
	if _, err := u.store.recover(); err != nil && !errors.Is(err, errNoSpace) {
		u.t.Fatal(err)
	}
}

// anew moves the files away, as the error says.
func (u *user) anew() {
	for _, name := range []string{"s", "s.previous"} {
		delete(u.disk.names, name)
		delete(u.disk.synced, name)
	}
	u.store = &Store{path: "s", disk: u.disk, lock: u.lock}
}

// TestCrash: whatever the disk does, losses of power in the middle of each step, torn files, no space, damage, and recovery from damage, no
// store is unreadable that was not damaged, and no frame counter is used twice under one key and address. PYMESH_KILL is how many disks.
func TestCrash(t *testing.T) {
	seeds := uint64(100)
	if n, err := strconv.ParseUint(os.Getenv("PYMESH_KILL"), 10, 32); err == nil {
		seeds = n
	}
	l, err := takeLock(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	saves, uses, recoveries := 0, 0, 0
	for seed := range seeds {
		r := rand.New(rand.NewPCG(seed, 0))
		d := newMemDisk(r)
		u := &user{t: t, rand: r, disk: d, lock: l, spent: map[space]uint32{}}
		d.noLinks = seed%4 == 0
		u.boot()
		for range 30 {
			d.crash, d.fail = []int{0, 10, 30, 100}[r.IntN(4)], []int{0, 5, 30}[r.IntN(3)]
			u.live()
			u.boot()
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
		saves, uses, recoveries = saves+u.saves, uses+u.uses, recoveries+u.recoveries
	}
	t.Logf("%d saves, %d counters, %d recoveries", saves, uses, recoveries)
	if recoveries < int(seeds) || saves < 20*int(seeds) {
		t.Errorf("the test is wrong: %d saves, %d recoveries", saves, recoveries)
	}
}

// TestEachStep loses power, and fails, at each step of a Save in turn: afterwards the store has the old settings or the new ones.
func TestEachStep(t *testing.T) {
	l, err := takeLock(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.release()
	for seed := range uint64(1000) {
		r := rand.New(rand.NewPCG(seed, 1))
		d := newMemDisk(r)
		s := &Store{path: "s", disk: d, lock: l}
		old := thread.Settings{MACFrameCounter: 1000}
		last := thread.Settings{MACFrameCounter: 2000, HighestKeySequence: keys.Sequence(r.Uint32N(2))}
		if err := s.Save(old); err != nil {
			t.Fatal(err)
		}
		d.crash, d.fail = 8, 8
		saved := func() (saved bool) {
			defer func() { _ = recover() }()
			return s.Save(last) == nil
		}()
		d.reboot()
		d.crash, d.fail = 0, 0
		again := &Store{path: "s", disk: d, lock: l}
		if err := again.load(); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		got, ok, _ := again.Load()
		if !ok || got.MACFrameCounter != last.MACFrameCounter && (saved || got.MACFrameCounter != old.MACFrameCounter) {
			t.Fatalf("seed %d: %+v, saved %v", seed, got, saved)
		}
		if err := again.Save(last); err != nil { // among what the crash has left
			t.Fatalf("seed %d: %v", seed, err)
		}
		var names []string
		for name := range d.names {
			names = append(names, name)
		}
		if slices.Sort(names); !slices.Equal(names, []string{"s", "s.previous"}) && !slices.Equal(names, []string{"s", "s.previous", "s.previous.new"}) {
			t.Fatalf("seed %d: files %q", seed, names)
		}
	}
}
