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
		var meant []string
		if days := strings.TrimRight(text, " abcdefghijklmnopqrstuvwxyz"); days != "" && strings.Trim(days, "0123456789") == "" { // 30, "30 days"
			meant = []string{flag + " " + days + "d"}
		}
		return 0, UsageMeant("error.period", messages.Args{"Flag": messages.Own(flag), "Given": foreign.Text(text)}, meant...)
	}
	return period, nil
}
