package frame

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/supervise"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/host"
)

// frameErrors are the errors that more than one command can end with, and their words. The first that fits is told: what
// is closer to the cause stands further down, since a type that wraps says more than what it wraps.
func frameErrors() []Description {
	return slices.Concat(runErrors(), sealErrors(), choiceErrors(), surroundingErrors())
}

// runErrors are about the run itself: its command line, its modules, its end.
func runErrors() []Description {
	return []Description{
		As(describeUsage),
		As(describeModule),
		As(describeTrace),
		As(func(_ *App, e *bridge.InterruptedError) Failure {
			return Failure{ID: "error.interrupted-all", Args: messages.Args{"Done": messages.Number(e.Done), "Total": messages.Number(e.Total)}, Code: ExitFailed}
		}),
		Is(context.Canceled, ExitFailed, "error.interrupted"),
		Is(terminal.ErrWrite, ExitFailed, errorWrite),
		Is(supervise.ErrNoProc, ExitFailed, "error.no-proc"),
		As(describeNotStarted),
		As(describeLoad),
		As(describeStart),
		As(describeBlocked),
		As(describeLogin),
	}
}

// choiceErrors are about what was chosen: a key, a file, a token, an object, a source.
func choiceErrors() []Description {
	return []Description{
		As(describeRefused),
		As(describeSaved),
		As(describeFile),
		As(func(_ *App, e *bridge.UnprovenError) Failure {
			return Failure{ID: "error.unproven", Reasons: []verdict.Reason{e.Reason}, Code: ExitPartly}
		}),
		As(func(_ *App, e *bridge.MethodRefusedError) Failure {
			return Failure{ID: "error.method-refused", Reasons: []verdict.Reason{e.Reason}, Code: ExitPartly}
		}),
		As(describeNoToken),
		As(func(_ *App, e *severalTokensError) Failure {
			return Failure{ID: "error.several-tokens", Args: messages.Args{"Tokens": messages.Own(PrintableList(e.Present))}, Candidates: e.Present, Code: exitUsage}
		}),
		As(describeNotFound),
		As(func(_ *App, e *ambiguousError) Failure {
			return Failure{ID: "error.ambiguous", Args: messages.Args{"Name": foreign.Text(e.Name), "Candidates": messages.Own(PrintableList(e.Candidates))}, Candidates: e.Candidates, Code: exitUsage}
		}),
		As(describeSource),
		As(func(_ *App, _ *passwordMissingError) Failure {
			return Failure{ID: "error.password", Stated: []verdict.Reason{{Code: verdict.PasswordMissing}}, Code: exitUsage}
		}),
		As(describeInput),
		Is(token.ErrPINValue, exitUsage, "error.pin-value"),
		Is(token.ErrFingerprint, exitUsage, "error.fingerprint"),
		As(func(a *App, e *token.URIError) Failure {
			return Failure{ID: "error.uri", Args: messages.Args{"Problem": messages.Own(a.Problem(e))}, Code: exitUsage}
		}),
	}
}

// surroundingErrors are about what the command met: a terminal, a certificate database, a token's answer.
func surroundingErrors() []Description {
	return []Description{
		Is(terminal.ErrNone, ExitFailed, "error.no-terminal"),
		Is(terminal.ErrGone, ExitFailed, "error.terminal-gone"),
		As(func(a *App, e *bridge.NoCertificateError) Failure {
			f := Failure{ID: "error.no-certificate", Code: ExitFailed}
			switch {
			case errors.Is(e.Unsigned, bridge.ErrPublicHalfUntold):
				f.Instead = a.Text("remedy.certificate-of-untold-key", nil)
			case e.Unsigned != nil:
				f.Instead = a.Text("remedy.certificate-by-new-key", nil)
			}
			return f
		}),
		Is(bridge.ErrNoCertificate, ExitFailed, "error.no-certificate"),
		describeNotProven,
		As(func(a *App, e *token.CannotShowError) Failure {
			return Failure{ID: "error.cannot-show", Args: messages.Args{"Problem": messages.Own(a.cannotShow(e))}, Code: ExitPartly}
		}),
		As(func(_ *App, e *profileReadError) Failure {
			return Failure{ID: "error.nss-profile-read-only", Args: messages.Args{"Directory": messages.Own(quoted(e.directory))}, Code: ExitFailed}
		}),
		Is(bridge.ErrWriteProtected, ExitFailed, "error.write-protected"),
		As(describeNSSFile),
		Is(host.ErrNoSoftokn, ExitFailed, "error.no-softokn"),
		As(func(a *App, _ noModuleError) Failure {
			cause := []verdict.Reason{verdict.NoModuleReason(host.Configurations())}
			return Failure{ID: "error.no-module", Stated: cause, More: a.toTry(cause), Code: ExitFailed}
		}),
		Is(bridge.ErrPasswordEmpty, ExitFailed, "error.password-empty"),
		Is(bridge.ErrPasswordEncoding, ExitFailed, "error.password-encoding"),
		As(func(_ *App, e *token.Error) Failure {
			if nssBusy(e) {
				return Failure{ID: "error.nss-busy", Args: messages.Args{"Code": messages.Own(e.Code.String())}, Stated: stated(e), Code: ExitFailed}
			}
			id := "error.ckr"
			switch {
			case gone(e):
				id = "error.token-gone"
			case token.Vanished(e):
				id = "error.object-gone"
			}
			return Failure{ID: id, Args: messages.Args{"Function": messages.Own(e.Function), "Code": messages.Own(e.Code.String())}, Stated: stated(e), Code: ExitFailed}
		}),
		As(describeAnswer),
	}
}

// describeNotProven has the words for a file that is not the copy that was meant. What was found instead is for support.
func describeNotProven(_ *App, err error) (Failure, bool) {
	if !errors.Is(err, archive.ErrNotProven) {
		return Failure{}, false
	}
	found := OneLine(err)
	if _, inner, is := strings.Cut(found, archive.ErrNotProven.Error()+": "); is {
		found = inner
	}
	return Failure{ID: "error.not-proven", Args: messages.Args{"Problem": messages.Own(found)}, Code: ExitFailed}, true
}

// gone reports whether a call failed because the token is there no longer: somebody took it out, or its connection broke.
func gone(err error) bool {
	code, known := token.CodeOf(err)
	return known && (code == token.CKRDeviceRemoved || code == token.CKRTokenNotPresent)
}

// stated is the reason that an error of the token package stands for.
func stated(err error) []verdict.Reason {
	return []verdict.Reason{verdict.JudgeFailure("", *token.FailureOf(err))}
}

// describeFile has the words for a file that cannot be written where it was wanted. A name that does not fit is a mistake of the
// command line.
func describeFile(a *App, e *archive.FileError) Failure {
	args := messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(a.Problem(e.Err)), "Directory": messages.Own(quoted(filepath.Dir(e.Path)))}
	f := Failure{ID: "error.file." + string(e.Fault), Args: args, Code: ExitFailed}
	if slices.Contains([]archive.FileFault{archive.FileNamedCert, archive.FileNamedBackup, archive.FileNamedDash}, e.Fault) {
		f.Code = exitUsage
	}
	if errors.Is(e.Err, syscall.EFBIG) {
		f.Instead = a.Text("remedy.file-limit", nil)
	}
	if other := otherPath(e.Path); other != "" && (e.Fault == archive.NoDirectory || e.Fault == archive.DirectoryMissing) {
		f.Instead = a.Text(other, nil)
	}
	return f
}

// nssFailures are the texts for a certificate database that cannot be used.
var nssFailures = map[error]string{
	host.ErrNSSOldFormat: "error.nss-old-format", host.ErrNSSUnreadable: "error.nss-unreadable", host.ErrNSSDamaged: "error.nss-damaged", host.ErrNoNSSDatabase: "error.no-nss-database",
	host.ErrManyNSSDatabases: "error.many-nss-databases",
}

func describeNSSFile(a *App, e *host.NSSFileError) Failure {
	args := messages.Args{"Path": foreign.Text(e.Path), "Directory": messages.Own(quoted(filepath.Dir(e.Path)))}
	f := Failure{ID: nssFailures[e.Cause], Args: args, Code: ExitFailed}
	if other := otherPath(a.NSSDB); other != "" && errors.Is(e.Cause, host.ErrNoNSSDatabase) { // the error has the whole path
		f.Instead = a.Text(other, nil)
	}
	return f
}

// describeSaved has the words for a file that got its name. What is whole was done in part.
func describeSaved(a *App, e *archive.SavedError) Failure {
	f := Failure{ID: "error.placed." + string(e.Fault), Args: messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(a.Problem(e.Err))}, Code: ExitFailed}
	if e.Fault == archive.SavedUncertain || e.Fault == archive.SavedWithoutRecord {
		f.Code = ExitPartly
	}
	return f
}

func describeUsage(a *App, e *usageError) Failure {
	more := []string{a.Text("error.see-help", messages.Args{"Command": messages.Own(a.commandPath())})}
	if meant := a.didYouMean(e.near); meant != "" {
		more = append([]string{meant}, more...)
	}
	if e.lost {
		more = append([]string{a.Text("remedy.start", nil)}, more...)
	}
	more = append(a.known(e.there), more...)
	return Failure{ID: e.id, Args: e.args, More: strings.Join(more, "\n"), Candidates: append(e.near, e.there...), Code: exitUsage}
}

func describeNotStarted(a *App, e *supervise.StartError) Failure {
	problem := strings.TrimSuffix(a.causeWords(withoutPath(e.Err)), ".")
	var at *fs.PathError
	if errors.As(e.Err, &at) {
		problem = terminal.Printable(at.Path) + ": " + problem
	}
	f := Failure{ID: "error.not-started", Args: messages.Args{"Problem": messages.Own(problem)}, Code: ExitFailed}
	if errors.Is(e.Err, syscall.EFBIG) {
		f.Instead = a.Text("remedy.file-limit", nil)
	}
	return f
}

func describeLoad(a *App, e *token.LoadError) Failure {
	f := Failure{
		ID: "error.load." + string(e.Fault), Args: messages.Args{"Path": foreign.Text(e.Path), "Text": foreign.Text(e.Text)},
		Stated: []verdict.Reason{verdict.JudgeFailure(e.Path, *token.FailureOf(e))}, Code: ExitFailed,
	}
	if _, err := os.Lstat(e.Path); err == nil && e.Fault == token.FaultMissing { // the loader looks for a bare name elsewhere
		f.Instead = a.Text("remedy.module-here", messages.Args{"Path": messages.Own(quoted("." + string(filepath.Separator) + e.Path))})
	} else if other := otherPath(e.Path); other != "" && e.Fault == token.FaultMissing {
		f.Instead = a.Text(other, nil)
	}
	return f
}

// describeLogin has the words for a login that failed, by whatever it was asked for: the command, or a key with CKA_ALWAYS_AUTHENTICATE.
func describeLogin(a *App, e *token.LoginError) Failure {
	if reasons := verdict.JudgeLogin(e); len(reasons) > 0 {
		return describeBlocked(a, &BlockedError{Reasons: reasons, Err: e})
	}
	var answer *token.Error
	if errors.As(e, &answer) && answer.Function == "C_Login" && !gone(e) && !nssBusy(answer) { // an answer that says nothing of the PIN
		args := messages.Args{"Function": messages.Own(answer.Function), "Code": messages.Own(answer.Code.String())}
		return Failure{ID: "error.login-failed", Args: args, Stated: stated(e), Code: ExitFailed}
	}
	return a.Describe(e.Err)
}

// nssBusy reports whether a certificate database could not be opened.
func nssBusy(e *token.Error) bool {
	return e.Code == token.CKRNSSCertDBFailed || e.Code == token.CKRNSSKeyDBFailed
}

// describeBlocked describes a login that did not fail because of the PIN as what it is: a failure of the token.
func describeBlocked(a *App, e *BlockedError) Failure {
	if e.Err != nil && len(e.Reasons) == 0 {
		return a.Describe(e.Err)
	}
	f := Failure{ID: "error.login", Args: messages.Args{"Cause": messages.Own(a.ReasonText(e.Reasons[0], "summary"))}, Reasons: e.Reasons, Led: true, Code: exitPIN}
	if e.Reasons[0].Code == verdict.TokenAbsent {
		f.Code = ExitFailed
	}
	return f
}

func describeNoToken(a *App, e *noTokenError) Failure {
	f := Failure{ID: "error.no-token", Args: messages.Args{"Wanted": foreign.Text(e.Wanted), "Tokens": messages.Own(PrintableList(e.Present))}, Reasons: e.reasons(), Code: ExitFailed}
	var more []string
	if e.Wanted != "" {
		f.ID = "error.no-such-token"
		f.Candidates = nearest(e.Wanted, e.Present)
		if meant := a.didYouMean(f.Candidates); meant != "" {
			more = append(more, meant)
		}
		if len(e.Present) > 0 {
			more = append(more, a.Text("error.present-tokens", nil), PrintableList(e.Present))
		}
	}
	if a.Verbose || len(f.Reasons) == 0 { // which module answered what is for support, where a cause was found
		for _, problem := range e.ModuleProblems {
			more = append(more, terminal.Printable(problem))
		}
	}
	if len(e.Present) == 0 {
		more = append(more, a.toTry(f.Reasons))
	}
	f.More = strings.Join(more, "\n")
	return f
}

func describeNotFound(a *App, e *ObjectNotFoundError) Failure {
	f := Failure{ID: "error.object-not-found", Args: messages.Args{"Name": foreign.Text(e.Name)}, Code: ExitFailed}
	if e.Hidden {
		f.ID = "error.object-hidden"
	}
	var more []string
	near := e.Meant[:min(len(e.Meant), mostNear)]
	if len(near) == 0 {
		near = nearest(e.Name, e.Known)
	}
	switch {
	case e.Token != "":
		more = append(more, a.Text("error.did-you-mean", messages.Args{"Names": messages.Own("--token " + quoted(e.Token))}))
	case isFile(e.Name): // of the name of an object
		more = append(more, a.didYouMean(commandsForFile(e.Name)))
	case len(near) > 0:
		f.Candidates = near
		more = append(more, a.didYouMean(near))
	}
	more = append(more, a.known(e.Known)...)
	f.More = strings.Join(more, "\n")
	return f
}

// isFile reports whether a file is there whose name tells what can be done with it.
func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular() && len(commandsForFile(name)) > 0
}

// mostListed is how many names are listed where one is missing; of more than that, fewListed show what names look like.
const (
	mostListed = 8
	fewListed  = 5
)

// known are lines with the names that there are, for one that is missing. They leave room for what else is said on a screen.
func (a *App) known(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	shown := names
	if len(shown) > mostListed {
		shown = shown[:fewListed]
	}
	lines := []string{a.Text("error.known-objects", nil), PrintableList(shown)}
	if rest := len(names) - len(shown); rest > 0 {
		lines = append(lines, a.Text("error.more-objects", messages.Args{"More": messages.Number(rest)}))
	}
	return lines
}

// describeRefused tells a key that cannot leave from one that is not there, from one of which the token did not tell enough, which is
// the token's failure, from one whose certificate is another key's, from one of a kind that no file can be made of here, and from one whose token refused what it lists: another
// program, or another day, may bring these out.
func describeRefused(_ *App, e *bridge.RefusedError) Failure {
	f := Failure{ID: "error.refused", Reasons: e.Verdict.Reasons, Code: ExitRefused}
	switch {
	case e.Verdict.Has(verdict.ObjectUnreadable):
		f.ID, f.Code = "error.unreadable", ExitFailed
	case e.Verdict.KeyAbsent():
		f.ID, f.Code = "error.key-absent", ExitRefused
	case e.Verdict.Mismatched(): // it may leave with its own
		f.ID = "error.certificate-of-another-key"
	case e.Verdict.Has(verdict.KeyNotIdentified):
		f.ID, f.Code = "error.key-not-identified", ExitFailed
	case e.Verdict.Unsupported():
		f.ID, f.Code = "error.unsupported-key", ExitPartly
	case e.Verdict.ListedRefused:
		f.ID, f.Code = "error.listed-refused", ExitPartly
	case !e.Verdict.Known():
		f.ID, f.Code = "error.untold", ExitFailed
	}
	return f
}
