package pymesh

import (
	"errors"
	"reflect"
	"sync"

	"github.com/gopymesh/pymesh/lora"
)

// radiosInUse are the radios of the nodes of this program: two nodes on one radio would take each other's packets.
var radiosInUse sync.Map // of lora.Radio

// takeRadio makes a radio a node's, until giveBack.
func takeRadio(r lora.Radio) (giveBack func(), err error) {
	if !reflect.TypeOf(r).Comparable() {
		return func() {}, nil // it cannot be told from another
	}
	if _, taken := radiosInUse.LoadOrStore(r, nil); taken {
		return nil, errors.New("pymesh: New: another node uses this radio: Close it before")
	}
	return func() { radiosInUse.Delete(r) }, nil
}
