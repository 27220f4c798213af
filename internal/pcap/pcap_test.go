package pcap

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// unhex reads hexadecimal digits; spaces do not count.
func unhex(s string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

// The same file in the four kinds that exist: an acknowledgment frame at
// 1 s and 2.000003 s after 1970, the second cut from 127 bytes.
var files = []struct{ name, file string }{
	{"little endian, µs", "d4c3b2a1 0200 0400 00000000 00000000 00000400 c3000000" +
		"01000000 00000000 05000000 05000000 0200070000" +
		"02000000 03000000 05000000 7f000000 02000b0000"},
	{"big endian, µs", "a1b2c3d4 0002 0004 00000000 00000000 00040000 000000c3" +
		"00000001 00000000 00000005 00000005 0200070000" +
		"00000002 00000003 00000005 0000007f 02000b0000"},
	{"little endian, ns", "4d3cb2a1 0200 0400 00000000 00000000 00000400 c3000000" +
		"01000000 00000000 05000000 05000000 0200070000" +
		"02000000 b80b0000 05000000 7f000000 02000b0000"},
	{"big endian, ns, FCS hint", "a1b23c4d 0002 0004 00000000 00000000 00040000 240000c3" +
		"00000001 00000000 00000005 00000005 0200070000" +
		"00000002 00000bb8 00000005 0000007f 02000b0000"},
}

var fileRecords = []Record{
	{time.Unix(1, 0), unhex("0200070000"), 5},
	{time.Unix(2, 3000), unhex("02000b0000"), 127},
}

func TestRead(t *testing.T) {
	for _, f := range files {
		r, err := NewReader(bytes.NewReader(unhex(f.file)))
		if err != nil {
			t.Errorf("%s: %v", f.name, err)
			continue
		}
		if r.LinkType() != IEEE802154 {
			t.Errorf("%s: %v", f.name, r.LinkType())
		}
		for i, want := range fileRecords {
			got, err := r.Next()
			if err != nil || !got.Time.Equal(want.Time) || !bytes.Equal(got.Data, want.Data) || got.Length != want.Length {
				t.Errorf("%s, record %d: %+v, %v", f.name, i, got, err)
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Errorf("%s: at the end: %v", f.name, err)
		}
	}
}

func TestWrite(t *testing.T) {
	var out bytes.Buffer
	w, err := NewWriter(&out, IEEE802154)
	if err != nil {
		t.Fatal(err)
	}
	first := fileRecords[0]
	first.Length = 0 // the length of the data
	first.Time = first.Time.Add(999 * time.Nanosecond)
	for _, r := range []Record{first, fileRecords[1]} {
		if err := w.WriteRecord(r); err != nil {
			t.Fatal(err)
		}
	}
	if want := unhex(files[0].file); !bytes.Equal(out.Bytes(), want) {
		t.Errorf("got  %x\nwant %x", out.Bytes(), want)
	}
}

func TestWriteErrors(t *testing.T) {
	var out bytes.Buffer
	w, _ := NewWriter(&out, IEEE802154)
	for _, r := range []Record{
		{Time: time.Unix(1, 0), Data: make([]byte, MaxData+1)},
		{Time: time.Unix(-1, 0)},
		{Time: time.Unix(1<<32, 0)},
	} {
		if err := w.WriteRecord(r); !errors.Is(err, ErrRecord) {
			t.Errorf("%v, %d bytes: %v", r.Time, len(r.Data), err)
		}
	}
	if out.Len() != fileHeaderLen {
		t.Errorf("%d bytes written", out.Len())
	}
	if _, err := NewWriter(broken{}, IEEE802154); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("header: %v", err)
	}
	w.w = broken{}
	if err := w.WriteRecord(fileRecords[0]); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("record: %v", err)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (broken) Read([]byte) (int, error)  { return 0, io.ErrClosedPipe }

func TestReadErrors(t *testing.T) {
	header := files[0].file[:len("d4c3b2a1 0200 0400 00000000 00000000 00000400 c3000000")]
	for _, tt := range []struct{ file, want string }{
		{"", "pcap: not a pcap file: 0 bytes, the header alone has 24"},
		{"d4c3b2a1 0200", "pcap: not a pcap file: 6 bytes, the header alone has 24"},
		{strings.Repeat("00", 24), "pcap: not a pcap file: magic 00 00 00 00"},
		{"0a0d0d0a" + strings.Repeat("00", 20), "pcap: not a pcap file: pcapng, which this package does not read"},
		{"d4c3b2a1 0100 0400" + strings.Repeat("00", 16), "pcap: not a pcap file: version 1.4, accepted is 2.x"},
		{header + "0100", "pcap: record 1: unexpected EOF"},
		{header + "01000000 00000000 05000000 05000000", "pcap: record 1: unexpected EOF"},
		{header + "01000000 00000000 00000000 00000000 01", "pcap: record 2: unexpected EOF"},
		{header + "01000000 00000000 01000400 01000400", "pcap: record 1: pcap: bad record: 262145 bytes: at most 262144"},
	} {
		r, err := NewReader(bytes.NewReader(unhex(tt.file)))
		for err == nil {
			_, err = r.Next()
		}
		if err.Error() != tt.want {
			t.Errorf("got %q, want %q", err, tt.want)
		}
	}
	if _, err := NewReader(broken{}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("header: %v", err)
	}
}

// Every cut of a file ends in an error, and not in a panic; one between records ends
// the file.
func TestReadTruncated(t *testing.T) {
	for _, f := range files {
		b := unhex(f.file)
		for n := range b {
			r, err := NewReader(bytes.NewReader(b[:n]))
			if n < fileHeaderLen {
				if !errors.Is(err, ErrFormat) {
					t.Errorf("%s, %d bytes: %v", f.name, n, err)
				}
				continue
			}
			for err == nil {
				_, err = r.Next()
			}
			if whole := (n-fileHeaderLen)%(recordHeaderLen+5) == 0; whole != (err == io.EOF) || !whole && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s, %d bytes: %v", f.name, n, err)
			}
		}
	}
}

func TestLinkTypeString(t *testing.T) {
	for link, want := range map[LinkType]string{
		195: "IEEE802_15_4_WITHFCS",
		230: "IEEE802_15_4_NOFCS",
		270: "LORATAP",
		283: "IEEE802_15_4_TAP",
		1:   "LinkType(1)",
	} {
		if got := link.String(); got != want {
			t.Errorf("%d: %q", link, got)
		}
	}
}

func TestWriteAllocations(t *testing.T) {
	w, _ := NewWriter(io.Discard, IEEE802154)
	if n := testing.AllocsPerRun(100, func() { w.WriteRecord(fileRecords[0]) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// What was read can be written and read again.
func FuzzReader(f *testing.F) {
	for _, file := range files {
		f.Add(unhex(file.file))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		var out bytes.Buffer
		w, err := NewWriter(&out, r.LinkType())
		if err != nil {
			t.Fatal(err)
		}
		var times []time.Time
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			if rec.Time.Unix() > math.MaxUint32 { // by an excess of fractions
				continue
			}
			if err := w.WriteRecord(rec); err != nil {
				t.Fatal(err)
			}
			times = append(times, rec.Time)
		}
		again, err := NewReader(&out)
		if err != nil || again.LinkType() != r.LinkType() {
			t.Fatal(err)
		}
		for _, want := range times {
			rec, err := again.Next()
			if err != nil || !rec.Time.Equal(want.Truncate(time.Microsecond)) {
				t.Fatalf("%v at %v, want %v", err, rec.Time, want)
			}
		}
	})
}
