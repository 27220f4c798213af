package cli

import "time"

// pollperiod counts in seconds, as OpenThread of 2018 does; it keeps 32 bits of milliseconds.
func (i *Interpreter) pollperiod(args []string) error {
	return i.number(args, int64(int32(i.view.PollPeriod()/time.Second)), func(v int64) error {
		i.view.SetPollPeriod(i.now, time.Duration(uint32(v*1000))*time.Millisecond)
		return nil
	})
}
