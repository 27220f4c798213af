package mqtt

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/eclipse/paho.golang/paho"

	"github.com/gopymesh/pymesh/examples/gateway/internal/spool"
)

// Reading is a datagram of a node.
type Reading struct {
	Time    time.Time
	Node    string // MAC of the sender
	Src     netip.AddrPort
	Dst     netip.AddrPort
	Payload []byte
	// Outside says that it was for an address outside the mesh.
	Outside bool
	// Told is what a known format has in it, as JSON; nil if there is none.
	Told json.RawMessage
}

// apart is how far from each other two gateways may be in the time at which they hear of a reading.
const apart = 20 * time.Second

// IDs names a reading. It is made of the sender's address, the ports, the payload and the minute, so that all gateways that hear of it make the
// same. When the minute is young, also is the name that it had in the last one: of two gateways that hear of a reading within 20 seconds, one has
// the other's id as its id or its also. Who sends the same again within a minute makes no second reading.
func (r Reading) IDs() (id, also string) {
	minute := r.Time.Unix() / 60
	if r.Time.Sub(time.Unix(minute*60, 0)) < apart {
		also = r.idAt(minute - 1)
	}
	return r.idAt(minute), also
}

func (r Reading) idAt(minute int64) string {
	h := sha256.New()
	fmt.Fprintf(h, "%v %d %d ", r.Src, r.Dst.Port(), minute)
	h.Write(r.Payload)
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// record is a reading on disk, or an event.
type record struct {
	Time    int64           `json:"ts"` // Unix time in milliseconds
	ID      string          `json:"id,omitempty"`
	Also    string          `json:"also,omitempty"`
	Node    string          `json:"node,omitempty"`
	Src     netip.AddrPort  `json:"src"`
	Dst     netip.AddrPort  `json:"dst"`
	Payload []byte          `json:"payload,omitempty"`
	Outside bool            `json:"outside,omitempty"`
	Told    json.RawMessage `json:"told,omitempty"`
	Event   json.RawMessage `json:"event,omitempty"`
}

// parseRecord reads what is on disk.
func parseRecord(b []byte) (r record, err error) {
	if err = json.Unmarshal(b, &r); err != nil {
		return record{}, fmt.Errorf("mqtt: record: %w", err)
	}
	if r.Event == nil && (!word(r.Node) || !r.Dst.IsValid()) {
		return record{}, errors.New("mqtt: record without a node")
	}
	return r, nil
}

// Publish takes a reading; it is on disk when Publish returns. Where the disk does not take it, a broker that is there has it all the same.
func (l *Link) Publish(r Reading) error {
	l.learn(r)
	id, also := r.IDs()
	kept := record{
		Time: r.Time.UnixMilli(), ID: id, Also: also, Node: r.Node, Src: r.Src, Dst: r.Dst, Payload: r.Payload, Outside: r.Outside, Told: r.Told,
	}
	err := l.put(kept)
	if err == nil || errors.Is(err, spool.ErrClosed) {
		return err
	}
	if !l.Connected() {
		l.count("out lost")
		return err
	}
	l.count("out unspooled")
	for _, p := range l.messages(kept) {
		l.send(p)
	}
	return err
}

// Event publishes what has happened at a time; it waits for the broker as readings do.
func (l *Link) Event(at time.Time, v any) {
	if err := l.put(record{Time: at.UnixMilli(), Event: json.RawMessage(toJSON(v))}); err != nil {
		l.count("out failed")
	}
}

func (l *Link) put(r record) error {
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return l.queue.Put(b)
}

// replay publishes what the queue has, in order, each until the broker has it.
func (l *Link) replay(ctx context.Context) {
	pace := time.NewTicker(time.Second / time.Duration(l.opt.Rate))
	defer pace.Stop()
	for {
		b, ok := l.queue.Peek()
		if !ok {
			select {
			case <-ctx.Done():
				return
			case <-l.queue.Ready():
			}
			continue
		}
		r, err := parseRecord(b)
		if err != nil {
			l.count("out damaged")
			_ = l.queue.Ack()
			continue
		}
		if !l.deliver(ctx, r) {
			return
		}
		if err := l.queue.Ack(); err != nil && !errors.Is(err, spool.ErrClosed) {
			l.log.Warn("spool", "err", err)
		}
		l.count("out published")
		select {
		case <-ctx.Done():
			return
		case <-pace.C:
		}
	}
}

// deliver publishes a record, and tries until the broker has taken it. It reports false when ctx has ended.
func (l *Link) deliver(ctx context.Context, r record) bool {
	for _, p := range l.messages(r) {
		for !l.attempt(ctx, p) {
			if ctx.Err() != nil {
				return false
			}
		}
	}
	return true
}

// messages are a reading in both forms, or an event.
func (l *Link) messages(r record) []*paho.Publish {
	seconds := uint32(expiry / time.Second)
	if r.Event != nil {
		return []*paho.Publish{{
			Topic: l.gateway("event"), Payload: r.Event, QoS: qos1,
			Properties: &paho.PublishProperties{MessageExpiry: &seconds, ContentType: jsonType},
		}}
	}
	kind := "rx/"
	if r.Outside {
		kind = "ext/"
	}
	port := strconv.Itoa(int(r.Dst.Port()))
	user := paho.UserProperties{
		{Key: "src", Value: r.Src.String()}, {Key: "dst", Value: r.Dst.String()},
		{Key: "ts", Value: strconv.FormatInt(r.Time, 10)}, {Key: "gw", Value: l.opt.Gateway}, {Key: "id", Value: r.ID},
	}
	if r.Also != "" {
		user = append(user, paho.UserProperty{Key: "also", Value: r.Also})
	}
	return []*paho.Publish{{
		Topic: l.node(r.Node, kind+port), Payload: r.Payload, QoS: qos1,
		Properties: &paho.PublishProperties{MessageExpiry: &seconds, User: user},
	}, {
		Topic: l.node(r.Node, "json/"+port), Payload: []byte(twinOf(r, l.opt.Gateway)), QoS: qos1,
		Properties: &paho.PublishProperties{MessageExpiry: &seconds, ContentType: jsonType},
	}}
}

// attempt publishes once the broker is there.
func (l *Link) attempt(ctx context.Context, p *paho.Publish) bool {
	if err := l.cm.AwaitConnection(ctx); err != nil {
		return false
	}
	once, cancel := l.whileConnected()
	defer cancel()
	response, err := l.cm.Publish(once, p)
	switch {
	case err == nil:
		return true
	case response != nil && response.ReasonCode >= 0x80: // the broker does not want it: not now and not later
		l.count("out refused")
		l.log.Warn("broker refuses", "topic", p.Topic, "reason", response.ReasonCode)
		return true
	}
	select {
	case <-ctx.Done():
	case <-time.After(200 * time.Millisecond):
	}
	return false
}

// twinOf is a reading as JSON: what is UTF-8 as text, all else in base64.
func twinOf(r record, gateway string) string {
	v := struct {
		ID      string          `json:"id"`
		Also    string          `json:"also,omitempty"`
		Time    int64           `json:"ts"`
		Gateway string          `json:"gw"`
		Src     string          `json:"src"`
		Dst     string          `json:"dst"`
		Text    string          `json:"text,omitempty"`
		Base64  string          `json:"base64,omitempty"`
		Told    json.RawMessage `json:"pycom,omitempty"`
	}{ID: r.ID, Also: r.Also, Time: r.Time, Gateway: gateway, Src: r.Src.String(), Dst: r.Dst.String(), Told: r.Told}
	if utf8.Valid(r.Payload) {
		v.Text = string(r.Payload)
	} else {
		v.Base64 = base64.StdEncoding.EncodeToString(r.Payload)
	}
	return toJSON(v)
}
