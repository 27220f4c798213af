package console

import (
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/meshcop"
)

// Management is what a node does about datasets and as a commissioner (Thread 1.1 §8.4, §8.7). Where pending is true the Pending Operational
// Dataset is meant, else the active one. Payloads are MeshCoP TLVs.
type Management interface {
	// Dataset returns the newest dataset that the node knows, with its timestamps, and false if there is none.
	Dataset(pending bool) (d meshcop.Dataset, ok bool)
	// SetDataset makes one the newest that the node knows: of a node that is in no partition, and of a leader, it is in force at once; others tell
	// their leader. It fails with ErrArgument if a timestamp is missing, or if the dataset is none that a network can have.
	SetDataset(now time.Time, pending bool, d meshcop.Dataset) error
	// RequestDataset sends a MGMT_ACTIVE_SET or MGMT_PENDING_SET to the leader, in the name of the commissioner if this node is it. It fails with
	// ErrDetached, and with coap.ErrBusy if too many requests are open.
	RequestDataset(now time.Time, pending bool, payload []byte) error
	// AskDataset sends a MGMT_ACTIVE_GET or MGMT_PENDING_GET for TLVs of some types, for all if there is none, to a node, the zero Addr standing
	// for the leader. It fails as RequestDataset does.
	AskDataset(now time.Time, pending bool, types []byte, to netip.Addr) error
	// MinDelay returns the least delay that the node as a leader gives a pending dataset which leaves the key as it is.
	MinDelay() time.Duration
	// SetMinDelay changes it. ErrArgument says that it is not positive, or not below that of another key.
	SetMinDelay(d time.Duration) error

	// StartCommissioner asks the leader for the role of the commissioner, StopCommissioner gives it up. They fail with ErrExists if the node is
	// the commissioner, or asks already, and with ErrState if it does not.
	StartCommissioner(now time.Time) error
	StopCommissioner(now time.Time) error
	// CommissionerSession returns the node's last session as the commissioner.
	CommissionerSession() uint16
	// RequestCommissioning sends a MGMT_COMMISSIONER_SET to the leader, AskCommissioning a MGMT_COMMISSIONER_GET for TLVs of some types, for all
	// if there is none. They fail as RequestDataset does.
	RequestCommissioning(now time.Time, payload []byte) error
	AskCommissioning(now time.Time, types []byte) error
}
