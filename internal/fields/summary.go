package fields

import (
	"fmt"
	"slices"
	"time"

	"github.com/gopymesh/pymesh/thread"
)

// A Summary adds up surveys.
type Summary struct {
	Trials  int
	Formed  []time.Duration // in order; of those that became one mesh
	Asked   int
	Trips   []time.Duration // round trips in order
	Air     float64         // airtime of all nodes of a field as a share of the time, mean
	Busiest time.Duration   // largest airtime of a node, per hour
	Routers float64         // mean number, with leaders
	Broken  time.Duration   // not one mesh while measured, per hour, mean
}

// Summarize adds up surveys.
func Summarize(surveys ...Survey) Summary {
	var sum Summary
	sum.Trials = len(surveys)
	n := float64(len(surveys))
	for i := range surveys {
		s := &surveys[i]
		if s.Formed > 0 {
			sum.Formed = append(sum.Formed, s.Formed)
		}
		sum.Asked += len(s.Asks)
		for _, a := range s.Asks {
			if a.Took > 0 {
				sum.Trips = append(sum.Trips, a.Took)
			}
		}
		hours := s.Measured.Hours()
		for _, node := range s.Nodes {
			sum.Air += node.Stats.Airtime.Hours() / hours / n
			sum.Busiest = max(sum.Busiest, time.Duration(float64(node.Stats.Airtime)/hours))
			if node.Role >= thread.RoleRouter {
				sum.Routers += 1 / n
			}
		}
		sum.Broken += time.Duration(float64(s.Broken) / hours / n)
	}
	slices.Sort(sum.Formed)
	slices.Sort(sum.Trips)
	return sum
}

// Quantile returns the q-quantile, 0 to 1, of a sorted list; 0 of none.
func Quantile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	return list[int(q*float64(len(list)-1))]
}

// Answered returns the share of the requests that were answered, 0 to 1; NaN where nothing was asked.
func (s *Summary) Answered() float64 { return float64(len(s.Trips)) / float64(s.Asked) }

func (s *Summary) String() string {
	answers := "nothing asked"
	if s.Asked > 0 {
		answers = fmt.Sprintf("answered %.1f %%, round trip %.2f s, for one in twenty over %.1f s",
			100*s.Answered(), Quantile(s.Trips, 0.5).Seconds(), Quantile(s.Trips, 0.95).Seconds())
	}
	return fmt.Sprintf("formed %d of %d, half of them within %v, the last after %v; %s; air %.1f %%, busiest node %.0f s an hour; %.1f routers",
		len(s.Formed), s.Trials, Quantile(s.Formed, 0.5).Round(time.Second), Quantile(s.Formed, 1).Round(time.Second),
		answers, 100*s.Air, s.Busiest.Seconds(), s.Routers)
}
