// Package metrics tells Prometheus how a gateway is. All of it comes from one snapshot: what is gone leaves no stale series.
package metrics

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Neighbor is a node in radio range.
type Neighbor struct {
	MAC  string
	RSSI float64
	// Margin is how many dB the average is above the least that the radio receives.
	Margin float64
	Heard  float64 // Unix time in seconds
	Cost   int     // of the way there; negative if not known
}

// Duty is what was sent in a sub-band in the last hour, in seconds. Limit is 0 where there is none.
type Duty struct {
	Band        string
	Used, Limit float64
	Refused     uint64
}

// Snapshot is what the metrics tell.
type Snapshot struct {
	Version, MAC, Network, Partition, Role string
	Routers, Children                      int
	Neighbors                              []Neighbor
	Duty                                   []Duty
	// Counters are the node's, by name: "RxOtherDestination".
	Counters map[string]uint64
	// Queues is how much waits, by where: "sending".
	Queues map[string]int
	// Airtime is how long the node has sent, in seconds, by what for.
	Airtime map[string]float64
	// Radio are the chip's, by name, where there is one: "Restarts".
	Radio map[string]uint64
	// Noise is the power on the channel in dBm, 0 where the radio cannot tell.
	Noise int
	// Host counts packets of the host's interface, by direction and verdict, and HostBytes the bytes of those that passed, by direction.
	Host      map[[2]string]uint64
	HostBytes map[string]uint64
	// MQTT counts messages by direction and result, "out published".
	MQTT          map[string]uint64
	Connected     bool
	Queue         int
	QueueBytes    int64
	QueueDropped  uint64
	RoleChanges   uint64
	Partitions    uint64
	AttachedSince float64 // Unix time in seconds; 0 while detached
	Boards        int     // with Pycom's library, that have been heard
	Watchers      int     // of the page
}

// collector makes metrics of a snapshot.
type collector struct{ take func() Snapshot }

// Metrics serves snapshots, and what is counted as it happens.
type Metrics struct {
	http.Handler
	pings prometheus.Histogram
}

// New returns the metrics of snapshots.
func New(take func() Snapshot) *Metrics {
	pings := prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "pymesh_ping_rtt_seconds", Help: "Round trips of pings from the page, the control socket and the broker that were answered.",
		Buckets: prometheus.ExponentialBuckets(0.25, 2, 10), // to 128 s
	})
	r := prometheus.NewRegistry()
	r.MustRegister(collector{take}, pings)
	return &Metrics{promhttp.HandlerFor(r, promhttp.HandlerOpts{}), pings}
}

// Pinged counts a ping that was answered.
func (m *Metrics) Pinged(rtt time.Duration) { m.pings.Observe(rtt.Seconds()) }

// Describe says nothing: what there is depends on the snapshot.
func (collector) Describe(chan<- *prometheus.Desc) {}

// roles are all that pymesh_role tells.
var roles = []string{"disabled", "detached", "child", "router", "leader"}

// Collect takes a snapshot.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	s := c.take()
	e := emitter{ch}
	e.gauge("build_info", "What the gateway was built from.", 1, "version", s.Version)
	e.gauge("node_info", "Which node of which mesh this is.", 1, "mac", s.MAC, "network", s.Network, "partition", s.Partition)
	for _, role := range roles {
		e.gauge("role", "1 for the role that the node has.", truth(role == s.Role), "role", role)
	}
	e.counter("role_changes_total", "How often the role has changed.", s.RoleChanges)
	e.counter("partition_changes_total", "How often the node has come into another partition.", s.Partitions)
	e.gauge("attached_timestamp_seconds", "Since when the node is part of a mesh; 0 while it is not.", s.AttachedSince)
	e.gauge("routers", "Routers of the mesh.", float64(s.Routers))
	e.gauge("children", "Children of this node.", float64(s.Children))
	for _, n := range s.Neighbors {
		e.gauge("neighbor_rssi_dbm", "Average strength of a neighbor.", n.RSSI, "mac", n.MAC)
		e.gauge("neighbor_link_margin_db", "How far a neighbor is above what the radio receives at least.", n.Margin, "mac", n.MAC)
		e.gauge("neighbor_last_heard_timestamp_seconds", "When a neighbor was last heard.", n.Heard, "mac", n.MAC)
		if n.Cost >= 0 {
			e.gauge("route_cost", "Cost of the way to a router.", float64(n.Cost), "mac", n.MAC)
		}
	}
	for _, d := range s.Duty {
		e.gauge("airtime_used_seconds", "What was sent in a sub-band in the last hour.", d.Used, "band", d.Band)
		if d.Limit > 0 {
			e.gauge("duty_cycle_limit_ratio", "Share of an hour that the law allows.", d.Limit/3600, "band", d.Band)
			e.gauge("duty_cycle_used_ratio", "Share of the airtime that the law allows in an hour.", d.Used/d.Limit, "band", d.Band)
		}
		e.counter("duty_cycle_refused_total", "Packets that were not sent since the airtime was used up.", d.Refused, "band", d.Band)
	}
	e.counted(s.Counters, engine, "engine_events_total", "What else the node has counted.")
	if n, ok := dataFrames(s.Counters); ok {
		e.emit(prometheus.CounterValue, "mac_frames_total", help["mac_frames_total"], float64(n), frames("tx", "data").labels)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Queues)) {
		e.gauge("queue_length", "What waits in the node, and for it.", float64(s.Queues[name]), "queue", name)
	}
	for _, class := range slices.Sorted(maps.Keys(s.Airtime)) {
		e.emit(prometheus.CounterValue, "airtime_seconds_total", "How long the node has sent, by what for.", s.Airtime[class], []string{"class", class})
	}
	e.counted(s.Radio, radio, "radio_events_total", "What else the driver of the radio has counted.")
	if s.Noise < 0 {
		e.gauge("channel_noise_dbm", "Power on the channel at this moment.", float64(s.Noise))
	}
	for _, key := range slices.SortedFunc(maps.Keys(s.Host), func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) }) {
		e.counter("netif_packets_total", "Packets of the host, by what has become of them.", s.Host[key], "direction", key[0], "verdict", key[1])
	}
	for _, direction := range slices.Sorted(maps.Keys(s.HostBytes)) {
		e.counter("netif_bytes_total", "Bytes of the host's packets that have passed.", s.HostBytes[direction], "direction", direction)
	}
	e.gauge("boards", "Boards with Pycom's library that have been heard.", float64(s.Boards))
	e.gauge("page_watchers", "Pages that are open.", float64(s.Watchers))
	e.gauge("mqtt_connected", "1 while the broker is there.", truth(s.Connected))
	for _, key := range slices.Sorted(maps.Keys(s.MQTT)) {
		direction, result, _ := strings.Cut(key, " ")
		e.counter("mqtt_messages_total", "Messages of the broker, by what has become of them.", s.MQTT[key], "direction", direction, "result", result)
	}
	e.gauge("mqtt_queue_messages", "Readings that wait for the broker.", float64(s.Queue))
	e.gauge("mqtt_queue_bytes", "What they take on disk.", float64(s.QueueBytes))
	e.counter("mqtt_queue_dropped_total", "Readings that were lost since the queue was full, or they too old.", s.QueueDropped)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// emitter sends metrics.
type emitter struct{ ch chan<- prometheus.Metric }

func (e emitter) emit(kind prometheus.ValueType, name, help string, value float64, labels []string) {
	var names, values []string
	for i := 0; i+1 < len(labels); i += 2 {
		names, values = append(names, labels[i]), append(values, strings.ToValidUTF8(labels[i+1], "\uFFFD"))
	}
	e.ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("pymesh_"+name, help, names, nil), kind, value, values...)
}

func (e emitter) gauge(name, help string, value float64, labels ...string) {
	e.emit(prometheus.GaugeValue, name, help, value, labels)
}

func (e emitter) counter(name, help string, value uint64, labels ...string) {
	e.emit(prometheus.CounterValue, name, help, float64(value), labels)
}

var word = regexp.MustCompile(`[A-Z]+[a-z0-9]*`)

// named tells counters, one series each, by their names in the usual spelling: RxOtherDestination is rx_other_destination.
func (e emitter) named(metric, help, label string, counters map[string]uint64) {
	for _, name := range slices.Sorted(maps.Keys(counters)) {
		e.counter(metric, help, counters[name], label, strings.ToLower(strings.Join(word.FindAllString(name, -1), "_")))
	}
}
