package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"regexp"
	"testing"
	"time"
)

// TestNumbers: what a gateway among simulated nodes tells Prometheus has values of the node, of the channel and of pings.
func TestNumbers(t *testing.T) {
	alone(t, 2, func(t *testing.T, ctx context.Context, g *gateway, _ *field) {
		time.Sleep(20 * time.Minute)
		tries(t, "ping", func() error {
			for _, n := range g.node.Neighbors() {
				_, err := actions{g}.Ping(ctx, macText(n.MAC))
				return err
			}
			return fmt.Errorf("no neighbors")
		})
		w := httptest.NewRecorder()
		g.numbers.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
		for _, want := range []string{
			`pymesh_engine_events_total\{counter="tx_frames"\} [1-9]`,
			`pymesh_mac_frames_total\{direction="tx",type="data"\} [1-9]`,
			`pymesh_mac_frames_total\{direction="rx",type="ack"\} [1-9]`,
			`pymesh_dropped_total\{layer="queue",reason="handler_full"\} 0`,
			`pymesh_datagrams_total\{direction="tx",result="sent"\} [1-9]`,
			`pymesh_queue_length\{queue="sending"\} [0-9]`,
			`pymesh_queue_length\{queue="sockets"\} 0`,
			`pymesh_queue_length\{queue="downlink"\} 0`,
			`pymesh_airtime_seconds_total\{class="mle"\} [0-9]`,
			`pymesh_airtime_seconds_total\{class="acks"\} [0-9]`,
			`pymesh_channel_noise_dbm -1[0-9][0-9]`,
			`pymesh_ping_rtt_seconds_count 1`,
			`pymesh_neighbor_rssi_dbm\{mac="[0-9a-f]{16}"\} -`,
			`pymesh_airtime_used_seconds\{band="[^"]+"\} [0-9]`,
		} {
			if !regexp.MustCompile(`(?m)^` + want).MatchString(w.Body.String()) {
				t.Errorf("%s is not there:\n%s", want, w.Body.String())
			}
		}
	})
}
