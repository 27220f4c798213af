package mqtt

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/eclipse/paho.golang/paho"
)

// Home Assistant is told of devices by one retained message each, and again when it starts.
const (
	birthTopic      = "homeassistant/status"
	discoveryPrefix = "homeassistant/device/"

	maxFields = 16 // of a node, that become sensors
)

// field is a number in the JSON that a node sends to a port.
type field struct {
	Port uint16
	Name string
}

// learn notes the numbers that a node sends in JSON objects, each of which becomes a sensor.
func (l *Link) learn(r Reading) {
	if !l.opt.HomeAssistant || r.Outside || !isMAC(r.Node) {
		return
	}
	fresh := false
	l.mu.Lock()
	for _, name := range numbers(r.Payload) {
		f := field{r.Dst.Port(), name}
		if known := l.fields[r.Node]; len(known) < maxFields && !slices.Contains(known, f) && (known != nil || len(l.fields) < maxRetained/4) {
			l.fields[r.Node] = append(known, f)
			fresh = true
		}
	}
	l.mu.Unlock()
	if fresh {
		l.discoverNode(r.Node)
	}
}

var fieldName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,31}$`)

// numbers are the names of the numbers in a JSON object, in order.
func numbers(payload []byte) (names []string) {
	var v map[string]any
	if len(payload) == 0 || payload[0] != '{' || json.Unmarshal(payload, &v) != nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		if _, ok := v[name].(float64); ok && fieldName.MatchString(name) {
			names = append(names, name)
		}
	}
	return names
}

// classes are what Home Assistant calls some of them, with the unit that is usual.
var classes = map[string][2]string{
	"temperature": {"temperature", "°C"}, "humidity": {"humidity", "%"}, "pressure": {"pressure", "hPa"}, "voltage": {"voltage", "V"},
	"illuminance": {"illuminance", "lx"}, "co2": {"carbon_dioxide", "ppm"},
}

type object = map[string]any

// objectID names a device for Home Assistant.
func (l *Link) objectID(mac string) string {
	clean := func(r rune) rune {
		if r < 0x80 && (r == '_' || r == '-' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z') {
			return r
		}
		return '_'
	}
	return strings.Map(clean, l.opt.Prefix) + "_" + mac
}

func (l *Link) device(mac, name, model string, available string, components object) object {
	id := l.objectID(mac)
	for key, c := range components {
		c.(object)["unique_id"] = id + "_" + key
	}
	return object{
		"dev":          object{"ids": []string{id}, "name": name, "mf": "pymesh", "mdl": model, "sn": mac},
		"o":            object{"name": "pymesh gateway", "sw": l.opt.Version, "url": "https://github.com/gopymesh/pymesh"},
		"cmps":         components,
		"availability": []object{{"topic": available}},
		"qos":          1,
	}
}

// sensor is a value in the JSON of a topic.
func sensor(name, topic, template string) object {
	return object{"p": "sensor", "name": name, "state_topic": topic, "value_template": "{{ " + template + " }}", "entity_category": "diagnostic"}
}

func (l *Link) discoverNode(mac string) {
	if !l.opt.HomeAssistant || !isMAC(mac) || mac == l.opt.Gateway {
		return
	}
	l.mu.Lock()
	fields := slices.Clone(l.fields[mac])
	l.mu.Unlock()
	link := l.node(mac, "link")
	heard := sensor("Last heard", link, "(value_json.heard / 1000) | as_datetime")
	heard["device_class"] = "timestamp"
	c := object{"heard": heard, "cost": sensor("Cost of the way", link, "value_json.cost"), "role": sensor("Role", link, "value_json.role")}
	for _, f := range fields {
		s := object{
			"p": "sensor", "name": f.Name, "state_topic": l.node(mac, fmt.Sprintf("json/%d", f.Port)),
			"value_template": "{{ (value_json.text | from_json)." + f.Name + " }}", "state_class": "measurement",
		}
		if class, ok := classes[strings.ToLower(f.Name)]; ok {
			s["device_class"], s["unit_of_measurement"] = class[0], class[1]
		}
		c[fmt.Sprintf("p%d_%s", f.Port, strings.ToLower(f.Name))] = s
	}
	if slices.Contains(l.opt.Ports, TextPort) {
		c["text"] = object{"p": "notify", "name": "Text", "command_topic": l.node(mac, "text")}
	}
	l.retain(discoveryPrefix+l.objectID(mac)+"/config", toJSON(l.device(mac, l.opt.Mesh+" "+mac[12:], "node", l.node(mac, "availability"), c)), true)
}

func (l *Link) discoverGateway() {
	if !l.opt.HomeAssistant {
		return
	}
	info := l.gateway("info")
	c := object{
		"nodes": sensor("Nodes", info, "value_json.nodes"), "role": sensor("Role", info, "value_json.role"),
		"waiting": sensor("Readings that wait", info, "value_json.queue.waiting"),
	}
	mac := l.opt.Gateway
	l.retain(discoveryPrefix+l.objectID(mac)+"/config", toJSON(l.device(mac, l.opt.Mesh+" gateway "+mac[12:], "gateway", l.gateway("state"), c)), false)
}

func (l *Link) forgetDiscovery(mac string) {
	l.mu.Lock()
	delete(l.fields, mac)
	l.mu.Unlock()
	l.remove(discoveryPrefix + l.objectID(mac) + "/config")
}

// discoverAgain tells Home Assistant of all devices, and then that they are there.
func (l *Link) discoverAgain() {
	l.mu.Lock()
	all := map[string]kept{l.gateway("state"): {payload: online}}
	for topic, k := range l.retained {
		if strings.HasPrefix(topic, discoveryPrefix) || strings.HasSuffix(topic, "/availability") {
			all[topic] = k
		}
	}
	l.mu.Unlock()
	var messages []*paho.Publish
	for _, topic := range slices.Sorted(maps.Keys(all)) {
		messages = append(messages, all[topic].publish(topic))
	}
	l.send(messages...)
}
