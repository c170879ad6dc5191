// Package install is the command `install`: it puts the issued certificate beside its key.
package install

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

type installOptions struct {
	file      string
	key       string
	withChain bool
	dryRun    bool
}

func NewCommand(a *frame.App) *cobra.Command {
	o := &installOptions{}
	a.Errors(installErrors(o)...)
	c := &cobra.Command{
		Use:     "install CERT",
		Short:   "command.install.short",
		Long:    "command.install.long",
		Example: frame.Examples("install bob.pem", "install bob.pem --token demo --with-chain", "install bob.cer --dry-run", "install bob.pem --key bob"),
		Args:    frame.ExactlyOne("CERT"),
	}
	c.Flags().StringVar(&o.key, "key", "", "flag.install-key")
	c.Flags().BoolVar(&o.withChain, "with-chain", false, "flag.with-chain")
	c.Flags().BoolVar(&o.dryRun, "dry-run", false, "flag.install-dry-run")
	c.RunE = a.Supervised(nil, func(ctx context.Context, w *frame.Worker, args []string) (frame.Result, error) {
		o.file, w.Writes = args[0], !o.dryRun
		return runInstall(ctx, w, o)
	})
	return c
}

func runInstall(ctx context.Context, w *frame.Worker, o *installOptions) (frame.Result, error) {
	request := bridge.InstallRequest{WithChain: o.withChain, Now: w.Now()}
	var err error
	if request.Certificates, err = frame.ReadCertificates(o.file); err != nil {
		return frame.Result{}, err
	}
	selector := &token.Selector{}
	if o.key != "" {
		if selector, err = token.ParseSelector(o.key); err != nil {
			return frame.Result{}, err
		}
	}
	slot, err := w.Token(ctx, selector.URI)
	if err != nil {
		return frame.Result{}, err
	}
	access := token.ReadWrite
	if o.dryRun || slot.Token.Flags.Has(token.CKFWriteProtected) { // what is there already needs no writing
		access = token.ReadOnly
	}
	if request.Session, err = w.Session(slot, access); err != nil {
		return frame.Result{}, err
	}
	var pin *secret.Text
	if request.Inventory, pin, err = w.Read(ctx, request.Session, selector.URI, false); err != nil {
		return frame.Result{}, err
	}
	if o.key == "" {
		pin.Wipe()
		return install(ctx, o, request)
	}
	identity, err := w.ChooseToUse(request.Session, request.Inventory, selector, o.key, pin)
	if err != nil {
		return frame.Result{}, err
	}
	if request.Key = selector.PrivateKey(identity); request.Key == nil {
		return frame.Result{}, bridge.ErrNotItsKey
	}
	return install(ctx, o, request)
}

func install(ctx context.Context, o *installOptions, request bridge.InstallRequest) (frame.Result, error) {
	plan, err := request.Plan(ctx)
	if err != nil {
		return frame.Result{}, err
	}
	if !o.dryRun {
		if err := bridge.Install(ctx, request, plan); err != nil {
			return frame.Result{}, err
		}
	}
	info := &request.Inventory.Token
	return frame.Result{JSON: viewInstall(o, info, plan), Text: func(p *frame.Printer) { printInstall(p, o, info, plan) }}, nil
}

// words are the command as it was given, with more words.
func (o *installOptions) words(more ...string) []string {
	words := append([]string{"install", o.file}, more...)
	if o.withChain {
		words = append(words, "--with-chain")
	}
	if o.dryRun {
		words = append(words, "--dry-run")
	}
	return words
}

// installErrors are the words for what an installation can end with.
func installErrors(o *installOptions) []frame.Description {
	return []frame.Description{
		frame.As(func(a *frame.App, e *bridge.InstallRefusedError) frame.Failure {
			f := frame.Failure{ID: "error.not-installed", Reasons: []verdict.Reason{e.Reason}, Code: frame.ExitFailed}
			if e.Possible != "" {
				f.More = a.Text("remedy.name-key", messages.Args{"Command": a.Command(o.words("--key", e.Possible)...)})
			}
			return f
		}),
		func(_ *frame.App, err error) (frame.Failure, bool) {
			return frame.Failure{ID: "error.not-its-key", Args: messages.Args{"Name": foreign.Text(o.key)}, Code: frame.ExitFailed}, errors.Is(err, bridge.ErrNotItsKey)
		},
		func(_ *frame.App, err error) (frame.Failure, bool) {
			var answer *token.Error
			refused := errors.As(err, &answer) && answer.Function == "C_CreateObject" && answer.Judges()
			if !refused {
				return frame.Failure{}, false
			}
			return frame.Failure{ID: "error.certificate-refused", Args: messages.Args{"Code": messages.Own(answer.Code.String())}, Code: frame.ExitFailed}, true
		},
		frame.Is(bridge.ErrNotStored, frame.ExitFailed, "error.not-stored"),
	}
}
