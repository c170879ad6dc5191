// Package drill is the command `drill`: it restores every backup to a throw-away token, to see that it can be done.
package drill

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/demo"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/view"
	"p11bridge/token"
	"p11bridge/token/foreign"
)

type drillOptions struct {
	dir      string
	shard    *frame.ShardFlag
	password string
}

func NewCommand(a *frame.App) *cobra.Command {
	a.Errors(view.CheckErrors()...)
	a.Errors(frame.Is(demo.ErrNoSoftHSM, frame.ExitFailed, "error.no-softhsm"))
	o := &drillOptions{}
	c := &cobra.Command{
		Use:     "drill --dir DIR",
		Short:   "command.drill.short",
		Long:    "command.drill.long",
		Example: frame.Examples("drill --dir backups", "drill --dir backups --password-source file:password.txt --json", "drill --dir backups --password-source dir:passwords", "drill --dir backups --password-source sealed --unseal-with officer.key"),
		Args:    frame.NoArguments,
	}
	c.Flags().StringVar(&o.dir, "dir", "", "flag.status-dir")
	o.shard = a.ShardFlag(c.Flags())
	c.Flags().StringVar(&o.password, "password-source", "", "flag.password-source-known")
	a.UnsealFlag(c)
	c.RunE = a.Supervised(func() []string { return []string{o.password} }, func(ctx context.Context, w *frame.Worker, _ []string) (frame.Result, error) {
		return runDrill(ctx, w, o)
	})
	return c
}

func runDrill(ctx context.Context, w *frame.Worker, o *drillOptions) (frame.Result, error) {
	shard, err := o.shard.Shard()
	if err != nil {
		return frame.Result{}, err
	}
	backups, copies, err := view.CopiesToCheck(ctx, o.dir, shard)
	if err != nil {
		return frame.Result{}, err
	}
	if _, err := demo.FindSoftHSM(); err != nil {
		return frame.Result{}, err
	}
	passwords, err := view.FirstPassword(ctx, w.App, o.password, o.dir, copies)
	if err != nil {
		return frame.Result{}, err
	}
	defer passwords.Wipe()
	if err := w.CloseOpened(); err != nil { // a key to sealed passwords was on a token of another set-up
		return frame.Result{}, err
	}
	tokens, err := makeTokens(ctx, w, min(runtime.GOMAXPROCS(0), len(copies)))
	if err != nil {
		return frame.Result{}, err
	}
	request := bridge.CheckAllRequest{Now: w.Now()}
	for _, t := range tokens {
		request.Tokens = append(request.Tokens, t.Empty)
	}
	err = view.CheckAll(ctx, w.App, request, passwords, copies)
	noted := bridge.NoteDrill(o.dir, shard, copies, request.Now) // of an interrupted drill, too: what was restored was restored
	if err != nil {
		return frame.Result{}, err
	}
	if noted != nil {
		w.Notice("notice.drill-not-noted", messages.Args{"Directory": foreign.Text(o.dir), "Problem": messages.Own(w.Describe(noted).Text(w.App))})
	}
	drilled := &request.Now
	if noted != nil {
		drilled = nil
	}
	shown := view.CheckedCopiesOf("p11bridge.drill/1", backups, shard, copies, drilled)
	return frame.Result{JSON: shown, Text: func(p *frame.Printer) { shown.Print(p, "drill.summary") }, Code: shown.Code()}, nil
}

// makeTokens makes throw-away tokens in memory. The frame destroys them once the result is told; the parent does, if this process dies.
func makeTokens(ctx context.Context, w *frame.Worker, n int) ([]*demo.BlankToken, error) {
	name, err := archive.NewDraftName()
	if err != nil {
		return nil, err
	}
	directory := filepath.Join(demo.MemoryDirectory(), name+"-"+strconv.Itoa(os.Getpid()))
	w.Scratch(directory)
	w.Opened(func() error {
		if err := supervise.RemoveAll(directory); err != nil {
			return fmt.Errorf("destroy the throw-away tokens: %w", err)
		}
		w.Scratch("")
		return nil
	})
	place, err := demo.NewPlaceWithoutPIN(directory)
	if err != nil {
		return nil, err
	}
	if err := os.Setenv("SOFTHSM2_CONF", place.Configuration()); err != nil {
		return nil, fmt.Errorf("set SOFTHSM2_CONF: %w", err)
	}
	observer, err := w.Observer()
	if err != nil {
		return nil, err
	}
	module, err := token.Open(place.Library, observer)
	if err != nil {
		return nil, err
	}
	w.Opened(module.Close)
	var tokens []*demo.BlankToken
	for i := range n {
		t, err := demo.NewBlankToken(ctx, module, "drill "+strconv.Itoa(i+1))
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, t)
		w.Opened(t.Destroy)
	}
	return tokens, nil
}
