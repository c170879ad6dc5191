package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/host"
)

type doctorOptions struct {
	html  string
	force bool
}

func newDoctorCommand(a *app) *cobra.Command {
	o := &doctorOptions{}
	c := &cobra.Command{
		Use:     "doctor",
		Short:   a.text("command.doctor.short", nil),
		Long:    a.text("command.doctor.long", nil),
		Example: examples("doctor", "doctor --module /usr/lib/opensc-pkcs11.so --timeout 20s", "doctor --json", "doctor --html doctor.html"),
		Args:    noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if a.child != nil {
				return a.inspectForParent(c.Context())
			}
			return runDoctor(c.Context(), a, o)
		},
	}
	c.Flags().StringVar(&o.html, "html", "", a.text("flag.html", nil))
	c.Flags().BoolVar(&o.force, "force", false, a.text("flag.force", nil))
	return c
}

// runDoctor asks the modules one after the other: two that speak to one reader at the same time keep each other out.
func runDoctor(ctx context.Context, a *app, o *doctorOptions) error {
	if err := a.checkModuleFlags(); err != nil {
		return err
	}
	target := archive.Target{Path: o.html, Force: o.force}
	if o.html != "" {
		if err := target.Check(); err != nil {
			return err
		}
	}
	libraries, named, err := a.libraries(nil)
	if err != nil {
		return err
	}
	if a.trace != "" { // each child adds to it
		trace, err := openTrace(a.trace)
		if err != nil {
			return err
		}
		if err := trace.close(); err != nil {
			return fmt.Errorf("write the trace file: %w", err)
		}
	}
	runs := make([]verdict.ModuleRun, 0, len(libraries))
	for _, library := range libraries {
		run, err := a.inspectInChild(ctx, library)
		if err != nil {
			return err
		}
		runs = append(runs, run)
	}
	var configurations []host.Configuration
	if !named {
		configurations = host.Configurations()
	}
	view := a.viewDoctor(runs, named, configurations, host.FindPCSCDaemon(), host.FindSoftHSMConfiguration())
	if o.html != "" {
		if err := a.writeHealthPage(target, view); err != nil {
			return err
		}
	}
	switch {
	case a.json:
		err = a.writeJSON(view)
	case o.html != "":
		fmt.Fprintln(a.out, a.text("diagnose.page", messages.Args{"File": printable(o.html)}))
	default:
		err = a.printDoctor(view)
	}
	if err == nil && !view.healthy(named) {
		err = &reportedError{exitFailed}
	}
	return err
}

// inspectInChild has a child ask one module. A module that takes the child along is a result like any other.
func (a *app) inspectInChild(ctx context.Context, library token.Library) (verdict.ModuleRun, error) {
	run := verdict.ModuleRun{Library: library}
	order, err := memoryFile("p11bridge-library")
	if err != nil {
		return run, err
	}
	defer order.Close()
	if err := writeOrder(order, library); err != nil {
		return run, err
	}
	answer, err := memoryFile("p11bridge-inspection")
	if err != nil {
		return run, err
	}
	defer answer.Close()
	arguments := []string{"doctor", "--lang", a.catalog.Language}
	if a.trace != "" {
		arguments = append(arguments, "--trace", a.trace)
	}
	end, err := supervise(ctx, errand{arguments: arguments, timeout: a.timeout, in: order, out: answer})
	if ctx.Err() != nil {
		return run, context.Cause(ctx)
	}
	run.Printed, run.Inspection = end.printed, lastInspection(answer)
	var failure *moduleFailure
	switch {
	case errors.As(err, &failure):
		run.Incident = failure.incident()
		return run, nil
	case err != nil:
		return run, err
	case end.code != exitDone:
		return run, &reportedError{end.code}
	case run.Inspection == nil:
		return run, errors.New("the child process told nothing of the module")
	}
	return run, nil
}
