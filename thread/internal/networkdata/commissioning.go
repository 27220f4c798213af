package networkdata

import (
	"bytes"

	"github.com/gopymesh/pymesh/thread/netdata"
)

// SetCommissioningData replaces what the data say of the commissioner, MeshCoP TLVs; none removes it. It fails if the data would have more
// than 255 bytes, and then changes nothing. It reports whether there is another version of the data.
func (d *Data) SetCommissioningData(value []byte) (changed bool, err error) {
	if bytes.Equal(value, d.CommissioningData()) {
		return false, nil
	}
	var tlvs []byte
	for t := range netdata.All(d.tlvs) {
		if t.Type != netdata.TypeCommissioningData {
			tlvs, _ = t.AppendBinary(tlvs) // not longer than it was
		}
	}
	if len(value) > 0 {
		if tlvs, err = (netdata.TLV{Type: netdata.TypeCommissioningData, Value: value}).AppendBinary(tlvs); err != nil {
			return false, err
		}
	}
	if len(tlvs) > maxSize {
		return false, errTooLong
	}
	d.tlvs = append(d.tlvs[:0], tlvs...)
	d.Bump(false)
	return true, nil
}

// CommissioningData returns what the data say of the commissioner, MeshCoP TLVs. It is not to be changed.
func (d *Data) CommissioningData() []byte {
	for t := range netdata.All(d.tlvs) {
		if t.Type == netdata.TypeCommissioningData {
			return t.Value
		}
	}
	return nil
}

// Bump makes a new version of the data whose content stays, and of the stable subset, too, if that is to be: something else that goes with
// them has changed.
func (d *Data) Bump(stable bool) {
	d.version++
	if stable {
		d.stableVersion++
	}
}
