package zzfield

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/internal/dissect"
	"github.com/gopymesh/pymesh/internal/pcap"
	"github.com/gopymesh/pymesh/lora"
	"github.com/gopymesh/pymesh/lora/meshtest"
)

// kinds lists airtime by kind from a time on.
func kinds(b []byte, from time.Time, cfg lora.Config) {
	r, err := pcap.NewReader(bytes.NewReader(b))
	if err != nil {
		fmt.Println(err)
		return
	}
	d := dissect.New(meshtest.NetworkKey)
	type row struct {
		n   int
		air time.Duration
		len int
	}
	rows := map[string]*row{}
	for {
		rec, err := r.Next()
		if err != nil {
			break
		}
		f := d.Dissect(rec.Time, rec.Data)
		if rec.Time.Before(from) {
			continue
		}
		p := f.Protocol()
		x := rows[p]
		if x == nil {
			x = new(row)
			rows[p] = x
		}
		x.n++
		x.len += len(rec.Data)
		x.air += cfg.Airtime(len(rec.Data))
	}
	var names []string
	for n := range rows {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return int(rows[b].air - rows[a].air) })
	for _, n := range names[:min(14, len(names))] {
		fmt.Printf("    %-30s %5d frames, %5.1f s, mean %d bytes\n", n, rows[n].n, rows[n].air.Seconds(), rows[n].len/rows[n].n)
	}
}
