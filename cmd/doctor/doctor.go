// Package doctor is the command `doctor`: it says why nothing is seen.
package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

type doctorOptions struct {
	html  string
	force bool
}

func NewCommand(a *frame.App) *cobra.Command {
	o := &doctorOptions{}
	c := &cobra.Command{
		Use:     "doctor",
		Short:   "command.doctor.short",
		Long:    "command.doctor.long",
		Example: frame.Examples("doctor", "doctor --module opensc-pkcs11.so --timeout 20s", "doctor --json", "doctor --html doctor.html"),
		Args:    frame.NoArguments,
		RunE:    a.ByHand(func(ctx context.Context) (frame.Result, error) { return runDoctor(ctx, a, o) }, inspectForParent),
	}
	c.Flags().StringVar(&o.html, "html", "", "flag.html")
	c.Flags().BoolVar(&o.force, "force", false, "flag.force")
	return c
}

// runDoctor asks the modules one after the other: two that speak to one reader at the same time keep each other out.
func runDoctor(ctx context.Context, a *frame.App, o *doctorOptions) (frame.Result, error) {
	o.html = view.InDirectory(o.html, "doctor.html")
	target := archive.Target{Path: o.html, Force: o.force}
	if o.html != "" {
		if err := target.Check(); err != nil {
			return frame.Result{}, err
		}
	}
	libraries, named, err := a.Libraries(nil, token.ReadOnly)
	if err != nil {
		return frame.Result{}, err
	}
	if a.Trace != "" { // each child adds to it
		trace, err := supervise.OpenTrace(a.Trace)
		if err != nil {
			return frame.Result{}, err
		}
		if err := trace.Close(); err != nil {
			return frame.Result{}, fmt.Errorf("write the trace file: %w", err)
		}
	}
	runs := make([]verdict.ModuleRun, 0, len(libraries))
	for _, library := range apart(libraries) {
		run, err := inspectInChild(ctx, a, library)
		if err != nil {
			return frame.Result{}, err
		}
		runs = append(runs, run)
	}
	var configurations []host.Configuration
	if !named {
		configurations = host.Configurations()
	}
	shown := viewDoctor(a, runs, named, configurations, host.FindPCSCDaemon(), host.FindSoftHSMConfiguration())
	if o.html != "" {
		if err := writeHealthPage(a, target, shown); err != nil {
			return frame.Result{}, err
		}
	}
	result := frame.Result{JSON: shown, Text: func(p *frame.Printer) {
		if o.html != "" {
			p.Line("", messages.Args{"File": foreign.Text(o.html)}, "diagnose.page")
			p.Place("  ", o.html)
			return
		}
		printDoctor(p, shown)
	}}
	if !shown.healthy(named) {
		result.Code = frame.ExitFailed
	}
	return result, nil
}

// apart has each profile of a browser asked in a process of its own, so that a damaged one says so alone.
func apart(libraries []token.Library) []token.Library {
	var result []token.Library
	for _, library := range libraries {
		if library.Name != host.ProfilesName {
			result = append(result, library)
			continue
		}
		for _, one := range host.ProfileLibraries() {
			result = append(result, one.Library)
		}
	}
	return result
}

// inspectInChild has a child ask one module. A module that takes the child along is a result like any other.
func inspectInChild(ctx context.Context, a *frame.App, library token.Library) (verdict.ModuleRun, error) {
	run := verdict.ModuleRun{Library: library}
	order, err := supervise.MemoryFile("p11bridge-library")
	if err != nil {
		return run, err
	}
	defer order.Close()
	if err := writeOrder(order, library); err != nil {
		return run, err
	}
	answer, err := supervise.MemoryFile("p11bridge-inspection")
	if err != nil {
		return run, err
	}
	defer answer.Close()
	end, err := a.InChild(ctx, supervise.Task{Arguments: []string{"doctor"}, In: order, Out: answer})
	if ctx.Err() != nil {
		return run, context.Cause(ctx)
	}
	run.Printed, run.Inspection = end.Printed, lastInspection(answer)
	var failure *supervise.ModuleFailure
	switch {
	case errors.As(err, &failure):
		run.Incident = frame.IncidentOf(failure)
		return run, nil
	case err != nil:
		return run, err
	case end.Code != frame.ExitDone:
		return run, &frame.ReportedError{Code: end.Code}
	case run.Inspection == nil:
		return run, errors.New("the child process told nothing of the module")
	}
	return run, nil
}
