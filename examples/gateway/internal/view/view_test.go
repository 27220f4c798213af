package view

import (
	"encoding/json"
	"fmt"
	"testing"
)

func decode[T any](t *testing.T, b []byte) (v T) {
	t.Helper()
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	return v
}

// TestDeltas: who watches gets all there is, and then what is different, alone.
func TestDeltas(t *testing.T) {
	v := New()
	a, b := Node{ID: "a", Role: "leader", Alive: true}, Node{ID: "b", Role: "router", Alive: true}
	v.SetMesh([]Node{a, b}, []Link{{A: "a", B: "b", AB: 3, BA: 2}})
	v.Happened(Event{Text: "before"})
	first, w, ok := v.Watch()
	if s := decode[Snapshot](t, first); !ok || len(s.Nodes) != 2 || s.Nodes[0].ID != "a" || len(s.Links) != 1 || len(s.Events) != 1 {
		t.Errorf("%s", first)
	}
	v.SetMesh([]Node{a, b}, []Link{{A: "a", B: "b", AB: 3, BA: 2}}) // nothing new: nothing is told
	b.Alive = false
	v.SetMesh([]Node{a, b}, []Link{{A: "a", B: "b", AB: 3, BA: 2}})
	if d := decode[Delta](t, <-w.C); len(d.Nodes) != 1 || d.Nodes[0].ID != "b" || d.Nodes[0].Alive || d.Links != nil || d.Gone != nil {
		t.Errorf("a node that falls silent: %+v", d)
	}
	v.SetMesh([]Node{a}, nil)
	if d := decode[Delta](t, <-w.C); d.Nodes != nil || len(d.Gone) != 2 {
		t.Errorf("a node and its link that are forgotten: %+v", d)
	}
	v.SetStatus(Status{Role: "leader"})
	v.Sample(map[string]int{"a": -80})
	v.Happened(Event{Text: "after"})
	for _, want := range []func(Delta) bool{
		func(d Delta) bool { return d.Status != nil && d.Status.Role == "leader" },
		func(d Delta) bool { return d.RSSI["a"] == -80 },
		func(d Delta) bool { return len(d.Events) == 1 && d.Events[0].Text == "after" },
	} {
		if d := decode[Delta](t, <-w.C); !want(d) {
			t.Errorf("%+v", d)
		}
	}
	w.Close()
	w.Close()
	if _, open := <-w.C; open || v.Watchers() != 0 {
		t.Errorf("%d watch", v.Watchers())
	}
}

// TestSlowWatcher: who does not keep up is cut off, and nobody else waits for it.
func TestSlowWatcher(t *testing.T) {
	v := New()
	_, slow, _ := v.Watch()
	_, quick, _ := v.Watch()
	for i := range watcherQueue + 1 {
		v.Happened(Event{Text: fmt.Sprint(i)})
		if d := decode[Delta](t, <-quick.C); d.Events[0].Text != fmt.Sprint(i) {
			t.Errorf("%+v", d)
		}
	}
	n := 0
	for range slow.C {
		n++
	}
	if n != watcherQueue || v.Watchers() != 1 {
		t.Errorf("%d events, %d watch", n, v.Watchers())
	}
}

// TestBounds: nothing grows without an end.
func TestBounds(t *testing.T) {
	v := New()
	var nodes []Node
	var links []Link
	for i := range MaxLinks + 10 {
		nodes = append(nodes, Node{ID: fmt.Sprint(i)})
		links = append(links, Link{A: "x", B: fmt.Sprint(i)})
		v.Happened(Event{Text: fmt.Sprint(i)})
		v.Sample(map[string]int{"0": -i})
	}
	v.SetMesh(nodes, links)
	s := v.Snapshot()
	if len(s.Nodes) != MaxNodes || len(s.Links) != MaxLinks || len(s.Events) != MaxEvents || len(s.History["0"]) != History {
		t.Errorf("%d nodes, %d links, %d events, %d strengths", len(s.Nodes), len(s.Links), len(s.Events), len(s.History["0"]))
	}
	if s.Events[MaxEvents-1].Text != fmt.Sprint(MaxLinks+9) {
		t.Errorf("the last event is %+v", s.Events[MaxEvents-1])
	}
	v = New()
	for range maxWatchers {
		if _, _, ok := v.Watch(); !ok {
			t.Fatal("there is room")
		}
	}
	if _, _, ok := v.Watch(); ok {
		t.Error("too many watch")
	}
}
