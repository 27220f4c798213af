package dissect

import (
	"iter"

	"github.com/gopymesh/pymesh/thread/ieee802154"
	"github.com/gopymesh/pymesh/thread/keys"
)

const (
	numKeyIndices = 128 // key sequences with different key indices (Thread 1.1 §7.1.4)
	maxCachedKeys = 8   // ours
)

// keyring holds the keys of the network.
type keyring struct {
	networkKey [keys.Size]byte
	wellKnown  *ieee802154.CCM
	sequence   keys.Sequence // the latest under which a frame or message was authentic
	cached     map[keys.Sequence]keyPair
}

type keyPair struct{ mac, mle *ieee802154.CCM }

func newKeyring(networkKey [keys.Size]byte) keyring {
	return keyring{
		networkKey: networkKey,
		wellKnown:  ieee802154.NewCCM(keys.Mode2Key),
		cached:     map[keys.Sequence]keyPair{},
	}
}

// of returns the keys of a key sequence.
func (k *keyring) of(seq keys.Sequence) keyPair {
	if p, ok := k.cached[seq]; ok {
		return p
	}
	if len(k.cached) == maxCachedKeys {
		clear(k.cached)
	}
	derived := keys.Derive(k.networkKey, seq)
	p := keyPair{mac: ieee802154.NewCCM(derived.MAC), mle: ieee802154.NewCCM(derived.MLE)}
	k.cached[seq] = p
	return p
}

// candidates yields the key sequences that a key index may stand for: the next one from the latest on, then the last
// one before.
func (k *keyring) candidates(index uint8) iter.Seq[keys.Sequence] {
	return func(yield func(keys.Sequence) bool) {
		ahead := keys.Sequence(index-k.sequence.Index()) % numKeyIndices
		if !yield(k.sequence + ahead) {
			return
		}
		if behind := numKeyIndices - ahead; behind <= k.sequence {
			yield(k.sequence - behind)
		}
	}
}

// accept records that something was authentic under a key sequence.
func (k *keyring) accept(seq keys.Sequence) { k.sequence = max(k.sequence, seq) }
