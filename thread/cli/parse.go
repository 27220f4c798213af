package cli

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"

	"github.com/gopymesh/pymesh/thread/ieee802154"
)

// parseLong parses a number as C's strtol does with base 0: decimal, octal with a leading 0, hexadecimal with 0x; out of
// range it is the largest or smallest that there is.
func parseLong(s string) (int64, error) {
	magnitude, negative, err := parseMagnitude(s)
	switch {
	case err != nil:
		return 0, err
	case negative && magnitude > math.MaxInt64:
		return math.MinInt64, nil
	case negative:
		return -int64(magnitude), nil
	}
	return int64(min(magnitude, math.MaxInt64)), nil
}

// parseUnsigned is strtoul: a minus negates modulo 2^64.
func parseUnsigned(s string) (uint64, error) {
	magnitude, negative, err := parseMagnitude(s)
	if negative {
		magnitude = -magnitude
	}
	return magnitude, err
}

func parseMagnitude(s string) (magnitude uint64, negative bool, err error) {
	digits := s
	if strings.HasPrefix(s, "-") || strings.HasPrefix(s, "+") {
		negative, digits = s[0] == '-', s[1:]
	}
	base := 10
	if len(digits) > 1 && digits[0] == '0' {
		base, digits = 8, digits[1:]
		if digits[0] == 'x' || digits[0] == 'X' {
			base, digits = 16, digits[1:]
		}
	}
	magnitude, err = strconv.ParseUint(digits, base, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return 0, false, Parse
	}
	return magnitude, negative, nil
}

// parseHex parses hexadecimal digits into at most len(b) bytes and returns their number. An odd number of digits has a leading zero.
func parseHex(b []byte, s string) (int, error) {
	if len(s)%2 == 1 {
		s = "0" + s
	}
	n := len(s) / 2
	if n > len(b) {
		return 0, Parse
	}
	for k := range n {
		v, err := strconv.ParseUint(s[2*k:2*k+2], 16, 8)
		if err != nil {
			return 0, Parse
		}
		b[k] = byte(v)
	}
	return n, nil
}

// parseHexFull fills b.
func parseHexFull(b []byte, s string) error {
	n, err := parseHex(b, s)
	if err == nil && n != len(b) {
		err = Parse
	}
	return err
}

func parseExtAddr(s string) (a ieee802154.ExtAddr, err error) {
	err = parseHexFull(a[:], s)
	return a, err
}

func parseAddr(s string) (netip.Addr, error) {
	a, err := netip.ParseAddr(s)
	if err != nil || !a.Is6() || a.Zone() != "" || strings.Contains(s, ".") {
		return netip.Addr{}, Parse
	}
	return a, nil
}

// formatAddr writes all eight groups of an address.
func formatAddr(a netip.Addr) string {
	b := a.As16()
	var s strings.Builder
	for k := 0; k < len(b); k += 2 {
		if k > 0 {
			s.WriteByte(':')
		}
		fmt.Fprintf(&s, "%x", uint16(b[k])<<8|uint16(b[k+1]))
	}
	return s.String()
}
