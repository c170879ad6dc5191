// Package version is the command `version`: it says what this program is.
package version

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"p11bridge/cmd/frame"
)

// commit is the commit that a package was built from. scripts/packages has the linker set it, because a package is the same
// whether its sources lay in a repository or not.
var commit string

// versionView is what version --json shows.
type versionView struct {
	Schema    string        `json:"schema"`
	Version   string        `json:"version"`
	Commit    string        `json:"commit"`
	Go        string        `json:"go"`
	Libraries []libraryView `json:"libraries"`
}

type libraryView struct {
	Module  string `json:"module"`
	Version string `json:"version"`
}

func NewCommand(a *frame.App) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "command.version.short",
		Example: frame.Examples("version", "version --json"),
		Args:    frame.NoArguments,
		RunE: a.Unsupervised(func(context.Context, []string) (frame.Result, error) {
			return runVersion(), nil
		}),
	}
}

func runVersion() frame.Result {
	shown := versionView{Schema: "p11bridge.version/1", Version: frame.Version, Commit: commit, Go: runtime.Version(), Libraries: []libraryView{}}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" && shown.Commit == "" {
				shown.Commit = setting.Value
			}
		}
		for _, module := range info.Deps {
			shown.Libraries = append(shown.Libraries, libraryView{module.Path, module.Version})
		}
	}
	if shown.Commit == "" {
		shown.Commit = "unknown"
	}
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		fmt.Fprintf(p.Out, "p11bridge %s (%s, %s)\n", shown.Version, shown.Commit, shown.Go)
		for _, library := range shown.Libraries {
			fmt.Fprintf(p.Out, "  %s %s\n", library.Module, library.Version)
		}
	}}
}
