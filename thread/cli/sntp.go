package cli

import (
	"encoding/binary"
	"errors"
	"net/netip"
)

// ntpServer is the reference's.
var ntpServer = netip.MustParseAddrPort("[2001:4860:4806:8::]:123")

// An SNTP message (RFC 4330 §4), of which a client needs no more than this:
//
//	0        1        …  24                      …  40
//	┌────────┬─────────┬───┬───────────────────────┬───┬──────────────────────┐
//	│LI VN Md│ stratum │ … │ originate timestamp 8 │ … │ transmit timestamp 8 │
//	└────────┴─────────┴───┴───────────────────────┴───┴──────────────────────┘
const (
	ntpSize      = 48
	ntpOriginate = 24
	ntpTransmit  = 40

	ntpVersion    = 4
	ntpModeClient = 3
	ntpModeServer = 4
	ntpUnknown    = 3 // leap indicator of a clock that is not set

	// ntpUnix is 1970 in seconds since 1900. From 2036 on the seconds begin anew (RFC 4330 §3).
	ntpUnix = 2208988800
)

// errForeign is the error of an answer that is none to what was asked.
var errForeign = errors.New("cli: no answer to this question")

// sntp asks a server for the time. The answer is printed when it comes.
func (i *Interpreter) sntp(args []string) error {
	switch {
	case len(args) == 0 || args[0] != "query":
		return InvalidArgs
	case i.clock.active():
		return Busy
	}
	server, err := parseServer(args[1:], ntpServer)
	if err != nil {
		return err
	}
	token := i.engine.Rand().Uint64() // in place of a time, which is nobody's business
	i.clock.fail = func(e Error) { i.later("SNTP error - %s\r\n", e.Name()) }
	i.clock.read = func(payload []byte) bool {
		unix, err := parseSNTPAnswer(payload, token)
		switch {
		case err == errForeign:
			return false
		case err != nil:
			i.clock.fail(errorOf(err))
		default:
			i.later("SNTP response - Unix time: %d (era: %d)\r\n", uint32(unix), unix>>32)
		}
		return true
	}
	return i.startLookup(&i.clock, server, sntpQuery(token))
}

func sntpQuery(token uint64) []byte {
	b := make([]byte, ntpSize)
	b[0] = ntpVersion<<3 | ntpModeClient
	binary.BigEndian.PutUint64(b[ntpTransmit:], token)
	return b
}

// parseSNTPAnswer returns the time of an answer in seconds since 1970. Errors are errForeign for what is no answer to this request, Busy for a
// server that does not want to be asked (RFC 4330 §8), and Failed for one that does not know the time.
func parseSNTPAnswer(b []byte, token uint64) (unix uint64, err error) {
	if len(b) < ntpSize || binary.BigEndian.Uint64(b[ntpOriginate:]) != token {
		return 0, errForeign
	}
	leap, mode, stratum := b[0]>>6, b[0]&7, b[1]
	seconds := binary.BigEndian.Uint32(b[ntpTransmit:])
	switch {
	case mode != ntpModeServer:
		return 0, Failed
	case stratum == 0:
		return 0, Busy
	case leap == ntpUnknown || binary.BigEndian.Uint64(b[ntpTransmit:]) == 0:
		return 0, Failed
	case seconds < ntpUnix:
		return uint64(seconds) + 1<<32 - ntpUnix, nil
	}
	return uint64(seconds) - ntpUnix, nil
}
