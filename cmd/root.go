// Package cmd is p11bridge's command line. It lists the commands, by hand, and nothing else.
package cmd

import (
	"github.com/spf13/cobra"

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
func Main() int { return frame.Main(commands) }

// Manual writes the man pages in a language, by file name.
func Manual(language string) (map[string][]byte, error) {
	return frame.Manual(commands, language)
}

// commands are all of them, in the order of the help.
func commands(a *frame.App) []*cobra.Command {
	return []*cobra.Command{
		guide.NewCommand(a),
		list.NewCommand(a),
		diagnose.NewCommand(a),
		snapshot.NewCommand(a),
		export.NewCommand(a),
		verify.NewCommand(a),
		drill.NewCommand(a),
		restore.NewCommand(a),
		reseal.NewCommand(a),
		delete.NewCommand(a),
		status.NewCommand(a),
		report.NewCommand(a),
		doctor.NewCommand(a),
		request.NewCommand(a),
		install.NewCommand(a),
		explain.NewCommand(a),
		demo.NewCommand(a),
		completion.NewCommand(a),
		version.NewCommand(a),
	}
}
