package status

import (
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

// window is the time of --expires-within, 0 where it was not given.
func (o *statusOptions) window() (time.Duration, error) {
	if o.expiresWithin == "" {
		return 0, nil
	}
	return frame.Period("--expires-within", o.expiresWithin)
}

func viewExpiring(keys []archive.KeyStatus, now time.Time) []expiringView {
	views, names := []expiringView{}, view.Names{}
	for _, key := range keys {
		c := key.Identity.Certificate.Parsed
		views = append(views, expiringView{names.Name(key.Inventory, key.Identity), c.SHA256(), c.NotAfter.UTC().Format(time.RFC3339), c.NotAfter.Before(now)})
	}
	return views
}
