package cmd

import (
	"context"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
)

type statusOptions struct {
	dir     string
	noLogin bool
}

// statusView is what status --json shows.
type statusView struct {
	Schema     string             `json:"schema"`
	Directory  string             `json:"directory"`
	Complete   bool               `json:"complete"`
	Tokens     []statusTokenView  `json:"tokens"`
	Keys       []keyStatusView    `json:"keys"`
	WithoutKey []refusedView      `json:"without_key"`
	Earlier    []statusBackupView `json:"earlier"`
	Elsewhere  []statusBackupView `json:"elsewhere"`
	Unreadable []unreadableView   `json:"unreadable"`
	Counts     map[string]int     `json:"counts"`
}

type statusTokenView struct {
	URI      string           `json:"uri"`
	Label    string           `json:"label"`
	Serial   string           `json:"serial"`
	LoggedIn bool             `json:"logged_in"`
	Reasons  []verdict.Reason `json:"reasons"`
}

type keyStatusView struct {
	namedView
	ID            string              `json:"id"`
	Certificate   *certificateView    `json:"certificate"`
	HasPrivateKey bool                `json:"has_private_key"`
	State         archive.BackupState `json:"state"`
	Backup        *backupView         `json:"backup"`
	Reasons       []verdict.Reason    `json:"reasons"`
	Verdict       verdictView         `json:"verdict"`
}

type statusBackupView struct {
	backupView
	FileState archive.FileState   `json:"file_state"`
	Label     string              `json:"label"`
	ID        string              `json:"id"`
	Subject   string              `json:"subject"`
	Token     archive.RecordToken `json:"token"`
}

type unreadableView struct {
	Record  string `json:"record"`
	Problem string `json:"problem"`
}

func newStatusCommand(a *app) *cobra.Command {
	o := &statusOptions{}
	c := &cobra.Command{
		Use:     "status --dir DIR",
		Short:   a.text("command.status.short", nil),
		Long:    a.text("command.status.long", nil),
		Example: examples("status --dir backups --pin-source file:pin.txt", "status --dir backups --json --token demo --pin-source file:pin.txt", "status --dir backups --no-login"),
		Args:    noArguments,
	}
	c.Flags().StringVar(&o.dir, "dir", "", a.text("flag.status-dir", nil))
	c.Flags().BoolVar(&o.noLogin, "no-login", false, a.text("flag.no-login", nil))
	c.RunE = a.supervised(nil, func(ctx context.Context, _ []string) error { return runStatus(ctx, a, o) })
	return c
}

func runStatus(ctx context.Context, a *app, o *statusOptions) error {
	if o.dir == "" {
		return usage("error.status-dir", nil)
	}
	backups, err := archive.Read(ctx, o.dir)
	if err != nil {
		return err
	}
	return a.withTokens(ctx, true, o.noLogin, func(tokens []bridge.OpenToken) error {
		var inventories []*token.Inventory
		for _, t := range tokens {
			inventories = append(inventories, t.Inventory)
		}
		status := archive.Status(inventories, backups, a.now())
		view := viewStatus(o, inventories, status)
		var result error
		if !view.Complete {
			result = &reportedError{exitPartly}
		}
		if !a.json {
			a.printStatus(status, view)
			return a.told(result)
		}
		if err := a.writeJSON(view); err != nil {
			return err
		}
		return a.told(result)
	})
}

func viewStatus(o *statusOptions, inventories []*token.Inventory, status *archive.BackupStatus) statusView {
	view := statusView{
		Schema: "p11bridge.status/1", Directory: o.dir, Complete: !status.NeedsAttention(), Tokens: []statusTokenView{}, Keys: []keyStatusView{},
		WithoutKey: []refusedView{}, Earlier: viewBackups(status.Earlier), Elsewhere: viewBackups(status.Elsewhere), Unreadable: []unreadableView{},
		Counts: map[string]int{},
	}
	for _, inventory := range inventories {
		info := inventory.Token
		view.Tokens = append(view.Tokens, statusTokenView{info.URI().String(), info.Label, info.Serial, inventory.LoggedIn, noNil(verdict.JudgeInventory(inventory))})
	}
	names := uriNames{}
	for _, state := range archive.BackupStates() {
		view.Counts[string(state)] = 0
	}
	for _, key := range status.Keys {
		identity := viewIdentity(key.Inventory, key.Identity, key.Verdict)
		row := keyStatusView{
			namedView: names.view(key.Inventory, key.Identity), ID: identity.ID, Certificate: identity.Certificate,
			HasPrivateKey: key.Identity.PrivateKey != nil, State: key.State, Reasons: noNil(key.Reasons), Verdict: identity.Verdict,
		}
		if key.Backup != nil {
			backup := viewBackup(key.Backup)
			row.Backup = &backup
		}
		view.Keys = append(view.Keys, row)
		view.Counts[string(key.State)]++
	}
	for _, alone := range status.WithoutKey {
		view.WithoutKey = append(view.WithoutKey, refusedView{names.view(alone.Inventory, alone.Identity), viewVerdict(alone.Verdict)})
	}
	for _, record := range status.Unreadable {
		view.Unreadable = append(view.Unreadable, unreadableView{record.Path, record.Problem})
	}
	return view
}

func viewBackups(backups []*archive.Backup) []statusBackupView {
	views := []statusBackupView{}
	for _, b := range backups {
		views = append(views, statusBackupView{viewBackup(b), b.File, b.Record.Label, b.Record.ID, b.Record.Certificate.Subject, b.Record.Token})
	}
	return views
}
