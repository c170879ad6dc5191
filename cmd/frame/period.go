package frame

import (
	"strconv"
	"strings"
	"time"

	"p11bridge/cmd/messages"
	"p11bridge/token/foreign"
)

// Period reads what a flag says of a time: 30d for days, which are what people mean, or a Go duration.
func Period(flag, text string) (time.Duration, error) {
	period, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		period = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || period <= 0 {
		return 0, Usage("error.period", messages.Args{"Flag": messages.Own(flag), "Given": foreign.Text(text)})
	}
	return period, nil
}
