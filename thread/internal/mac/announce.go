package mac

import (
	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

// An Announcement crosses the border of networks: who is to hear it may have another key and another channel. Its frame is secured all the
// same, under a key and an address that everybody knows, [keys.Mode2Key], and so as good as not secured. What is in it secures itself.

// The key identifier of that key.
var announceSource = [8]byte{0xff, 0xff, 0xff, 0xff} // four bytes of it

const announceIndex = 0xff

// sealAnnounce secures a frame under the key that everybody knows. Its counter means nothing, since others use it under this key as well; but
// this node does so once at most.
func (m *MAC) sealAnnounce(f *ieee802154.Frame) (err error) {
	counter, ok := m.Counter.Take(m.reserve)
	if !ok {
		return ErrStore
	}
	f.Security.FrameCounter, f.Security.KeySource, f.Security.KeyIndex = counter, announceSource, announceIndex
	m.psdu, err = f.AppendSealed(m.psdu[:0], m.announceCipher(), keys.Mode2ExtAddr)
	return err
}

// openAnnounce decrypts such a frame.
func (m *MAC) openAnnounce(f *ieee802154.Frame, psdu []byte) ([]byte, error) {
	if f.Security.Level != ieee802154.SecurityENCMIC32 || f.Security.KeySource != announceSource || f.Security.KeyIndex != announceIndex {
		return nil, errSecurity
	}
	return f.Open(m.rx[:0], psdu, m.announceCipher(), keys.Mode2ExtAddr)
}

// announceCipher is made when it is first needed: on most nodes never.
func (m *MAC) announceCipher() *ieee802154.CCM {
	if m.announce == nil {
		m.announce = ieee802154.NewCCM(keys.Mode2Key)
	}
	return m.announce
}
