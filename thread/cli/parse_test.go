package cli

import (
	"math"
	"net/netip"
	"testing"
)

func TestParseNumbers(t *testing.T) {
	for _, tt := range []struct {
		text     string
		long     int64
		unsigned uint64
		ok       bool
	}{
		{"0", 0, 0, true}, {"1", 1, 1, true}, {"-1", -1, math.MaxUint64, true}, {"+7", 7, 7, true},
		{"010", 8, 8, true}, {"00", 0, 0, true}, {"08", 0, 0, false}, {"0x10", 16, 16, true}, {"0XfF", 255, 255, true},
		{"-0x10", -16, 1<<64 - 16, true}, {"0x", 0, 0, false}, {"x", 0, 0, false}, {"1x", 0, 0, false}, {"", 0, 0, false},
		{"-", 0, 0, false}, {"--1", 0, 0, false}, {"1_000", 0, 0, false}, {"0b1", 0, 0, false}, {"0o7", 0, 0, false}, {"1.0", 0, 0, false},
		{"9223372036854775807", math.MaxInt64, math.MaxInt64, true}, {"9223372036854775808", math.MaxInt64, 1 << 63, true},
		{"-9223372036854775808", math.MinInt64, 1 << 63, true}, {"-9223372036854775809", math.MinInt64, 1<<63 - 1, true},
		{"99999999999999999999", math.MaxInt64, math.MaxUint64, true},
	} {
		long, err := parseLong(tt.text)
		if (err == nil) != tt.ok || long != tt.long {
			t.Errorf("parseLong(%q) = %d, %v", tt.text, long, err)
		}
		unsigned, err := parseUnsigned(tt.text)
		if (err == nil) != tt.ok || unsigned != tt.unsigned {
			t.Errorf("parseUnsigned(%q) = %d, %v", tt.text, unsigned, err)
		}
	}
}

func TestParseHex(t *testing.T) {
	for _, tt := range []struct {
		text string
		want string
		ok   bool
	}{
		{"", "", true}, {"1", "\x01", true}, {"123", "\x01\x23", true}, {"aBcD", "\xab\xcd", true},
		{"123456", "\x12\x34\x56", true}, {"1234567", "", false}, {"1g", "", false}, {"+1", "", false}, {"é", "", false},
	} {
		var b [3]byte
		n, err := parseHex(b[:], tt.text)
		if (err == nil) != tt.ok || string(b[:n]) != tt.want {
			t.Errorf("parseHex(%q) = %x, %v", tt.text, b[:n], err)
		}
	}
	if a, err := parseExtAddr("1122334455667788"); err != nil || a.String() != "1122334455667788" {
		t.Error(a, err)
	}
	for _, s := range []string{"11223344556677", "112233445566778899", ""} {
		if _, err := parseExtAddr(s); err != Parse {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"::": "0:0:0:0:0:0:0:0", "fe80::1": "fe80:0:0:0:0:0:0:1", "FDDE:ad00:beef:0:0:ff:fe00:fc00": "fdde:ad00:beef:0:0:ff:fe00:fc00",
	} {
		a, err := parseAddr(text)
		if err != nil || formatAddr(a) != want {
			t.Errorf("%s: %s, %v", text, formatAddr(a), err)
		}
	}
	for _, text := range []string{"", "x", "1.2.3.4", "::1.2.3.4", "fe80::1%0", "fe80::/64"} {
		if _, err := parseAddr(text); err != Parse {
			t.Errorf("%q: %v", text, err)
		}
	}
	if got := formatAddr(netip.IPv6LinkLocalAllNodes()); got != "ff02:0:0:0:0:0:0:1" {
		t.Error(got)
	}
}
