// Package status is the command `status`: it says which keys need a backup.
package status

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

type statusOptions struct {
	dir           string
	shard         *frame.ShardFlag
	noLogin       bool
	expiresWithin string
	metrics       string
}

// statusView is what status --json shows.
type statusView struct {
	Schema     string                  `json:"schema"`
	Created    string                  `json:"created"`
	Directory  string                  `json:"directory"`
	Shard      *string                 `json:"shard"`
	Complete   bool                    `json:"complete"`
	Tokens     []statusTokenView       `json:"tokens"`
	Keys       []keyStatusView         `json:"keys"`
	WithoutKey []view.Refused          `json:"without_key"`
	Earlier    []statusBackupView      `json:"earlier"`
	Gone       []statusBackupView      `json:"gone"`
	Elsewhere  []statusBackupView      `json:"elsewhere"`
	Unreadable []view.UnreadableRecord `json:"unreadable"`
	Unrecorded []foreign.Text          `json:"unrecorded"`
	Counts     map[string]int          `json:"counts"`
	Expiring   []expiringView          `json:"expiring"` // null where nobody asked
}

type statusTokenView struct {
	URI      string           `json:"uri"`
	Label    foreign.Text     `json:"label"`
	Serial   string           `json:"serial"`
	LoggedIn bool             `json:"logged_in"`
	Reasons  []verdict.Reason `json:"reasons"`
}

type keyStatusView struct {
	view.Named
	ID            string              `json:"id"`
	Certificate   *view.Certificate   `json:"certificate"`
	HasPrivateKey bool                `json:"has_private_key"`
	State         archive.BackupState `json:"state"`
	Backup        *view.Backup        `json:"backup"`
	Reasons       []verdict.Reason    `json:"reasons"`
	Verdict       view.Verdict        `json:"verdict"`
}

type statusBackupView struct {
	view.Backup
	FileState archive.FileState   `json:"file_state"`
	Password  *archive.FileState  `json:"password_state"` // of the sealed password; null where the password was given
	Label     foreign.Text        `json:"label"`
	ID        string              `json:"id"`
	Subject   foreign.Text        `json:"subject"`
	Token     archive.RecordToken `json:"token"`
}

func NewCommand(a *frame.App) *cobra.Command {
	o := &statusOptions{}
	c := &cobra.Command{
		Use:   "status --dir DIR",
		Short: "command.status.short",
		Long:  "command.status.long",
		Example: frame.Examples("status --dir backups --pin-source file:pin.txt", "status --dir backups --json --token demo --pin-source file:pin.txt", "status --dir backups --no-login",
			"status --dir backups --expires-within 30d --metrics /var/lib/prometheus/node-exporter/p11bridge.prom"),
		Args: frame.NoArguments,
	}
	c.Flags().StringVar(&o.dir, "dir", "", "flag.status-dir")
	o.shard = a.ShardFlag(c.Flags())
	c.Flags().BoolVar(&o.noLogin, "no-login", false, "flag.no-login")
	c.Flags().StringVar(&o.expiresWithin, "expires-within", "", "flag.expires-within")
	c.Flags().StringVar(&o.metrics, "metrics", "", "flag.metrics")
	c.RunE = a.Supervised(nil, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
		return runStatus(ctx, w, o)
	})
	return c
}

func runStatus(ctx context.Context, w *frame.Worker, o *statusOptions) (frame.Result, error) {
	if o.dir == "" {
		return frame.Result{}, frame.Usage("error.status-dir", nil)
	}
	shard, err := o.shard.Shard()
	if err != nil {
		return frame.Result{}, err
	}
	if o.metrics != "" && !shard.Whole() {
		return frame.Result{}, frame.Usage("error.shard-metrics", nil)
	}
	within, err := o.window()
	if err != nil {
		return frame.Result{}, err
	}
	if err := o.checkMetrics(); err != nil {
		return frame.Result{}, err
	}
	backups, err := archive.Read(ctx, o.dir)
	if err != nil {
		return frame.Result{}, err
	}
	tokens, err := w.Tokens(ctx, true, o.noLogin)
	if err != nil {
		return frame.Result{}, err
	}
	inventories := frame.InventoriesOf(tokens)
	now := w.Now()
	status := archive.Status(inventories, backups, now)
	if !shard.Whole() {
		status.Only(shard)
	}
	if err := bridge.Try(ctx, tokens, status, rand.Reader); err != nil {
		return frame.Result{}, err
	}
	shown := viewStatus(o, shard, inventories, status, now)
	if within > 0 {
		shown.Expiring = viewExpiring(status.Expiring(now.Add(within)), now)
		shown.Complete = shown.Complete && len(shown.Expiring) == 0
	}
	code := exitOf(status)
	if code == frame.ExitDone && !shown.Complete {
		code = frame.ExitPartly
	}
	if o.metrics != "" {
		if err := writeMetrics(o.metrics, status, now, code != frame.ExitFailed); err != nil {
			return frame.Result{}, err
		}
	}
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) { printStatus(p, status, shown) }, Code: code}, nil
}

// exitOf is the exit code that goes with the backups. Where keys were hidden, or the token does not say whether they may leave, nobody could
// find out what they need: that outweighs what is known to need a backup.
func exitOf(status *archive.BackupStatus) int {
	switch {
	case status.Unknown():
		return frame.ExitFailed
	case status.NeedsAttention():
		return frame.ExitPartly
	}
	return frame.ExitDone
}

func viewStatus(o *statusOptions, shard archive.Shard, inventories []*token.Inventory, status *archive.BackupStatus, now time.Time) statusView {
	shown := statusView{
		Schema: view.StatusSchema, Created: now.UTC().Format(time.RFC3339), Directory: o.dir, Shard: view.ShardOf(shard), Complete: exitOf(status) == frame.ExitDone, Tokens: []statusTokenView{}, Keys: []keyStatusView{},
		WithoutKey: []view.Refused{}, Earlier: viewBackups(status.Earlier), Gone: viewBackups(status.Gone), Elsewhere: viewBackups(status.Elsewhere), Unreadable: view.UnreadableOf(status.Unreadable),
		Unrecorded: []foreign.Text{}, Counts: map[string]int{},
	}
	for _, path := range status.Unrecorded {
		shown.Unrecorded = append(shown.Unrecorded, foreign.Text(path))
	}
	for _, inventory := range inventories {
		info := inventory.Token
		shown.Tokens = append(shown.Tokens, statusTokenView{info.URI().String(), info.Label, string(info.Serial), inventory.LoggedIn, frame.NoNil(verdict.JudgeInventory(inventory))})
	}
	names := view.Names{}
	for _, state := range archive.BackupStates() {
		shown.Counts[string(state)] = 0
	}
	for _, key := range status.Keys {
		identity := view.IdentityOf(key.Inventory, key.Identity, key.Verdict)
		row := keyStatusView{
			Named: names.Name(key.Inventory, key.Identity), ID: identity.ID, Certificate: identity.Certificate,
			HasPrivateKey: key.Identity.PrivateKey != nil, State: key.State, Reasons: frame.NoNil(key.Reasons), Verdict: identity.Verdict,
		}
		if key.Backup != nil {
			backup := view.BackupOf(key.Backup)
			row.Backup = &backup
		}
		shown.Keys = append(shown.Keys, row)
		shown.Counts[string(key.State)]++
	}
	for _, alone := range status.WithoutKey {
		shown.WithoutKey = append(shown.WithoutKey, view.Refused{Named: names.Name(alone.Inventory, alone.Identity), Verdict: view.VerdictOf(alone.Verdict)})
	}
	return shown
}

// sealedState is the state of a backup's sealed password; nil where it has none.
func sealedState(b *archive.Backup) *archive.FileState {
	if b.Record.Sealed == nil {
		return nil
	}
	return &b.Password
}

func viewBackups(backups []*archive.Backup) []statusBackupView {
	views := []statusBackupView{}
	for _, b := range backups {
		views = append(views, statusBackupView{view.BackupOf(b), b.File, sealedState(b), b.Record.Label, b.Record.ID, b.Record.Certificate.Subject, b.Record.Token})
	}
	return views
}
