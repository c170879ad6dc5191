// Package cmd is p11bridge's command line. It lists the commands, by hand, and nothing else.
package cmd

import (
	"p11bridge/cmd/completion"
	"p11bridge/cmd/delete"
	"p11bridge/cmd/demo"
	"p11bridge/cmd/diagnose"
	"p11bridge/cmd/doctor"
	"p11bridge/cmd/drill"
	"p11bridge/cmd/explain"
	"p11bridge/cmd/export"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/guide"
	"p11bridge/cmd/install"
	"p11bridge/cmd/list"
	"p11bridge/cmd/report"
	"p11bridge/cmd/request"
	"p11bridge/cmd/reseal"
	"p11bridge/cmd/restore"
	"p11bridge/cmd/snapshot"
	"p11bridge/cmd/status"
	"p11bridge/cmd/verify"
	"p11bridge/cmd/version"
)

// Main runs the command line and gives the exit code.
func Main() int { return frame.Main(commands()) }

// Manual writes the man pages in a language, by file name.
func Manual(language string) (map[string][]byte, error) {
	return frame.Manual(commands(), language)
}

// commands are all of them, in the order of the help.
func commands() []frame.Command {
	return []frame.Command{
		{Name: "guide", New: guide.NewCommand},
		{Name: "list", New: list.NewCommand},
		{Name: "diagnose", New: diagnose.NewCommand},
		{Name: "snapshot", New: snapshot.NewCommand},
		{Name: "export", New: export.NewCommand},
		{Name: "verify", New: verify.NewCommand},
		{Name: "drill", New: drill.NewCommand},
		{Name: "restore", New: restore.NewCommand},
		{Name: "reseal", New: reseal.NewCommand},
		{Name: "delete", New: delete.NewCommand},
		{Name: "status", New: status.NewCommand},
		{Name: "report", New: report.NewCommand},
		{Name: "doctor", New: doctor.NewCommand},
		{Name: "request", New: request.NewCommand},
		{Name: "install", New: install.NewCommand},
		{Name: "explain", New: explain.NewCommand},
		{Name: "demo", New: demo.NewCommand},
		{Name: "completion", New: completion.NewCommand},
		{Name: "version", New: version.NewCommand},
	}
}
