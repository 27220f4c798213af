package thread

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/gopymesh/pymesh/thread/internal/commissioning"
	"github.com/gopymesh/pymesh/thread/internal/dataset"
	"github.com/gopymesh/pymesh/thread/meshcop"
	"github.com/gopymesh/pymesh/thread/tlv"
	"github.com/gopymesh/pymesh/thread/tmf"
)

// What the command line does about datasets and as a commissioner. The documentation is with console.Management.

func (c commands) Dataset(pending bool) (d meshcop.Dataset, ok bool) {
	if pending {
		return datasetOf(meshcop.TypePendingTimestamp)(c.e.pendingSet.Own())
	}
	return datasetOf(meshcop.TypeActiveTimestamp)(c.e.dataset.Own())
}

// datasetOf puts a dataset and its timestamp, of the given type, together.
func datasetOf(t meshcop.Type) func([8]byte, []byte, bool) (meshcop.Dataset, bool) {
	return func(timestamp [8]byte, tlvs []byte, ok bool) (meshcop.Dataset, bool) {
		d, err := meshcop.ParseDataset(append(tlv.Append(nil, t, timestamp[:]), tlvs...))
		return d, ok && err == nil
	}
}

func (c commands) SetDataset(now time.Time, pending bool, d meshcop.Dataset) error {
	e := c.e
	e.Advance(now)
	of, timestamp := meshcop.HasActiveTimestamp, d.ActiveTimestamp
	if pending {
		of, timestamp = meshcop.HasPendingTimestamp, d.PendingTimestamp
	} else {
		d.Present &^= meshcop.HasPendingTimestamp | meshcop.HasDelayTimer
	}
	if !d.Has(of | meshcop.HasActiveTimestamp) {
		return fmt.Errorf("%w: a dataset without timestamp", ErrArgument)
	}
	d.Present &^= of
	tlvs, err := d.AppendBinary(nil)
	if err == nil {
		b, _ := timestamp.AppendBinary(nil)
		err = e.manage.set(pending, [8]byte(b), tlvs)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrArgument, err)
	}
	e.settle()
	return nil
}

func (c commands) RequestDataset(now time.Time, pending bool, payload []byte) error {
	e := c.e
	e.Advance(now)
	commissioner := e.commiss.commissioning
	if _, ok := tlv.Find(payload, meshcop.TypeCommissionerSessionID); !ok && commissioner.State() == commissioning.Active {
		payload = append(meshcop.AppendCommissionerSessionID(nil, commissioner.Session()), payload...)
	}
	err := e.manage.ask(netip.Addr{}, resourceOf(pending, tmf.URIActiveSet, tmf.URIPendingSet), payload, nil)
	e.settle()
	return err
}

func (c commands) AskDataset(now time.Time, pending bool, types []byte, to netip.Addr) error {
	c.e.Advance(now)
	err := c.e.manage.ask(to, resourceOf(pending, tmf.URIActiveGet, tmf.URIPendingGet), getTLV(types), nil)
	c.e.settle()
	return err
}

func resourceOf(pending bool, active, other string) string {
	if pending {
		return other
	}
	return active
}

// getTLV asks for some types of TLVs, or for all by asking for none.
func getTLV(types []byte) []byte {
	if len(types) == 0 {
		return nil
	}
	return tlv.Append(nil, meshcop.TypeGet, types)
}

func (c commands) MinDelay() time.Duration { return c.e.manage.manager.MinDelay }

func (c commands) SetMinDelay(d time.Duration) error {
	if d <= 0 || d >= dataset.MinKeyDelay {
		return ErrArgument
	}
	c.e.manage.manager.MinDelay = d
	return nil
}

func (c commands) StartCommissioner(now time.Time) error {
	c.e.Advance(now)
	err := c.e.commiss.commissioning.Start()
	c.e.commiss.send()
	c.e.settle()
	return err
}

func (c commands) StopCommissioner(now time.Time) error {
	c.e.Advance(now)
	before := c.e.commiss.commissioning.State()
	err := c.e.commiss.commissioning.Stop()
	c.e.commiss.stateChanged(before, c.e.commiss.commissioning.State())
	c.e.commiss.send()
	c.e.updateAddresses()
	c.e.settle()
	return err
}

func (c commands) CommissionerSession() uint16 { return c.e.commiss.commissioning.Session() }

func (c commands) RequestCommissioning(now time.Time, payload []byte) error {
	c.e.Advance(now)
	err := c.e.manage.ask(netip.Addr{}, tmf.URICommissionerSet, payload, nil)
	c.e.settle()
	return err
}

func (c commands) AskCommissioning(now time.Time, types []byte) error {
	c.e.Advance(now)
	err := c.e.manage.ask(netip.Addr{}, tmf.URICommissionerGet, getTLV(types), nil)
	c.e.settle()
	return err
}
