// Package version is the command `version`: it says what this program is.
package version

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
)

// versionView is what version --json shows.
type versionView struct {
	Schema  string `json:"schema"`
	Version string `json:"version"`
	Commit  string `json:"commit"`
	Go      string `json:"go"`
}

func NewCommand(a *frame.App) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   a.Text("command.version.short", nil),
		Example: frame.Examples("version", "version --json"),
		Args:    frame.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			return runVersion(a)
		},
	}
}

func runVersion(a *frame.App) error {
	shown := versionView{Schema: "p11bridge.version/1", Version: "unknown", Commit: "unknown", Go: runtime.Version()}
	if info, ok := debug.ReadBuildInfo(); ok {
		shown.Version = info.Main.Version
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				shown.Commit = setting.Value
			}
		}
	}
	if a.JSON {
		return a.WriteJSON(shown)
	}
	fmt.Fprintf(a.Out, "p11bridge %s (%s, %s)\n", shown.Version, shown.Commit, shown.Go)
	return nil
}
