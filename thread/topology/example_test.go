package topology_test

import (
	"log"
	"os"
	"time"

	"github.com/gopymesh/pymesh/thread/mle"
	"github.com/gopymesh/pymesh/thread/tmf"
	"github.com/gopymesh/pymesh/thread/topology"
)

// A walk along a mesh of two routers, whose answers are made up here. Package pymesh asks the nodes themselves: Node.Topology.
func Example() {
	now := time.Unix(0, 0)
	answer := func(rloc mle.RLOC16) tmf.Diagnostics {
		var r mle.Route64
		r.Routers = r.Routers.Add(1).Add(2)
		for id := range mle.RouterID(3) {
			switch {
			case id == rloc.RouterID():
				r.Routes[id] = mle.Route{Cost: 1}
			case id > 0:
				r.Routes[id] = mle.Route{LinkQualityIn: 3, LinkQualityOut: 3, Cost: 1}
			}
		}
		b := tmf.AppendDiagnosticMLE(nil, tmf.DiagnosticAddress16, mle.AppendAddress16, rloc)
		b = tmf.AppendDiagnosticMLE(b, tmf.DiagnosticRoute64, mle.AppendRoute64, r)
		return tmf.AppendDiagnosticMLE(b, tmf.DiagnosticLeaderData, mle.AppendLeaderData, mle.LeaderData{PartitionID: 7, LeaderRouterID: 1})
	}
	w := topology.New(topology.Options{})
	w.Seed(0x0400, now)
	for {
		rloc, ok := w.Next()
		if !ok {
			break
		}
		w.Answer(now, rloc, answer(rloc)) // a node that does not answer is passed over
	}
	if err := w.Result(now).WriteText(os.Stdout); err != nil {
		log.Fatal(err)
	}
	// Output:
	// RLOC16  ROLE    MAC  MODE  AGE  ADDRESS
	// 0x0400  leader  ?    -     0s   ?
	// 0x0800  router  ?    -     0s   ?
	//
	// LINK            QUALITY      RSSI
	// 0x0400  0x0800  →3       ←3  →? ←?
}
