package cmd

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/demo"
	"p11bridge/bridge/seal"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	pkcs11 "p11bridge/token"
	"p11bridge/token/host"
)

// errForeign stands in for what an error says in its own words, which are English.
var errForeign = errors.New("in the words of the library")

// samples are errors as they reach a command, by the name of their type or value. Each has words of its own in every language.
func samples() map[string]error {
	reason := verdict.Because(verdict.KeyNotExtractable)
	answer := &pkcs11.Error{Function: "C_Sign", Code: pkcs11.CKRGeneralError}
	all := map[string]error{
		"token.Error": answer, "token.LoadError": &pkcs11.LoadError{Path: "/lib/x.so", Fault: pkcs11.FaultMissing}, "token.LoginError": &pkcs11.LoginError{Err: answer},
		"token.AnswerError": &pkcs11.AnswerError{Function: "C_Sign", Fault: pkcs11.AnswerSignature, Err: errForeign}, "token.CannotShowError": &pkcs11.CannotShowError{PIN: true},
		"token.SearchLimitError": &pkcs11.AnswerError{Function: "C_FindObjects", Fault: pkcs11.AnswerLimit, Err: &pkcs11.SearchLimitError{Limit: 10}},
		"token.URIError":         uriError(), "token.RemainsError": &pkcs11.RemainsError{Err: answer}, "token.ErrPINValue": pkcs11.ErrPINValue, "token.ErrFingerprint": pkcs11.ErrFingerprint,
		"host.NSSFileError": &host.NSSFileError{Path: "/x/key4.db", Cause: host.ErrNSSDamaged}, "host.ErrNoSoftokn": host.ErrNoSoftokn,
		"bridge.UnprovenError": &bridge.UnprovenError{Reason: reason}, "bridge.MethodRefusedError": &bridge.MethodRefusedError{Reason: reason},
		"bridge.DeletionError": &bridge.DeletionError{File: "x.pfx", State: bridge.KeyKept, Err: errForeign}, "bridge.NotRestoredError": &bridge.NotRestoredError{Reasons: []verdict.Reason{reason}},
		"bridge.GenerateError": &bridge.GenerateError{Err: errForeign}, "bridge.CannotSignError": &bridge.CannotSignError{}, "bridge.KeyRemainsError": &bridge.KeyRemainsError{State: bridge.KeyKept, Err: errForeign},
		"bridge.SeveralKeysError": &bridge.SeveralKeysError{}, "bridge.InstallRefusedError": &bridge.InstallRefusedError{Reason: reason},
		"bridge.NoKeyError": &bridge.NoKeyError{}, "bridge.Cause": &bridge.DeletionError{File: "x.pfx", State: bridge.KeyKept, Err: bridge.CauseThereTwice}, "bridge.InterruptedError": &bridge.InterruptedError{}, "bridge.SealedError": &bridge.SealedError{Path: "x", Err: &seal.OpenError{Fault: seal.Damaged, Err: errForeign}},
		"bridge.RefusedError": &bridge.RefusedError{Verdict: verdict.Verdict{Reasons: []verdict.Reason{reason}}}, "bridge.NoCertificateError": &bridge.NoCertificateError{},
		"bridge.ErrPasswordEmpty": bridge.ErrPasswordEmpty, "bridge.ErrPasswordEncoding": bridge.ErrPasswordEncoding, "bridge.ErrNoSubject": bridge.ErrNoSubject, "bridge.ErrGeneratesNoKeys": bridge.ErrGeneratesNoKeys, "bridge.ErrGeneratesNothing": bridge.ErrGeneratesNothing,
		"bridge.ErrKeyTypeNeeded": bridge.ErrKeyTypeNeeded, "bridge.ErrNoKeyToSign": bridge.ErrNoKeyToSign, "bridge.ErrMayNotSign": bridge.ErrMayNotSign, "bridge.ErrPublicHalfUntold": bridge.ErrPublicHalfUntold, "bridge.ErrWriteProtected": bridge.ErrWriteProtected,
		"bridge.ErrRequestNotProven": bridge.ErrRequestNotProven, "bridge.ErrNotItsKey": bridge.ErrNotItsKey, "bridge.ErrNotStored": bridge.ErrNotStored, "bridge.ErrNoCertificate": bridge.ErrNoCertificate,
		"bridge.ErrNotOpened": bridge.ErrNotOpened, "demo.ErrNoSoftHSM": demo.ErrNoSoftHSM, "demo.ErrDirectoryNotEmpty": demo.ErrDirectoryNotEmpty,
		"archive.SavedError": &archive.SavedError{Path: "x.pfx", Fault: archive.SavedGone, Err: errForeign}, "archive.FileError": &archive.FileError{Path: "x.pfx", Fault: archive.FileNotOwn, Err: errForeign},
		"archive.ErrNotProven": archive.ErrNotProven, "seal.RecipientError": &seal.RecipientError{Fault: seal.NotARecipient},
		"the system's": &fs.PathError{Op: "open", Path: "/x", Err: syscall.EACCES},
	}
	for _, fault := range []seal.OpenFault{seal.NotSealed, seal.Damaged, seal.ForOthers, seal.Unsupported, seal.NoKey, seal.NotDecrypted} {
		all["bridge.SealedError "+string(fault)] = &bridge.SealedError{Path: "x", Err: &seal.OpenError{Fault: fault, Err: errForeign}}
	}
	return all
}

func uriError() error {
	_, err := pkcs11.ParseURI("pkcs11:=")
	return err
}

// within are errors that no command ends with by themselves, and where their words are.
var within = map[string]string{
	"token.WrapError": "an answer among the evidence of wrap-refused", "token.ErrOtherKey": "a verdict on the key or the file, by whoever asked", "token.ErrSnapshot": "error.snapshot",
	"host.ErrNoNSSDatabase": "host.NSSFileError", "host.ErrNSSOldFormat": "host.NSSFileError", "host.ErrNSSUnreadable": "host.NSSFileError", "host.ErrNSSDamaged": "host.NSSFileError", "host.ErrManyNSSDatabases": "host.NSSFileError",
	"pki.ErrSignature": "token.ErrOtherKey", "pki.MalformedError": "key-not-sound and certificate-unreadable", "pki.UnsupportedError": "format-unsupported and key-type-unsupported",
	"pki.NameError": "error.subject", "secret.FaultError": "error.source-fault", "archive.RecordError": "notice.record", "archive.RecordFault": "notice.record",
	"bridge.OwnPasswordError": "the line of a file that was checked among others", "bridge.InvalidCopyError": "view.NotACopyError", "bridge.UnjudgedError": "view.NotACopyError",
	"bridge.ErrNotDestroyable": "bridge.KeyRemainsError", "bridge.ErrRequest": "nobody's who comes by the command line", "seal.OpenError": "bridge.SealedError", "seal.IdentityError": "error.input", "archive.ShardError": "error.shard",
	"pfx.ErrPassword": pfxReasons, "pfx.ErrPrivacyPassword": pfxReasons, "pfx.PrivacyPasswordError": pfxReasons, "pfx.DamagedError": pfxReasons, "pfx.NonconformingError": pfxReasons, "pfx.LimitError": pfxReasons,
	"pfx.UnsupportedError": pfxReasons, "pfx.ErrMismatch": pfxReasons, "pfx.ErrNotCompared": pfxReasons, "pfx.ErrIndependentReaderCannot": pfxReasons,
	"pfx.ErrPasswordNotBMP": "bridge.ErrPasswordEncoding", "pfx.ErrPasswordNotUTF8": "bridge.ErrPasswordEncoding",
	"pfx.ErrNothingToEncode": "a mistake of the program", "pfx.ErrKeyForm": "a mistake of the program", "pfx.ErrProfile": "a mistake of the program",
}

const pfxReasons = "the reasons of a file that was judged"

// TestErrorsHaveWords holds the errors of token and bridge to the words that cmd has for them in every language: a new one cannot be forgotten.
func TestErrorsHaveWords(t *testing.T) {
	known := samples()
	var found []string
	for _, root := range []string{"../token", "../bridge"} {
		found = append(found, errorNames(t, root)...)
	}
	if len(found) < 70 {
		t.Fatalf("only %d errors", len(found))
	}
	for _, name := range found {
		if _, is := known[name]; is == (within[name] != "") {
			t.Errorf("%s has neither words in cmd nor a place in another error's, or both", name)
		}
	}
	english := appIn(t, "en")
	for _, language := range messages.Languages() {
		app := appIn(t, language)
		for name, err := range known {
			f := app.Describe(err)
			text := f.Text(app)
			switch {
			case f.ID == "error.other", f.ID == "error.failed" && name != "the system's":
				t.Errorf("%s: %s has no words of its own: %s", language, name, text)
			case language != "en" && text == english.Describe(err).Text(english):
				t.Errorf("%s: %s is told in English: %s", language, name, text)
			case language != "en" && (strings.Contains(text, errForeign.Error()) || strings.Contains(text, frame.OneLine(err))) && !strings.Contains(text, inEnglish[language]):
				t.Errorf("%s: %s does not say that some of it is in English: %s", language, name, text)
			}
		}
	}
}

// inEnglish says in each language that what follows is English.
var inEnglish = map[string]string{"es": "en inglés", "ca": "en anglès", "fr": "en anglais"}

// TestAnswersHaveFaults: whoever makes an error of an answer says what is wrong with it.
func TestAnswersHaveFaults(t *testing.T) {
	seen := 0
	for _, root := range []string{"../token", "../bridge"} {
		everySource(t, root, func(path string, file *ast.File) {
			ast.Inspect(file, func(n ast.Node) bool {
				literal, is := n.(*ast.CompositeLit)
				if !is || !strings.HasSuffix(types.ExprString(literal.Type), "AnswerError") {
					return true
				}
				seen++
				if !slices.ContainsFunc(literal.Elts, func(e ast.Expr) bool {
					pair, is := e.(*ast.KeyValueExpr)
					return is && types.ExprString(pair.Key) == "Fault"
				}) {
					t.Errorf("%s makes an AnswerError without its Fault", path)
				}
				return true
			})
		})
	}
	if seen < 20 {
		t.Errorf("only %d errors of answers were seen", seen)
	}
}

// appIn is the program with all its commands, in a language.
func appIn(t *testing.T, language string) *frame.App {
	t.Helper()
	catalog, err := messages.Load(language)
	if err != nil {
		t.Fatal(err)
	}
	app := &frame.App{Getenv: os.Getenv, Now: time.Now, Err: terminal.File{File: os.Stderr}, Catalog: catalog}
	app.Root(commands())
	return app
}

// errorNames are the exported error types and values below a folder.
func errorNames(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	everySource(t, root, func(_ string, file *ast.File) {
		for _, declared := range file.Decls {
			switch d := declared.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil || d.Name.Name != "Error" || d.Type.Params.NumFields() > 0 {
					continue
				}
				of := d.Recv.List[0].Type
				if star, is := of.(*ast.StarExpr); is {
					of = star.X
				}
				if name := of.(*ast.Ident); name.IsExported() {
					names = append(names, file.Name.Name+"."+name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					if value, is := spec.(*ast.ValueSpec); is && strings.HasPrefix(value.Names[0].Name, "Err") && d.Tok == token.VAR {
						names = append(names, file.Name.Name+"."+value.Names[0].Name)
					}
				}
			}
		}
	})
	return names
}

// everySource reads the sources below a folder, the tests left out.
func everySource(t *testing.T, root string, look func(path string, file *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err == nil {
			look(path, file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
