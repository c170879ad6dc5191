package status

import (
	"strconv"
	"strings"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/view"
)

// expiringView is a certificate that ends within the time that was asked for.
type expiringView struct {
	view.Named
	CertificateSHA256 string `json:"certificate_sha256"`
	NotAfter          string `json:"not_after"`
	Expired           bool   `json:"expired"`
}

// window is the time of --expires-within, 0 where it was not given. Days are what people mean, and Go's durations have none.
func (o *statusOptions) window() (time.Duration, error) {
	if o.expiresWithin == "" {
		return 0, nil
	}
	within, err := time.ParseDuration(o.expiresWithin)
	if days, isDays := strings.CutSuffix(o.expiresWithin, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		within = time.Duration(n) * 24 * time.Hour
	}
	if err != nil || within <= 0 {
		return 0, frame.Usage("error.expires-within", nil)
	}
	return within, nil
}

func viewExpiring(keys []archive.KeyStatus, now time.Time) []expiringView {
	views, names := []expiringView{}, view.Names{}
	for _, key := range keys {
		c := key.Identity.Certificate.Parsed
		views = append(views, expiringView{names.Name(key.Inventory, key.Identity), c.SHA256(), c.NotAfter.UTC().Format(time.RFC3339), c.NotAfter.Before(now)})
	}
	return views
}
