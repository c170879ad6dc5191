package view

import (
	"context"
	"fmt"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/cmd/frame"
	"p11bridge/token/secret"
)

// OpenFile reads a PFX file and makes the request that judges or opens it. Its password is asked for when bridge needs it. Whatever takes
// long, before and after it was asked for, a person is told of, until done is called.
func OpenFile(ctx context.Context, a *frame.App, path, source string) (r bridge.VerifyRequest, done func(), err error) {
	secret.LockProcess()
	if err := frame.CheckSource("--password-source", source, frame.PasswordSources); err != nil {
		return r, nil, err
	}
	file, err := frame.ReadInput(path)
	if err != nil {
		return r, nil, err
	}
	stop := frame.Slowly(a, "progress.verify")
	ask := func() (*secret.Text, error) {
		stop()
		password, err := a.KnownPassword(ctx, source, path) // whoever judges or opens the file erases what is left
		stop = frame.Slowly(a, "progress.verify")
		return password, err
	}
	return bridge.VerifyRequest{File: file, Now: a.Now(), Password: ask, Sealed: archive.WasSealed(path, file)}, func() { stop() }, nil
}

// JudgeFile finds out whether a file is a valid copy. contents are the bytes that were judged.
func JudgeFile(ctx context.Context, a *frame.App, path, source string) (judged *bridge.VerifyResult, contents []byte, err error) {
	request, done, err := OpenFile(ctx, a, path, source)
	if err != nil {
		return nil, nil, err
	}
	defer done()
	judged, err = bridge.Verify(ctx, request)
	return judged, request.File, err
}

// PrintUnasked says what the token answered where a key could not be asked whether a copy is of it.
func PrintUnasked(p *frame.Printer, v *bridge.VerifyResult) {
	if v.Unasked != nil {
		fmt.Fprintf(p.Out, "  %s.\n", p.Problem(v.Unasked))
	}
}
