// Package fields measures what a field of LoRa nodes does in virtual time: how long it takes to become one mesh, what it delivers and how
// soon, and for how much of the air. It is the one yardstick of tests, of examples/sim and of the figures in the README.
//
//	f, err := fields.Named("grid4", 1)
//	...
//	t := fields.Trial{Field: f, Seed: 1, Traffic: fields.Traffic{Pattern: fields.Pairs, Period: 20 * time.Second, Size: 16}}
//	survey, err := fields.Run(context.Background(), t)
//	...
//	sum := fields.Summarize(survey)
//	fmt.Println(&sum)
package fields
