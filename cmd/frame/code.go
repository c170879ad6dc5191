package frame

import (
	"slices"
	"strings"

	"p11bridge/cmd/messages"
)

// Every error has a stable code, which p11bridge.error/1 carries: the id of its text without "error.", with dashes. A command
// line that cannot be understood has "usage." before it.
const (
	errorPrefix = "error."
	usagePrefix = "usage."
)

// usageErrors are the ids of the errors that end with exit code 2.
var usageErrors = []string{
	"error.all-delete-needs-yes", "error.all-object", "error.curly-quotes", "error.flag-address", "error.flag-before-command", "error.flag-drive", "error.out-missing-object", "error.all-for-one", "error.all-without-dir", "error.ambiguous", "error.argument-empty", "error.argument-missing",
	"error.by", "error.color", "error.csv", "error.delete-certificate-only", "error.delete-needs-yes", "error.delete-unconfirmed",
	"error.demo-json", "error.dir-without-all", "error.file.named-backup", "error.file.named-certificate", "error.file.named-dash",
	"error.fingerprint", "error.flag", "error.format", "error.format-name", "error.format-without-certificate-only", "error.flag-twice", "error.flag-unknown", "error.flag-value", "error.flag-value-missing", "error.generate-without-terminal",
	"error.metrics-name",
	"error.guide-json", "error.if-needed", "error.iterations", "error.keep-without-dir", "error.key-type", "error.language",
	"error.like-object", "error.long-dash", "error.method", "error.module-and-nss-db", "error.no-arguments", "error.out-missing", "error.password", "error.password-without-like",
	"error.period", "error.pin-value", "error.probe-snapshot", "error.profile", "error.proof", "error.request-of-nothing", "error.require-shroud",
	"error.delete-needs-unseal", "error.recipient.none", "error.recipient.twice", "error.seal-needs-generate", "error.seal-transport", "error.seal-without-password",
	"error.restore-key-all", "error.same-key", "error.same-source", "error.san", "error.several-tokens", "error.shard", "error.shard-for-one", "error.shard-metrics", "error.shell", "error.shell-missing", "error.shroud-legacy",
	"error.slash-flag", "error.source", "error.status-dir", "error.subject", "error.timeout", "error.token-contradicted", "error.too-many-arguments", "error.unknown-code",
	"error.unknown-command", "error.unbroken", "error.uri", "error.verify-dir-file",
}

// noErrors are texts beside those of errors.
var noErrors = []string{"error.see-help", "error.known-objects", "error.present-tokens", "error.did-you-mean", "error.more-objects"}

// codeOf is the code of the error whose text has the id.
func codeOf(id string) string {
	code := strings.ReplaceAll(strings.TrimPrefix(id, errorPrefix), ".", "-")
	if slices.Contains(usageErrors, id) {
		return usagePrefix + code
	}
	return code
}

// ErrorCode is an error that commands can end with, as `explain` shows it.
type ErrorCode struct {
	Code string
	id   string
}

// ErrorCodes lists all of them by their codes.
func ErrorCodes() []ErrorCode {
	var codes []ErrorCode
	for _, id := range messages.IDs(errorPrefix) {
		if !strings.HasSuffix(id, ".remedy") && !strings.HasSuffix(id, browserSuffix) && !strings.HasSuffix(id, guideSuffix) && !slices.Contains(noErrors, id) {
			codes = append(codes, ErrorCode{codeOf(id), id})
		}
	}
	slices.SortFunc(codes, func(x, y ErrorCode) int { return strings.Compare(x.Code, y.Code) })
	return codes
}

// unknownValue is what a template writes for an argument that it was not given.
const unknownValue = "<no value>"

// ErrorText is what is said of an error, with dots for what is different each time, and its remedy.
func (a *App) ErrorText(e ErrorCode) (text, remedy string) {
	general := func(text string) string { return strings.ReplaceAll(text, unknownValue, "…") }
	return general(a.Text(e.id, nil)), general(a.optional(e.id+".remedy", nil))
}
