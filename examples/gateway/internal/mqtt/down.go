package mqtt

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/eclipse/paho.golang/paho"
)

// Message is what a node is to get.
type Message struct {
	Node    string
	Port    uint16
	Payload []byte
	// Text says that the payload is a text for Pycom's library.
	Text bool
	// Expires is when it is of no use any more; the zero value is never.
	Expires time.Time
	// Result tells who asked how it goes: queued, sent, delivered, no-route, duty-cycle, timeout, refused.
	Result func(string)
}

// TextPort is the port of Pycom's library: if the broker may send to it, it may send texts.
const TextPort = 1234

// Bounds.
const (
	downMax = 1024 // bytes for a node
	asksMax = 4    // requests at a time
)

// sharedName is that of the group of gateways of a mesh: the broker gives each message for a node to one of them.
const sharedName = "$share/gateways/"

// subscriptions are what this gateway wants to hear.
func (l *Link) subscriptions() (list []paho.SubscribeOptions) {
	add := func(topic string, noLocal bool) {
		list = append(list, paho.SubscribeOptions{Topic: topic, QoS: qos1, NoLocal: noLocal})
	}
	add(l.node("+", "availability"), true)
	if len(l.opt.Ports) > 0 {
		add(sharedName+l.node("+", "tx/+"), false)
	}
	if slices.Contains(l.opt.Ports, TextPort) {
		add(sharedName+l.node("+", "text"), false)
	}
	if l.opt.Ask != nil {
		add(l.gateway("request/+"), false)
	}
	if l.opt.HomeAssistant {
		add(birthTopic, false)
	}
	return list
}

// Down is what a topic means on which something comes.
type Down struct {
	Kind DownKind
	Node string // of DownDatagram, DownText and DownAvailability
	Port uint16 // of DownDatagram
	Verb string // of DownRequest
}

// DownKind is what comes.
type DownKind int

// Kinds of what comes.
const (
	DownDatagram DownKind = iota + 1
	DownText
	DownAvailability
	DownRequest
	DownBirth // of Home Assistant
)

// ParseDown reads a topic on which something comes for a gateway.
func ParseDown(prefix, gateway, topic string) (Down, error) {
	if topic == birthTopic {
		return Down{Kind: DownBirth}, nil
	}
	if verb, ok := strings.CutPrefix(topic, prefix+"/gw/"+gateway+"/request/"); ok && word(verb) {
		return Down{Kind: DownRequest, Verb: verb}, nil
	}
	rest, ok := strings.CutPrefix(topic, prefix+"/node/")
	node, what, _ := strings.Cut(rest, "/")
	switch {
	case !ok || !word(node):
	case what == "availability":
		return Down{Kind: DownAvailability, Node: node}, nil
	case !isMAC(node):
		return Down{}, fmt.Errorf("mqtt: %q is no MAC address of 16 hexadecimal digits", node)
	case what == "text":
		return Down{Kind: DownText, Node: node, Port: TextPort}, nil
	case strings.HasPrefix(what, "tx/"):
		p, err := strconv.ParseUint(what[len("tx/"):], 10, 16)
		if err != nil || p == 0 {
			return Down{}, fmt.Errorf("mqtt: %q is no port", what[len("tx/"):])
		}
		return Down{Kind: DownDatagram, Node: node, Port: uint16(p)}, nil
	}
	return Down{}, fmt.Errorf("mqtt: %q is no topic of this gateway", topic)
}

func isMAC(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 8 && s == strings.ToLower(s)
}

// word reports whether s can be a level of a topic.
func word(s string) bool { return s != "" && len(s) <= 64 && !strings.ContainsAny(s, "/+#\x00") }

// received takes what comes from the broker.
func (l *Link) received(pr paho.PublishReceived) (bool, error) {
	p := pr.Packet
	d, err := ParseDown(l.opt.Prefix, l.opt.Gateway, p.Topic)
	if err != nil {
		l.count("down malformed")
		return true, nil
	}
	switch d.Kind {
	case DownAvailability:
		l.contradict(d.Node, string(p.Payload))
	case DownBirth:
		if string(p.Payload) == online {
			l.discoverAgain()
		}
	case DownRequest:
		l.request(d.Verb, p)
	default:
		l.take(d, p)
	}
	return true, nil
}

// take takes what is for a node, unless it is refused.
func (l *Link) take(d Down, p *paho.Publish) {
	answer := l.answers(p)
	switch {
	case p.Retain: // it would come again at each start
		answer("refused: retained")
	case !slices.Contains(l.opt.Ports, d.Port):
		answer("refused: port")
	case len(p.Payload) > downMax:
		answer("refused: too long")
	default:
		l.opt.Down(Message{
			Node: d.Node, Port: d.Port, Payload: bytes.Clone(p.Payload), Text: d.Kind == DownText, Expires: expires(p), Result: answer,
		})
	}
}

// expires is when a message is of no use any more.
func expires(p *paho.Publish) time.Time {
	if p.Properties == nil || p.Properties.MessageExpiry == nil {
		return time.Time{}
	}
	return time.Now().Add(time.Duration(*p.Properties.MessageExpiry) * time.Second)
}

// answers tells on the response topic what becomes of a message.
func (l *Link) answers(p *paho.Publish) func(string) {
	topic, data := l.response(p)
	return func(stage string) {
		l.count("down " + stage)
		if topic != "" {
			l.send(&paho.Publish{Topic: topic, Payload: []byte(stage), QoS: qos1, Properties: &paho.PublishProperties{CorrelationData: data}})
		}
	}
}

// response is where an answer goes: to no topic that would make it a message for a node.
func (l *Link) response(p *paho.Publish) (topic string, correlation []byte) {
	if p.Properties == nil {
		return "", nil
	}
	topic = p.Properties.ResponseTopic
	if strings.ContainsAny(topic, "+#\x00") || strings.HasPrefix(topic, "$") || strings.HasPrefix(topic, l.opt.Prefix+"/node/") ||
		strings.HasPrefix(topic, l.opt.Prefix+"/gw/") && strings.Contains(topic, "/request/") {
		l.count("down response refused")
		topic = ""
	}
	return topic, bytes.Clone(p.Properties.CorrelationData)
}

// request does what is asked of the gateway itself, a few at a time.
func (l *Link) request(verb string, p *paho.Publish) {
	topic, data := l.response(p)
	if topic == "" {
		topic = l.gateway("response/" + verb)
	}
	answer := func(v any) {
		l.send(&paho.Publish{
			Topic: topic, Payload: []byte(toJSON(v)), QoS: qos1,
			Properties: &paho.PublishProperties{CorrelationData: data, ContentType: jsonType},
		})
	}
	type refusal struct {
		OK    bool   `json:"ok"`
		Error string `json:"error"`
	}
	switch {
	case p.Retain:
		return
	case l.opt.Ask == nil || len(p.Payload) > downMax:
		answer(refusal{Error: "refused: too long"})
		return
	}
	select {
	case l.asks <- struct{}{}:
	default:
		answer(refusal{Error: "refused: too many at a time"})
		return
	}
	body := bytes.Clone(p.Payload)
	l.count("down request")
	l.wg.Go(func() {
		defer func() { <-l.asks }()
		ctx, cancel := context.WithTimeout(l.ctx, askTimeout)
		defer cancel()
		result, err := l.opt.Ask(ctx, verb, body)
		if err != nil {
			answer(refusal{Error: err.Error()})
			return
		}
		answer(map[string]any{"ok": true, "result": result})
	})
}
