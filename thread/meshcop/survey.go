package meshcop

import (
	"encoding/binary"
	"time"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/tlv"
)

// A Survey is what a commissioner asks nodes to find out, or to do, on channels (Thread 1.1 §8.7.8 to §8.7.10). Its messages are CoAP
// POSTs, confirmable to a single node:
//
//	Energy Scan     c/es  Commissioner Session ID, Channel Mask, Count, Period, Scan Duration
//	Energy Report   c/er  Channel Mask, Energy List
//	PAN ID Query    c/pq  Commissioner Session ID, Channel Mask, PAN ID
//	PAN ID Conflict c/pc  Channel Mask, PAN ID
//	Announce Begin  c/ab  Commissioner Session ID, Channel Mask, Count, Period
type Survey struct {
	// Session is the commissioner's. It is 0 where no session is told.
	Session  uint16
	Channels ChannelMask
	// Count is how often each channel is measured or announced on, Period the pause in between, and Duration that of one measurement;
	// both in whole milliseconds, up to 65535.
	Count            uint8
	Period, Duration time.Duration
	PANID            ieee802154.PANID
	// Energy is the power on the channels in dBm: of all, in rising order, once, and then again.
	Energy []int8
}

// surveyTLV finds a TLV that must be there, of a length that its type allows.
func surveyTLV(b []byte, t Type, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	value, ok := tlv.Find(b, t)
	if !ok || !t.ValidLength(len(value)) {
		return nil, ErrTLVLength
	}
	return value, nil
}

// channels reads the Channel Mask TLV. That a mask has no entry for page 0 is an error.
func (s *Survey) channels(b []byte) error {
	value, err := surveyTLV(b, TypeChannelMask, nil)
	if err == nil {
		s.Channels, err = ParseChannelMask(value)
	}
	if err == nil && len(value) == 0 {
		err = ErrTLVLength
	}
	return err
}

// ParseAnnounceBegin parses an Announce Begin message.
func ParseAnnounceBegin(b []byte) (s Survey, err error) {
	err = s.channels(b)
	count, err := surveyTLV(b, TypeCount, err)
	period, err := surveyTLV(b, TypePeriod, err)
	if err != nil {
		return Survey{}, err
	}
	s.Count, s.Period = count[0], milliseconds(period)
	s.Session = session(b)
	return s, nil
}

// ParseEnergyScan parses an Energy Scan message.
func ParseEnergyScan(b []byte) (s Survey, err error) {
	s, err = ParseAnnounceBegin(b)
	duration, err := surveyTLV(b, TypeScanDuration, err)
	if err != nil {
		return Survey{}, err
	}
	s.Duration = milliseconds(duration)
	return s, nil
}

// ParseEnergyReport parses an Energy Report.
func ParseEnergyReport(b []byte) (s Survey, err error) {
	err = s.channels(b)
	list, err := surveyTLV(b, TypeEnergyList, err)
	if err != nil {
		return Survey{}, err
	}
	for _, v := range list {
		s.Energy = append(s.Energy, int8(v))
	}
	return s, nil
}

// ParsePANIDQuery parses a PAN ID Query or a PAN ID Conflict message.
func ParsePANIDQuery(b []byte) (s Survey, err error) {
	err = s.channels(b)
	id, err := surveyTLV(b, TypePANID, err)
	if err != nil {
		return Survey{}, err
	}
	s.PANID = ieee802154.PANID(binary.BigEndian.Uint16(id))
	s.Session = session(b)
	return s, nil
}

func session(b []byte) uint16 {
	value, err := surveyTLV(b, TypeCommissionerSessionID, nil)
	if err != nil {
		return 0
	}
	return binary.BigEndian.Uint16(value)
}

func milliseconds(value []byte) time.Duration {
	return time.Duration(binary.BigEndian.Uint16(value)) * time.Millisecond
}

func (s Survey) appendChannels(b []byte) []byte {
	value, _ := s.Channels.AppendBinary(nil) // never fails
	return tlv.Append(b, TypeChannelMask, value)
}

func appendMilliseconds(b []byte, t Type, d time.Duration) []byte {
	const most = 1<<16 - 1
	return append16(b, t, uint16(min(max(d/time.Millisecond, 0), most)))
}

// AppendAnnounceBegin appends an Announce Begin message.
func (s Survey) AppendAnnounceBegin(b []byte) []byte {
	b = s.appendChannels(AppendCommissionerSessionID(b, s.Session))
	b = append(tlv.AppendHeader(b, TypeCount, countSize), s.Count)
	return appendMilliseconds(b, TypePeriod, s.Period)
}

// AppendEnergyScan appends an Energy Scan message.
func (s Survey) AppendEnergyScan(b []byte) []byte {
	return appendMilliseconds(s.AppendAnnounceBegin(b), TypeScanDuration, s.Duration)
}

// AppendEnergyReport appends an Energy Report.
func (s Survey) AppendEnergyReport(b []byte) []byte {
	b = tlv.AppendHeader(s.appendChannels(b), TypeEnergyList, len(s.Energy))
	for _, v := range s.Energy {
		b = append(b, byte(v))
	}
	return b
}

// AppendPANIDQuery appends a PAN ID Query.
func (s Survey) AppendPANIDQuery(b []byte) []byte {
	return s.AppendPANIDConflict(AppendCommissionerSessionID(b, s.Session))
}

// AppendPANIDConflict appends a PAN ID Conflict.
func (s Survey) AppendPANIDConflict(b []byte) []byte {
	return append16(s.appendChannels(b), TypePANID, uint16(s.PANID))
}
