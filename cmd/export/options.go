package export

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/seal"
	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/cmd/view"
	"p11bridge/token/foreign"
)

// exportOptions are the command line of export.
type exportOptions struct {
	object          string
	all             bool
	shard           *frame.ShardFlag
	dir             string
	out             string
	profile         string
	iterations      int
	iterationsGiven bool
	profileGiven    bool
	chain           []string
	certificate     string
	certificateOnly bool
	format          string
	method          string
	requireShroud   bool
	proof           string
	force           bool
	dryRun          bool
	password        string
	allowEmpty      bool
	deleteKey       bool
	allowVolatile   bool
	yes             bool
	ifNeeded        bool
	sealTo          []string
	transport       string
	passwordGiven   bool // on the command line, and not by a variable
}

// anyMethod is the value of --method that leaves the choice to the token.
const anyMethod = "auto"

// rule is one mistake that a command line can make.
type rule struct {
	broken  bool
	mistake error
}

// check refuses a command line that cannot be meant, before a file or a token is touched. The first mistake is told.
func (o *exportOptions) check() error {
	for _, r := range slices.Concat(o.destinationRules(), o.protectionRules(), o.methodRules()) {
		if r.broken {
			return r.mistake
		}
	}
	if o.ifNeeded && o.sealing() {
		return nil
	}
	return frame.CheckSource("--password-source", o.password, frame.NewPasswordSources)
}

// sealing reports whether every file gets a password of its own, which is sealed.
func (o *exportOptions) sealing() bool { return len(o.sealTo) > 0 }

// destinationRules are about one file or many, and what goes into it.
func (o *exportOptions) destinationRules() []rule {
	return []rule{
		{o.all && o.object != "", frame.Usage("error.all-object", messages.Args{"Given": foreign.Text(o.object)})},
		{!o.all && o.dir != "", frame.UsageMeant("error.dir-without-all", nil, o.allInDir()...)},
		{o.all && o.dir == "" && o.out != "", frame.UsageMeant("error.all-without-dir", nil, "--dir "+terminal.ShellWord(o.out))},
		{o.all && o.dir == "", frame.Usage("error.all-without-dir", nil)},
		{!o.all && o.out == "" && archive.NamedAsBackup(o.object), frame.Usage("error.out-missing-object", messages.Args{"Given": foreign.Text(o.object)})},
		{o.all && (o.out != "" || o.certificate != "" || o.certificateOnly || o.ifNeeded), frame.Usage("error.all-for-one", nil)},
		{!o.all && o.shard.Given(), frame.Usage("error.shard-for-one", nil)},
		{o.all && o.deleteKey && !o.yes, frame.Usage("error.all-delete-needs-yes", nil)},
		{!o.all && o.out == "" && meansAll(o.object), frame.UsageMeant("error.out-missing", nil, "--all --dir DIR")},
		{!o.all && o.out == "", frame.UsageMeant("error.out-missing", nil, "-o "+o.proposed(o.object, ""))},
		{o.deleteKey && o.certificateOnly, frame.Usage("error.delete-certificate-only", nil)},
		{o.format != "" && !o.certificateOnly, frame.Usage("error.format-without-certificate-only", nil)},
		{o.format != "" && !slices.Contains(bridge.CertificateFormats(), bridge.CertificateFormat(o.format)), frame.UsageAmong("error.format", messages.Args{"Given": foreign.Text(o.format)}, o.format, texts(bridge.CertificateFormats()))},
		{o.certificateOnly && o.out != "" && !view.IsDirectory(o.out) && !o.certificateFormat().Fits(o.out), frame.Usage("error.format-name", messages.Args{"Path": foreign.Text(o.out), "Format": messages.Own(string(o.certificateFormat()))})},
		{o.ifNeeded && (o.deleteKey || o.certificateOnly || o.dryRun), frame.Usage("error.if-needed", nil)},
	}
}

// texts are the values of a flag as they are typed.
func texts[T ~string](values []T) []string {
	var typed []string
	for _, value := range values {
		typed = append(typed, string(value))
	}
	return typed
}

// allInDir is what a directory without --all may be meant for, where no object is named.
func (o *exportOptions) allInDir() []string {
	if o.object != "" {
		return nil
	}
	return []string{"--all --dir " + terminal.ShellWord(o.dir)}
}

// meansAll reports whether every key is meant by what stands in place of one.
func meansAll(object string) bool { return object == "*" || strings.EqualFold(object, "all") }

// protectionRules are about how the file is protected.
func (o *exportOptions) protectionRules() []rule {
	return []rule{
		{!slices.Contains(bridge.Profiles(), bridge.Profile(o.profile)), frame.UsageAmong("error.profile", messages.Args{"Given": foreign.Text(o.profile)}, o.profile, texts(bridge.Profiles()))},
		{o.sealing() && o.passwordGiven && o.password != "generate", frame.Usage("error.seal-needs-generate", nil)},
		{o.sealing() && (o.certificateOnly || o.allowEmpty), frame.Usage("error.seal-without-password", nil)},
		{!slices.Contains(seal.Transports(), seal.Transport(o.transport)), frame.Usage("error.seal-transport", messages.Args{"Given": foreign.Text(o.transport)})},
		{o.iterations < 0 || o.iterationsGiven && o.iterations == 0 || o.iterations > bridge.MaxIterations, frame.Usage("error.iterations", messages.Args{"Limit": messages.Number(bridge.MaxIterations)})},
	}
}

// methodRules are about how the key leaves, and who proves it.
func (o *exportOptions) methodRules() []rule {
	legacy := bridge.Profile(o.profile) == bridge.ProfileLegacy // it has no cipher that tokens wrap under
	shroud := o.method == string(verdict.MethodShroud)
	host := bridge.Prover(o.proof) == bridge.ProverHost
	return []rule{
		{o.method != anyMethod && !slices.Contains(bridge.Methods(), verdict.Method(o.method)), frame.UsageAmong("error.method", messages.Args{"Given": foreign.Text(o.method)}, o.method, append(texts(bridge.Methods()), anyMethod))},
		{o.proof != "" && !host && bridge.Prover(o.proof) != bridge.ProverToken, frame.Usage("error.proof", messages.Args{"Given": foreign.Text(o.proof)})},
		{o.requireShroud && (o.method != anyMethod && !shroud || host || legacy), frame.Usage("error.require-shroud", nil)},
		{shroud && legacy, frame.Usage("error.shroud-legacy", nil)},
	}
}

// request reads the files that a command line names, which check has passed. No token is touched.
func (o *exportOptions) request(a *frame.App) (bridge.ExportRequest, error) {
	r := bridge.ExportRequest{
		Profile: bridge.Profile(o.profile), Iterations: o.iterations,
		RequireShroud: o.requireShroud, Prover: bridge.Prover(o.proof), AllowVolatile: o.allowVolatile,
		Target: archive.Target{Path: o.out, Force: o.force, Scratch: a.Scratch, Placing: a.Placing},
	}
	if o.method != anyMethod {
		r.Method = verdict.Method(o.method)
	}
	if err := o.readCertificates(&r); err != nil {
		return r, err
	}
	if o.sealing() {
		recipients, err := a.Recipients(o.sealTo)
		if err != nil {
			return r, err
		}
		r.Sealing = &bridge.Sealing{Recipients: recipients, Transport: seal.Transport(o.transport), Now: a.Now()}
	}
	if view.IsDirectory(o.out) {
		return r, archive.CheckDirectory(o.out)
	}
	if err := o.checkTarget(r.Target); err != nil {
		return r, err
	}
	if !o.all && !o.certificateOnly && !archive.NamedAsBackup(o.out) {
		a.Notice("notice.unusual-ending", messages.Args{"Path": foreign.Text(o.out), "Proposed": foreign.Text(archive.BackupNameFor(o.out))})
	}
	return r, nil
}

func (o *exportOptions) readCertificates(r *bridge.ExportRequest) error {
	for _, path := range o.chain {
		certificates, err := frame.ReadCertificates(path)
		if err != nil {
			return err
		}
		r.Pool = append(r.Pool, certificates...)
	}
	if o.certificate == "" {
		return nil
	}
	certificates, err := frame.ReadCertificates(o.certificate)
	if err != nil {
		return err
	}
	r.Certificate, r.Pool = certificates[0], append(r.Pool, certificates[1:]...)
	return nil
}

// checkTarget tells, before anything is asked, whether the file could be placed, or the files of --all.
func (o *exportOptions) checkTarget(target archive.Target) error {
	path := target.Path
	if o.all { // every file has a name and a target of its own
		path = filepath.Join(o.dir, "*"+archive.BackupExtension)
	}
	if o.deleteKey && !o.allowVolatile {
		if _, err := archive.CheckLasting(path); err != nil {
			return err
		}
	}
	if o.all {
		return nil
	}
	content := archive.ContentKey
	if o.certificateOnly {
		content = archive.ContentCertificate
	}
	if err := archive.CheckName(path, content); err != nil {
		return err
	}
	err := target.Check()
	if err == nil && o.sealing() {
		target.Path += archive.PasswordExtension
		err = target.Check()
	}
	var there *archive.FileError
	if o.ifNeeded && errors.As(err, &there) && there.Fault == archive.FileExists {
		return nil // it is looked at once the key is known
	}
	return err
}

// proposed is the name of the file for an object that goes by the label, or by the CKA_ID.
func (o *exportOptions) proposed(label, id string) string {
	name := view.FileName(label, id)
	if o.certificateOnly && o.certificateFormat() == bridge.CertificateP7B {
		return name + ".p7b"
	}
	if o.certificateOnly {
		return name + ".cer"
	}
	return name + archive.BackupExtension
}

// certificateFormat is the form of a certificate alone: the one that was given, else the one that the file's name speaks of.
func (o *exportOptions) certificateFormat() bridge.CertificateFormat {
	if o.format != "" {
		return bridge.CertificateFormat(o.format)
	}
	return bridge.FormatOf(o.out)
}
