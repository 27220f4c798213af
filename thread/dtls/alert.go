package dtls

import "time"

// Levels and descriptions of alerts (RFC 5246 §7.2).
const (
	alertWarning = 1
	alertFatal   = 2

	alertCloseNotify      = 0
	alertBadRecordMAC     = 20
	alertHandshakeFailure = 40
)

// alertError is what an alert means that nobody has secured: after the passwords were compared, that they differ.
func alertError(fragment []byte, compared bool) error {
	switch {
	case len(fragment) != 2:
		return nil
	case fragment[1] == alertCloseNotify:
		return ErrRefused
	case fragment[0] != alertFatal:
		return nil
	case compared:
		return ErrPassword
	}
	return ErrRefused
}

// suspect notes what seems to be wrong. As anybody may have said so, there is some time left for the peer to show that it is not.
func (c *Conn) suspect(now time.Time, err error) {
	if err == nil || c.state != Handshaking {
		return
	}
	const part = 4
	c.alerted = err
	if soon := now.Add(c.cfg.Timing.Initial / part); c.deadline.After(soon) {
		c.deadline = soon
	}
}

// distrust notes that a Finished is under other keys, as it is if the peer has another password, and tells it, once.
func (c *Conn) distrust(now time.Time) {
	if c.alerted == nil && c.step == finished {
		c.sendAlert(alertFatal, alertBadRecordMAC)
	}
	c.suspect(now, ErrPassword)
}

// handleAlert takes an alert that is the peer's.
func (c *Conn) handleAlert(b []byte) {
	switch {
	case len(b) != 2:
		c.Counters.Malformed++
	case b[1] == alertCloseNotify:
		c.sendAlert(alertWarning, alertCloseNotify)
		c.fail(ErrClosed)
	case b[0] == alertFatal:
		c.fail(ErrRefused)
	}
}

func (c *Conn) sendAlert(level, description byte) {
	alert := []byte{level, description}
	if c.epoch == 1 {
		_ = c.sendSealed(typeAlert, alert)
		return
	}
	b := appendRecordHeader(nil, typeAlert, 0, c.number(0), len(alert))
	c.transmit = append(c.transmit, append(b, alert...))
}
