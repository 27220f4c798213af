package metrics

import (
	"io"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// full is a snapshot in which everything has a value.
func full() Snapshot {
	return Snapshot{
		Version: "v1", MAC: "0000000000000001", Network: "mesh \"x\"\n", Partition: "00c0ffee", Role: "leader", Routers: 3, Children: 2,
		Neighbors: []Neighbor{{MAC: "0000000000000002", RSSI: -70, Margin: 12, Heard: 1e9, Cost: 1}, {MAC: "0000000000000003", RSSI: -90, Cost: -1}},
		Duty:      []Duty{{Band: "M", Used: 9, Limit: 36, Refused: 2}, {Band: "P"}},
		Counters:  map[string]uint64{"TxFrames": 5, "RxOtherDestination": 6},
		Airtime:   map[string]float64{"mle": 1.5},
		Radio:     map[string]uint64{"SpiErrors": 7}, Noise: -117, HostBytes: map[string]uint64{"to_mesh": 80},
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
		`pymesh_engine_events_total{counter="rx_other_destination"} 6`,
		`pymesh_radio_events_total{counter="spi_errors"} 7`,
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
