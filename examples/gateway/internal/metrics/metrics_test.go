package metrics

import (
	"io"
	"net/http/httptest"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// full is a snapshot in which everything has a value.
func full() Snapshot {
	return Snapshot{
		Version: "v1", MAC: "0000000000000001", Network: "mesh \"x\"\n", Partition: "00c0ffee", Role: "leader", Routers: 3, Children: 2,
		Neighbors: []Neighbor{{MAC: "0000000000000002", RSSI: -70, Margin: 12, Heard: 1e9, Cost: 1}, {MAC: "0000000000000003", RSSI: -90, Cost: -1}},
		Duty:      []Duty{{Band: "M", Used: 9, Limit: 36, Refused: 2}, {Band: "P"}},
		Counters: map[string]uint64{"TxFrames": 5, "TxPolls": 1, "TxBeacons": 1, "RxOtherDestination": 6, "TxNoAck": 7, "TxRetries": 8, "Forwarded": 9,
			"TxDatagrams": 10, "RxData": 11, "AttachAttempts": 12},
		Queues:  map[string]int{"sending": 3, "host": 0},
		Airtime: map[string]float64{"mle": 1.5},
		Radio:   map[string]uint64{"SpiErrors": 7, "Repairs": 1, "Deferred": 2}, Noise: -117, HostBytes: map[string]uint64{"to_mesh": 80},
		Host: map[[2]string]uint64{{"to_mesh", "passed"}: 1, {"to_host", "passed"}: 2},
		MQTT: map[string]uint64{"out published": 3, "down no-route": 1}, Connected: true, Queue: 4, QueueBytes: 500, QueueDropped: 6,
		RoleChanges: 1, Partitions: 2, AttachedSince: 1e9, Boards: 2, Watchers: 1,
	}
}

func scrape(t *testing.T, s Snapshot) string {
	t.Helper()
	w := httptest.NewRecorder()
	m := New(func() Snapshot { return s })
	m.Pinged(300 * time.Millisecond)
	m.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	b, err := io.ReadAll(w.Result().Body)
	if err != nil || w.Code != 200 {
		t.Fatalf("%d, %v: %s", w.Code, err, b)
	}
	return string(b)
}

func TestMetrics(t *testing.T) {
	got := scrape(t, full())
	for _, want := range []string{
		`pymesh_build_info{version="v1"} 1`,
		`pymesh_role{role="leader"} 1`,
		`pymesh_role{role="child"} 0`,
		`pymesh_neighbor_rssi_dbm{mac="0000000000000002"} -70`,
		`pymesh_neighbor_link_margin_db{mac="0000000000000002"} 12`,
		`pymesh_route_cost{mac="0000000000000002"} 1`,
		`pymesh_duty_cycle_used_ratio{band="M"} 0.25`,
		`pymesh_duty_cycle_limit_ratio{band="M"} 0.01`,
		`pymesh_duty_cycle_refused_total{band="M"} 2`,
		`pymesh_dropped_total{layer="mac",reason="other_destination"} 6`,
		`pymesh_mac_frames_total{direction="tx",type="data"} 3`,
		`pymesh_mac_frames_total{direction="tx",type="poll"} 1`,
		`pymesh_mac_frames_total{direction="rx",type="data"} 11`,
		`pymesh_mac_failures_total{reason="no_ack"} 7`,
		`pymesh_mac_retries_total 8`,
		`pymesh_forwarded_frames_total 9`,
		`pymesh_datagrams_total{direction="tx",result="sent"} 10`,
		`pymesh_engine_events_total{counter="attach_attempts"} 12`,
		`pymesh_queue_length{queue="sending"} 3`,
		`pymesh_queue_length{queue="host"} 0`,
		`pymesh_radio_errors_total{op="spi"} 7`,
		`pymesh_radio_resets_total 1`,
		`pymesh_radio_events_total{counter="deferred"} 2`,
		`pymesh_airtime_seconds_total{class="mle"} 1.5`,
		`pymesh_channel_noise_dbm -117`,
		`pymesh_netif_bytes_total{direction="to_mesh"} 80`,
		`pymesh_ping_rtt_seconds_bucket{le="0.5"} 1`,
		`pymesh_netif_packets_total{direction="to_mesh",verdict="passed"} 1`,
		`pymesh_mqtt_messages_total{direction="down",result="no-route"} 1`,
		`pymesh_mqtt_queue_dropped_total 6`,
		`pymesh_boards 2`,
	} {
		if !strings.Contains(got, want+"\n") {
			t.Errorf("%s is not there", want)
		}
	}
	for _, never := range []string{`route_cost{mac="0000000000000003"}`, `used_ratio{band="P"}`} {
		if strings.Contains(got, never) {
			t.Errorf("%s is there", never)
		}
	}
	scrape(t, Snapshot{}) // of a gateway that has only begun
}

// TestPromtool has Prometheus' own checker look at the metrics.
func TestPromtool(t *testing.T) {
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Skip("skipped: no promtool (Debian's package prometheus)")
	}
	for _, s := range []Snapshot{full(), {}} {
		c := exec.Command(path, "check", "metrics")
		c.Stdin = strings.NewReader(scrape(t, s))
		if out, err := c.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%v: %s", err, out)
		}
	}
}

// TestTables: every counter that a table names is one of the node or of the driver, no two of a table are the same series, and what of the node
// is no drop, frame or datagram is told all the same.
func TestTables(t *testing.T) {
	names := func(v any) map[string]uint64 {
		all := map[string]uint64{"HandlerQueueFull": 1}
		for f := range reflect.TypeOf(v).Fields() {
			all[f.Name] = 1
		}
		return all
	}
	counters := names(thread.Counters{})
	for name, s := range engine {
		if counters[name] == 0 {
			t.Errorf("the node has no counter %s", name)
		}
		if help[s.metric] == "" {
			t.Errorf("%s is not explained", s.metric)
		}
	}
	for name, s := range radio {
		if help[s.metric] == "" {
			t.Errorf("%s: %s is not explained", name, s.metric)
		}
	}
	got := scrape(t, Snapshot{Counters: counters}) // which fails if a series is there twice
	if n := strings.Count(got, "\npymesh_engine_events_total{") + strings.Count(got, "\npymesh_dropped_total{") + strings.Count(got, "\npymesh_mac_") +
		strings.Count(got, "\npymesh_datagrams_total{") + strings.Count(got, "\npymesh_forwarded_frames_total"); n != len(counters)+1 {
		t.Errorf("%d series of %d counters and what is left of TxFrames", n, len(counters))
	}
}
