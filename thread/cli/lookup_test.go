package cli

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

const testID = 0x1234

// dnsAnswer builds an answer to the question for a.example: an alias, then an address, unless change does otherwise.
func dnsAnswer(t testing.TB, change func(*dnsmessage.Message)) []byte {
	t.Helper()
	_, q, err := dnsQuery("a.example", testID)
	if err != nil {
		t.Fatal(err)
	}
	header := func(kind dnsmessage.Type, ttl uint32) dnsmessage.ResourceHeader {
		return dnsmessage.ResourceHeader{Name: q.Name, Type: kind, Class: dnsmessage.ClassINET, TTL: ttl}
	}
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: testID, Response: true, RecursionDesired: true, RecursionAvailable: true},
		Questions: []dnsmessage.Question{q},
		Answers: []dnsmessage.Resource{
			{Header: header(dnsmessage.TypeCNAME, 5), Body: &dnsmessage.CNAMEResource{CNAME: dnsmessage.MustNewName("b.example.")}},
			{Header: header(dnsmessage.TypeAAAA, 300), Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::1").As16()}},
			{Header: header(dnsmessage.TypeAAAA, 7), Body: &dnsmessage.AAAAResource{AAAA: netip.MustParseAddr("2001:db8::2").As16()}},
		},
	}
	if change != nil {
		change(&m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestDNSQuery: a question as RFC 1035 §4.1 has it.
func TestDNSQuery(t *testing.T) {
	b, _, err := dnsQuery("ipv6.google.com", testID)
	const want = "12340100000100000000000004697076360" + "6676f6f676c6503636f6d00001c0001"
	if got := hex.EncodeToString(b); err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
	for _, host := range []string{"", ".", "a.", ".a", "a..b", strings.Repeat("a", 62), strings.Repeat("a.", 200) + "a"} {
		if _, _, err := dnsQuery(host, testID); err == nil {
			t.Errorf("%q is taken", host)
		}
	}
}

func TestParseDNSAnswer(t *testing.T) {
	_, q, _ := dnsQuery("a.example", testID)
	for _, tt := range []struct {
		name   string
		change func(*dnsmessage.Message)
		want   error
	}{
		{"right", nil, nil},
		{"truncated, but with an address", func(m *dnsmessage.Message) { m.Truncated = true }, nil},
		{"another ID", func(m *dnsmessage.Message) { m.ID++ }, errForeign},
		{"a question", func(m *dnsmessage.Message) { m.Response = false }, errForeign},
		{"to another question", func(m *dnsmessage.Message) { m.Questions[0].Name = dnsmessage.MustNewName("c.example.") }, errForeign},
		{"to two questions", func(m *dnsmessage.Message) { m.Questions = append(m.Questions, m.Questions[0]) }, errForeign},
		{"to no question", func(m *dnsmessage.Message) { m.Questions = nil }, errForeign},
		{"no such name", func(m *dnsmessage.Message) { m.RCode, m.Answers = dnsmessage.RCodeNameError, nil }, Failed},
		{"no address", func(m *dnsmessage.Message) { m.Answers = m.Answers[:1] }, NotFound},
		{"nothing", func(m *dnsmessage.Message) { m.Answers = nil }, NotFound},
	} {
		a, ttl, err := parseDNSAnswer(dnsAnswer(t, tt.change), testID, q)
		if !errors.Is(err, tt.want) || err == nil && (a != netip.MustParseAddr("2001:db8::1") || ttl != 300) {
			t.Errorf("%s: %v %d, %v, want %v", tt.name, a, ttl, err, tt.want)
		}
	}
	b := dnsAnswer(t, nil)
	for n := range b { // the second address is not needed
		if _, _, err := parseDNSAnswer(b[:n], testID, q); err == nil && n < len(b)-28 {
			t.Errorf("%d bytes of %d are taken", n, len(b))
		}
	}
}

func FuzzParseDNSAnswer(f *testing.F) {
	_, q, _ := dnsQuery("a.example", testID)
	f.Add(dnsAnswer(f, nil))
	f.Add(dnsAnswer(f, func(m *dnsmessage.Message) { m.Answers = nil }))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, _, err := parseDNSAnswer(b, testID, q)
		if err == nil && (!a.Is6() || binary.BigEndian.Uint16(b) != testID) {
			t.Errorf("%v of %x", a, b)
		}
	})
}

const testToken = 0x0123456789abcdef

func sntpAnswer(change func(b []byte)) []byte {
	b := make([]byte, ntpSize)
	b[0], b[1] = ntpVersion<<3|ntpModeServer, 2
	binary.BigEndian.PutUint64(b[ntpOriginate:], testToken)
	binary.BigEndian.PutUint32(b[ntpTransmit:], ntpUnix+1540894725)
	if change != nil {
		change(b)
	}
	return b
}

// TestSNTPQuery: a request as RFC 4330 §5 has it, with nothing but a token that comes back.
func TestSNTPQuery(t *testing.T) {
	if got, want := hex.EncodeToString(sntpQuery(testToken)), "23"+strings.Repeat("00", 39)+"0123456789abcdef"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestParseSNTPAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func([]byte)
		unix   uint64
		want   error
	}{
		{"right", nil, 1540894725, nil},
		{"after 2036", func(b []byte) { binary.BigEndian.PutUint32(b[ntpTransmit:], 1) }, 1<<32 + 1 - ntpUnix, nil},
		{"to another request", func(b []byte) { b[ntpOriginate]++ }, 0, errForeign},
		{"a request", func(b []byte) { b[0] = ntpVersion<<3 | ntpModeClient }, 0, Failed},
		{"go away", func(b []byte) { b[1] = 0 }, 0, Busy},
		{"no time", func(b []byte) { clear(b[ntpTransmit:]) }, 0, Failed},
		{"a clock that is not set", func(b []byte) { b[0] |= ntpUnknown << 6 }, 0, Failed},
	} {
		if unix, err := parseSNTPAnswer(sntpAnswer(tt.change), testToken); unix != tt.unix || !errors.Is(err, tt.want) {
			t.Errorf("%s: %d, %v, want %d, %v", tt.name, unix, err, tt.unix, tt.want)
		}
	}
	for n := range ntpSize {
		if _, err := parseSNTPAnswer(sntpAnswer(nil)[:n], testToken); err != errForeign {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func FuzzParseSNTPAnswer(f *testing.F) {
	f.Add(sntpAnswer(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		if unix, err := parseSNTPAnswer(b, testToken); err == nil && unix >= 1<<33 {
			t.Errorf("%d of %x", unix, b)
		}
	})
}
