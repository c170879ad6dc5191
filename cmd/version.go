package cmd

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// versionView is what version --json shows.
type versionView struct {
	Schema  string `json:"schema"`
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func newVersionCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   a.text("command.version.short", nil),
		Example: examples("version", "version --json"),
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return runVersion(a)
		},
	}
}

func runVersion(a *app) error {
	view := versionView{Schema: "p11bridge.version/1", Version: "unknown", Commit: "unknown", Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		view.Version = info.Main.Version
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				view.Commit = setting.Value
			}
		}
	}
	if a.json {
		return a.writeJSON(view)
	}
	fmt.Fprintf(a.out, "p11bridge %s (%s, %s)\n", view.Version, view.Commit, view.Go)
	return nil
}
