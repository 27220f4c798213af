package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

func TestOneForANode(t *testing.T) {
	now := time.Unix(1000, 0)
	o := New(now, time.Minute)
	a := Item{Node: "a", Expires: now.Add(time.Second)}
	if err := o.Put(a); err != nil {
		t.Fatal(err)
	}
	if err := o.Put(a); !errors.Is(err, ErrBusy) {
		t.Errorf("two for a node: %v", err)
	}
	<-o.More()
	got, late, ok := o.Take(now)
	if !ok || late || got.Node != "a" {
		t.Errorf("%+v, %v, %v", got, late, ok)
	}
	if err := o.Put(a); !errors.Is(err, ErrBusy) {
		t.Errorf("while one is on its way: %v", err)
	}
	if o.Len() != 1 {
		t.Errorf("%d on their way", o.Len())
	}
	o.Done(got)
	if o.Len() != 0 {
		t.Errorf("%d on their way", o.Len())
	}
	if err := o.Put(a); err != nil {
		t.Error(err)
	}
	if _, late, _ := o.Take(now.Add(time.Second)); !late {
		t.Error("it has expired")
	}
	if _, _, ok := o.Take(now); ok {
		t.Error("there was none")
	}
}

func TestFull(t *testing.T) {
	o := New(time.Time{}, 0)
	for i := range MaxWaiting {
		if err := o.Put(Item{Node: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Put(Item{Node: "one more"}); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	for i := range MaxWaiting {
		<-o.More()
		if got, _, ok := o.Take(time.Time{}); !ok || got.Node != fmt.Sprint(i) {
			t.Errorf("%d: %+v", i, got)
		}
	}
}

func TestPay(t *testing.T) {
	now := time.Unix(1000, 0)
	o := New(now, time.Minute)
	spent := time.Duration(0)
	for range 24 * 60 * 2 { // half a minute each, for a day
		now = now.Add(30 * time.Second)
		for o.Pay(now, 300*time.Millisecond) {
			spent += 300 * time.Millisecond
		}
	}
	if most := 24*time.Minute + time.Minute/burst; spent > most || spent < 23*time.Minute {
		t.Errorf("%v in a day", spent)
	}
	if o.Pay(now.Add(100*time.Hour), time.Minute) {
		t.Error("silence is saved up")
	}
	if New(now, 0).Pay(now.Add(time.Hour), time.Millisecond) {
		t.Error("none is allowed")
	}
}
