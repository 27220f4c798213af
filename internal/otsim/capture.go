//go:build unix

package otsim

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gopymesh/pymesh/internal/pcap"
)

// Sent is a frame that was on the air.
type Sent struct {
	Time time.Time // when it reached the others
	From int       // node id
	PSDU []byte    // with FCS
}

// Sent returns every frame so far, in the order of the air. The caller must not change
// the frames.
func (c *Controller) Sent() []Sent {
	return c.sent[:len(c.sent):len(c.sent)]
}

// WriteCapture writes every frame so far to a pcap file.
func (c *Controller) WriteCapture(name string) error {
	var buf bytes.Buffer
	w, err := pcap.NewWriter(&buf, pcap.IEEE802154)
	if err != nil {
		return err
	}
	for _, s := range c.sent {
		if err := w.WriteRecord(pcap.Record{Time: s.Time, Data: s.PSDU}); err != nil {
			return err
		}
	}
	return os.WriteFile(name, buf.Bytes(), 0o666)
}

// keepEvidence leaves the air of a failed test in its artifact directory, which
// `go test -artifacts` keeps.
func (c *Controller) keepEvidence() {
	if !c.t.Failed() {
		return
	}
	name := filepath.Join(c.t.ArtifactDir(), fmt.Sprintf("otsim-%d.pcap", c.host.Group.Offset))
	if err := c.WriteCapture(name); err != nil {
		c.t.Logf("otsim: %v", err)
		return
	}
	c.t.Logf("otsim: %d frames in %s (kept with -artifacts)", len(c.sent), name)
}
