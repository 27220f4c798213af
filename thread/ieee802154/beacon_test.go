package ieee802154

import (
	"bytes"
	"errors"
	"testing"
)

const hexName = "4f70656e546872656164 000000000000" // OpenThread
const hexExtPANID = "dead00beef00cafe"

var beaconTests = []struct {
	name    string
	payload BeaconPayload
	hex     string
}{
	{
		"Thread network",
		BeaconPayload{
			Version:     ThreadProtocolVersion,
			NetworkName: "OpenThread",
			ExtPANID:    [ExtPANIDSize]byte{0xde, 0xad, 0x00, 0xbe, 0xef, 0x00, 0xca, 0xfe},
		},
		"ff0f 00 00 03 20" + hexName + hexExtPANID,
	},
	{
		"flags and longest name",
		BeaconPayload{
			Version:            ThreadProtocolVersion,
			NativeCommissioner: true,
			JoiningPermitted:   true,
			NetworkName:        "0123456789abcdef",
		},
		"ff0f 00 00 03 29 30313233343536373839616263646566 0000000000000000",
	},
}

func TestBeaconPayload(t *testing.T) {
	for _, tt := range beaconTests {
		want := unhex(t, tt.hex)
		got, err := tt.payload.AppendBinary(nil)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: AppendBinary: %v\n got %x\nwant %x", tt.name, err, got, want)
		}
		p, err := ParseBeaconPayload(append(want, "steering data"...))
		if err != nil || p != tt.payload {
			t.Errorf("%s: ParseBeaconPayload = %+v, %v, want %+v", tt.name, p, err, tt.payload)
		}
		for n := range len(want) {
			if _, err := ParseBeaconPayload(want[:n]); !errors.Is(err, ErrTruncated) {
				t.Errorf("%s: %d of %d bytes: %v", tt.name, n, len(want), err)
			}
		}
	}
}

func TestParseBeaconPayload(t *testing.T) {
	thread := "03 20" + hexName + hexExtPANID
	for _, tt := range []struct {
		name string
		hex  string
		want error
	}{
		{"GTS descriptors", "ff0f 02 00 111111 222222 00" + thread, nil},
		{"pending addresses", "ff0f 00 21 0001 1111111111111111 2222222222222222" + thread, nil},
		{"GTS cut off", "ff0f 02 00 111111 22", ErrTruncated},
		{"pending cut off", "ff0f 00 21 0001 11111111", ErrTruncated},
		{"another protocol", "ff0f 00 00 02 20" + hexName + hexExtPANID, ErrBeaconPayload},
		{"another protocol, short", "ff0f 00 00 00", ErrBeaconPayload},
	} {
		p, err := ParseBeaconPayload(unhex(t, tt.hex))
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, err, tt.want)
		}
		if err == nil && p != beaconTests[0].payload {
			t.Errorf("%s: %+v, want %+v", tt.name, p, beaconTests[0].payload)
		}
	}
}

func TestBeaconPayloadInvalid(t *testing.T) {
	for _, p := range []BeaconPayload{{Version: 16}, {NetworkName: "0123456789abcdefg"}} {
		if b, err := p.AppendBinary(nil); !errors.Is(err, ErrBeaconPayload) || len(b) != 0 {
			t.Errorf("AppendBinary of %+v = %x, %v", p, b, err)
		}
	}
}
