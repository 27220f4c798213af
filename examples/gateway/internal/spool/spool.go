// Package spool is a bounded queue of records on disk, for what has to wait until a broker is back.
//
// Records stand in segments, files of a quarter of a megabyte: each is its length and the CRC-32C of its bytes, four bytes each in little
// endian, and the bytes. When the queue is full, or a segment too old, the oldest segment goes and its records are counted as lost. What a crash
// has torn is cut off when the queue is opened; a record that has been damaged is skipped to the end of its segment.
//
// A process that is killed loses nothing; a power cut loses what the last five seconds have brought. The last fifty
// records that were acknowledged before either may come again: who reads must know them by their content.
package spool

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Defaults, and bounds.
const (
	DefaultMaxBytes = 16 << 20
	DefaultMaxAge   = 7 * 24 * time.Hour

	segmentSize = 256 << 10
	headerSize  = 8
	// MaxRecord is the longest record, in bytes.
	MaxRecord = 64 << 10

	syncEvery   = 5 * time.Second
	cursorEvery = 50 // records acknowledged: as many come twice after a crash
	cursorName  = "cursor"
	lockName    = "lock"
	suffix      = ".seg"
)

// Errors.
var (
	ErrTooLong = errors.New("spool: record too long")
	ErrEmpty   = errors.New("spool: empty record")
	ErrClosed  = errors.New("spool: closed")
	ErrInUse   = errors.New("in use by another process")
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Options bound a queue. The zero value has the defaults.
type Options struct {
	MaxBytes int64         // on disk; at least two segments are kept
	MaxAge   time.Duration // of the newest record in a segment
	Now      func() time.Time
}

// Stats tell how a queue is.
type Stats struct {
	Records int    // that wait
	Bytes   int64  // on disk
	Lost    uint64 // records that were dropped for want of place, or for their age, since Open
	Damaged uint64 // places where the files were damaged
}

// segment is one file.
type segment struct {
	number  uint64
	size    int64
	records int
	newest  time.Time
}

// Queue is a queue of records. Its methods may be called by many goroutines at once.
type Queue struct {
	dir string
	opt Options

	lock     *os.File
	mu       sync.Mutex
	segments []segment // the last is written to, the first is read from
	out      *os.File  // the last segment
	in       *os.File  // the first
	offset   int64     // of the next record in the first segment
	read     int       // records of it that have been acknowledged
	pending  int64     // the size on disk of the record that Peek returned
	synced   time.Time
	acked    int       // since the cursor was saved
	marked   time.Time // when that was
	dirty    bool
	lost     uint64
	damaged  uint64
	closed   bool
	put      chan struct{}
	buf      []byte // for one record
}

// Open opens the queue in a directory, which is made if it is not there. One process may have it open: for another it is ErrInUse.
func Open(dir string, o Options) (*Queue, error) {
	if o.MaxBytes <= 0 {
		o.MaxBytes = DefaultMaxBytes
	}
	if o.MaxAge <= 0 {
		o.MaxAge = DefaultMaxAge
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	o.MaxBytes = max(o.MaxBytes, 2*segmentSize)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	q := &Queue{dir: dir, opt: o, lock: lock, put: make(chan struct{}, 1), synced: o.Now(), buf: make([]byte, headerSize+MaxRecord)}
	if err = lockFile(lock); err != nil {
		err = fmt.Errorf("spool: %s: %w", dir, err)
	} else {
		err = q.load()
	}
	if err != nil {
		_ = lock.Close()
		return nil, err
	}
	return q, nil
}

// load finds the segments, cuts what is torn, and goes to where reading had come.
func (q *Queue) load() error {
	numbers, err := q.list()
	if err != nil {
		return err
	}
	at, offset := q.cursor()
	for _, n := range numbers {
		if n < at { // read to its end, before a crash
			_ = os.Remove(q.path(n))
			continue
		}
		s, err := q.scan(n)
		if err != nil {
			return err
		}
		q.segments = append(q.segments, s)
	}
	if len(q.segments) == 0 {
		return q.grow(at)
	}
	if q.out, err = os.OpenFile(q.path(q.last().number), os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if q.segments[0].number != at {
		offset = 0
	}
	if err := q.openFirst(); err != nil {
		return err
	}
	for q.offset < offset { // step by step: an offset of a damaged cursor may be anywhere
		if _, err := q.next(); err != nil {
			break
		}
		q.skip()
	}
	if len(numbers) > 0 {
		signal(q.put)
	}
	return nil
}

// list returns the numbers of the segments there are, in order.
func (q *Queue) list() (numbers []uint64, err error) {
	entries, err := os.ReadDir(q.dir)
	if err != nil {
		return nil, fmt.Errorf("spool: %w", err)
	}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if n, err := strconv.ParseUint(name, 16, 64); ok && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// scan counts the records of a segment, and cuts off what follows the last whole one.
func (q *Queue) scan(n uint64) (segment, error) {
	f, err := os.OpenFile(q.path(n), os.O_RDWR, 0o600)
	if err != nil {
		return segment{}, fmt.Errorf("spool: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return segment{}, fmt.Errorf("spool: %w", err)
	}
	s := segment{number: n, newest: info.ModTime()}
	for {
		record, err := readRecord(f, s.size, q.buf)
		if err != nil {
			break
		}
		s.size += int64(headerSize + len(record))
		s.records++
	}
	if info.Size() > s.size {
		q.damaged++
		if err := f.Truncate(s.size); err != nil {
			return segment{}, fmt.Errorf("spool: %w", err)
		}
	}
	return s, nil
}

var errDamaged = errors.New("spool: damaged")

// readRecord reads the record at an offset into buf.
func readRecord(f io.ReaderAt, offset int64, buf []byte) ([]byte, error) {
	header := buf[:headerSize]
	if n, err := f.ReadAt(header, offset); n < headerSize {
		if n == 0 && errors.Is(err, io.EOF) {
			return nil, io.EOF
		}
		return nil, errDamaged
	}
	size, sum := binary.LittleEndian.Uint32(header), binary.LittleEndian.Uint32(header[4:])
	if size == 0 || size > MaxRecord {
		return nil, errDamaged
	}
	record := buf[headerSize : headerSize+size]
	if n, _ := f.ReadAt(record, offset+headerSize); n < int(size) || crc32.Checksum(record, castagnoli) != sum {
		return nil, errDamaged
	}
	return record, nil
}

func (q *Queue) path(n uint64) string { return filepath.Join(q.dir, fmt.Sprintf("%016x%s", n, suffix)) }
func (q *Queue) last() *segment       { return &q.segments[len(q.segments)-1] }

// cursor reads where reading had come; the beginning if that is not known.
func (q *Queue) cursor() (number uint64, offset int64) {
	b, err := os.ReadFile(filepath.Join(q.dir, cursorName))
	if err != nil || len(b) != 20 || crc32.Checksum(b[:16], castagnoli) != binary.LittleEndian.Uint32(b[16:]) {
		return 0, 0
	}
	return binary.LittleEndian.Uint64(b), int64(binary.LittleEndian.Uint64(b[8:]))
}

// saveCursor writes where reading has come. What it says after a power cut is older at worst.
func (q *Queue) saveCursor() error {
	b := binary.LittleEndian.AppendUint64(nil, q.segments[0].number)
	b = binary.LittleEndian.AppendUint64(b, uint64(q.offset))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	q.acked, q.marked = 0, q.opt.Now()
	name := filepath.Join(q.dir, cursorName)
	if err := os.WriteFile(name+".new", b, 0o600); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// grow begins a new segment.
func (q *Queue) grow(n uint64) error {
	f, err := os.OpenFile(q.path(n), os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	if q.out != nil {
		err = errors.Join(q.out.Sync(), q.out.Close())
	}
	q.out = f
	q.segments = append(q.segments, segment{number: n, newest: q.opt.Now()})
	if len(q.segments) == 1 {
		err = errors.Join(err, q.openFirst())
	}
	return err
}

func (q *Queue) openFirst() (err error) {
	if q.in != nil {
		_ = q.in.Close()
	}
	q.offset, q.read, q.pending = 0, 0, 0
	if q.in, err = os.Open(q.path(q.segments[0].number)); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// Put appends a record. When the queue is full, the oldest go.
func (q *Queue) Put(record []byte) error {
	switch {
	case len(record) == 0:
		return ErrEmpty
	case len(record) > MaxRecord:
		return ErrTooLong
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	b := binary.LittleEndian.AppendUint32(make([]byte, 0, headerSize+len(record)), uint32(len(record)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(record, castagnoli))
	b = append(b, record...)
	err := q.add(b)
	for errors.Is(err, syscall.ENOSPC) && len(q.segments) > 1 { // the disk has less room than the queue may take: the oldest give way, too
		if q.giveWay() != nil {
			break
		}
		err = q.add(b)
	}
	if err != nil {
		return err
	}
	q.trim()
	signal(q.put)
	return q.sync(false)
}

// add appends to the last segment, or to a new one.
func (q *Queue) add(b []byte) error {
	if q.last().size > 0 && q.last().size+int64(len(b)) > segmentSize {
		if err := q.grow(q.last().number + 1); err != nil {
			return err
		}
	}
	return q.write(b)
}

// write appends to the last segment. Half a record, as a full disk leaves it, is taken back.
func (q *Queue) write(b []byte) error {
	s := q.last()
	if _, err := q.out.Write(b); err != nil {
		_ = os.Truncate(q.path(s.number), s.size)
		return fmt.Errorf("spool: %w", err)
	}
	s.size += int64(len(b))
	s.records++
	s.newest = q.opt.Now()
	q.dirty = true
	return nil
}

// trim drops the oldest segments, as long as there is too much or they are too old.
func (q *Queue) trim() {
	for len(q.segments) > 1 {
		total := int64(0)
		for _, s := range q.segments {
			total += s.size
		}
		if total <= q.opt.MaxBytes && q.opt.Now().Sub(q.segments[0].newest) <= q.opt.MaxAge {
			return
		}
		if q.giveWay() != nil {
			return
		}
	}
}

// giveWay drops the first segment, with what has not been read of it.
func (q *Queue) giveWay() error {
	q.lost += uint64(q.segments[0].records - q.read)
	return q.drop()
}

// drop removes the first segment. A cursor that cannot be written stays with a segment that is not there: the next is read from its beginning.
func (q *Queue) drop() error {
	_ = os.Remove(q.path(q.segments[0].number))
	q.segments = slices.Delete(q.segments, 0, 1)
	if err := q.openFirst(); err != nil {
		return err
	}
	_ = q.saveCursor()
	return nil
}

// sync makes what was written last, at most every five seconds: SD cards wear out.
func (q *Queue) sync(now bool) error {
	if !q.dirty || !now && q.opt.Now().Sub(q.synced) < syncEvery {
		return nil
	}
	q.synced, q.dirty = q.opt.Now(), false
	if err := q.out.Sync(); err != nil {
		return fmt.Errorf("spool: %w", err)
	}
	return nil
}

// next reads the record at the offset.
func (q *Queue) next() ([]byte, error) {
	record, err := readRecord(q.in, q.offset, q.buf)
	if err != nil {
		return nil, err
	}
	q.pending = int64(headerSize + len(record))
	return bytes.Clone(record), nil
}

func (q *Queue) skip() {
	q.offset += q.pending
	q.read++
	q.pending = 0
}

// Peek returns the oldest record, which stays until Ack; ok is false if there is none.
func (q *Queue) Peek() (record []byte, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for !q.closed {
		if q.offset < q.segments[0].size {
			record, err := q.next()
			if err == nil {
				return record, true
			}
			q.damaged++
			q.lost += uint64(q.segments[0].records - q.read)
		}
		if len(q.segments) == 1 {
			if q.offset < q.segments[0].size { // damaged: nothing behind it can be read
				if q.grow(q.last().number+1) != nil {
					return nil, false
				}
				continue
			}
			return nil, false
		}
		if q.drop() != nil {
			return nil, false
		}
	}
	return nil, false
}

// Ack removes the record that Peek has returned last. Without one it does nothing.
func (q *Queue) Ack() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return ErrClosed
	}
	if q.pending == 0 {
		return nil
	}
	q.skip()
	if q.acked++; q.acked < cursorEvery && q.opt.Now().Sub(q.marked) < syncEvery {
		return nil
	}
	return q.saveCursor()
}

// Ready has a value when a record has come since the last one was taken from it.
func (q *Queue) Ready() <-chan struct{} { return q.put }

// Stats returns how the queue is.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := Stats{Records: -q.read, Lost: q.lost, Damaged: q.damaged}
	for _, seg := range q.segments {
		s.Records += seg.records
		s.Bytes += seg.size
	}
	return s
}

// Close writes what is in memory and closes the files. Closing twice is no error.
func (q *Queue) Close() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	q.closed = true
	err := errors.Join(q.sync(true), q.saveCursor(), q.out.Close(), q.in.Close(), q.lock.Close())
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
