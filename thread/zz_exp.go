package thread

import (
	"os"
	"strconv"
	"time"
)

func expInt(name string, d int) int {
	if v, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return v
	}
	return d
}

func expDur(name string, d time.Duration) time.Duration {
	if v, err := time.ParseDuration(os.Getenv(name)); err == nil {
		return v
	}
	return d
}

var xChildLinks = expInt("XLINKS", 3)

var xChildLuck = expInt("XLUCK", 4)

var xFull = float64(expInt("XFULL", 35)) / 100
var xF = expInt("XF", 255)

var xQ = expInt("XQ", 9)
var xOnce = expInt("XONCE", 4)
