package frame_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/cmd/frame"
	"p11bridge/cmd/messages"
	"p11bridge/cmd/terminal"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/tokentest"
)

// togetherOf are the reasons that the judge gives together: every verdict on every kind of key, certificate, token and login. No test
// changes them.
func togetherOf(t *testing.T) [][]verdict.Reason {
	t.Helper()
	all := allTogether()
	if len(all) < 200 {
		t.Fatalf("only %d verdicts", len(all))
	}
	return all
}

var allTogether = sync.OnceValue(func() [][]verdict.Reason {
	identities := identities()
	seen := map[string]bool{}
	var all [][]verdict.Reason
	for _, inventory := range inventories() {
		for _, identity := range identities {
			reasons := verdict.Judge(inventory, identity, tokentest.Now).Reasons
			var codes strings.Builder
			for _, reason := range reasons {
				codes.WriteString(string(reason.Code) + " ")
			}
			if !seen[codes.String()] {
				seen[codes.String()] = true
				all = append(all, reasons)
			}
		}
	}
	return all
})

// inventories are tokens of every family that matters, logged in and not, with every kind of mechanism list.
func inventories() []*token.Inventory {
	var all []*token.Inventory
	for _, make := range []struct{ manufacturer, model, library string }{
		{}, {manufacturer: "SoftHSM project", model: "SoftHSM v2"}, {manufacturer: "Mozilla Foundation"}, {library: "TPM2.0 Cryptoki"},
		{manufacturer: "piv_II", model: "PKCS#15 emulated"}, {library: "openCryptoki"},
	} {
		for _, mechanisms := range [][]token.Mechanism{nil, tokentest.Wraps(token.CKMAESKeyWrapPad), tokentest.Wraps(token.CKMAESCBCPad)} {
			for _, loggedIn := range []bool{true, false} {
				inventory := tokentest.InventoryOf()
				inventory.Token.Manufacturer, inventory.Token.Model, inventory.Module.Description = foreign.Text(make.manufacturer), foreign.Text(make.model), foreign.Text(make.library)
				inventory.Token.FirmwareVersion = "2.6"
				inventory.Token.Flags |= token.CKFLoginRequired
				inventory.Mechanisms, inventory.LoggedIn = mechanisms, loggedIn
				all = append(all, inventory)
			}
		}
	}
	return all
}

// identities are keys of every policy with certificates of every kind, and either alone.
func identities() []token.Identity {
	const day = 24 * time.Hour
	dated := func(from, until time.Duration, ca bool) *token.Certificate {
		return &token.Certificate{Object: tokentest.CertificateOf("a", nil), Parsed: &pki.Certificate{NotBefore: tokentest.Now.Add(from), NotAfter: tokentest.Now.Add(until), IsCA: ca}}
	}
	certificates := []*token.Certificate{
		nil, dated(-99*day, 99*day, false), dated(-99*day, 99*day, true), dated(-9*day, 99*day, false), dated(-9*day, -day, false), dated(-99*day, -day, true),
		dated(day, 2*day, false), dated(-9*day, -day, true), {Object: tokentest.CertificateOf("a", nil), Problem: "no DER"},
	}
	all := []token.Identity{{PublicKey: tokentest.PrivateKey("a", tokentest.Locked)}}
	for _, certificate := range certificates {
		if certificate != nil {
			all = append(all, token.Identity{Certificate: certificate}, token.Identity{Certificate: certificate, Mismatch: tokentest.PrivateKey("b", tokentest.Locked)},
				token.Identity{Certificate: certificate, Possible: tokentest.PrivateKey("b", tokentest.Locked)})
		}
		for _, key := range keys() {
			if certificate == nil {
				all = append(all, token.Identity{PrivateKey: key, LinkedBy: token.LinkedByNone, Possible: tokentest.CertificateOf("a", nil)})
			}
			for _, link := range []token.Link{token.LinkedByPublicKey, token.LinkedByID} {
				all = append(all, token.Identity{PrivateKey: key, Certificate: certificate, LinkedBy: link})
			}
		}
	}
	return all
}

func keys() []*token.Object {
	var all []*token.Object
	three := []any{true, false, token.CKRAttributeTypeInvalid}
	for _, extractable := range three {
		for _, never := range three {
			for _, local := range three {
				for _, sensitive := range []any{true, false} {
					for _, trusted := range []any{true, false} {
						for _, keyType := range []token.KeyType{token.CKKRSA, token.CKKECEdwards, 0x10} {
							all = append(all, tokentest.PrivateKey("a", tokentest.Values{
								token.CKAKeyType: uint(keyType), token.CKAExtractable: extractable, token.CKASensitive: sensitive, token.CKANeverExtractable: never,
								token.CKALocal: local, token.CKAAlwaysSensitive: never, token.CKAWrapWithTrusted: trusted, token.CKAAlwaysAuthenticate: trusted,
							}))
						}
					}
				}
			}
		}
	}
	return all
}

// either are steps of which at most one may stand in a list: they say the same, or the contrary.
var either = [][]string{
	{"step.search-original", "step.search-original-if-imported", "step.no-original"},
	{"step.no-original", "step.check-original"},
	{"step.no-original", "step.look-for-copy"},
	{"step.ask-vendor-backup", "step.find-vendor-backup", "step.learn-request"},
	{"step.renew", "step.request-when-lost", "step.request-now", "step.request-no-copy", "step.learn-request"},
	{"step.keep-token", "step.request-now"},
	{"step.keep-token", "step.keep-for-decryption"},
	{"step.export", "step.export-with-certificate"},
	{"step.export", "step.keep-token"},
	{"step.keep-this-file", "step.delete-old", "step.keep-all-keys"},
	{"step.keep-this-file", "step.delete-old", "step.keep-contents"},
	{"step.new-copy", "step.complete-copy"},
}

// TestStepsOfReasonsThatStandTogether reads the steps of every pair of reasons that the judge gives together, and of all reasons of
// every verdict, in every language.
func TestStepsOfReasonsThatStandTogether(t *testing.T) {
	apps := appsOf(t)
	pairs := map[[2]verdict.Code]bool{}
	for _, reasons := range togetherOf(t) {
		checkSteps(t, apps, reasons)
		for i, first := range reasons {
			for _, second := range reasons[i+1:] {
				if pair := [2]verdict.Code{first.Code, second.Code}; !pairs[pair] {
					pairs[pair] = true
					checkSteps(t, apps, []verdict.Reason{first, second})
				}
			}
		}
	}
	if len(pairs) < 60 {
		t.Errorf("only %d pairs", len(pairs))
	}
}

// ofFiles are reasons that one file can have together.
var ofFiles = []verdict.Code{
	verdict.SeveralKeys, verdict.IntegrityNotProtected, verdict.WeakProtection, verdict.KeyNotProtected, verdict.PasswordEmpty, verdict.FileAsText, verdict.TrailingData,
	verdict.PasswordEncoding, verdict.KeyNotForTokens, verdict.FurtherKeyIncomplete, verdict.OtherContents, verdict.ChainIncomplete, verdict.NoCertificate, verdict.CertificateExpired, verdict.CertificateNotYetValid,
}

func TestStepsOfFiles(t *testing.T) {
	apps := appsOf(t)
	for i, first := range ofFiles {
		for _, second := range ofFiles[i+1:] {
			checkSteps(t, apps, []verdict.Reason{{Code: first}, {Code: second}})
		}
	}
}

func appsOf(t *testing.T) []*frame.App {
	t.Helper()
	var apps []*frame.App
	for _, language := range messages.Languages() {
		catalog, err := messages.Load(language)
		if err != nil {
			t.Fatal(err)
		}
		apps = append(apps, &frame.App{Catalog: catalog})
	}
	return apps
}

// begin is the beginning of an English step: two that share it say the same thing twice, but for those of begins.
func begin(step string) string {
	words := strings.FieldsFunc(step, func(r rune) bool { return r == ' ' || r == ',' || r == '.' })
	return strings.Join(words[:min(3, len(words))], " ")
}

// begins are beginnings that different steps may share, as those with a condition do.
var begins = []string{"Ask the vendor", "Look for the", "See whether the", "A new token"}

func checkSteps(t *testing.T, apps []*frame.App, reasons []verdict.Reason) {
	t.Helper()
	permitted, refused := false, false
	for _, reason := range reasons {
		entry, _ := verdict.Lookup(reason.Code)
		permitted, refused = permitted || entry.Kind == verdict.Permits, refused || entry.Kind == verdict.Refuses
	}
	for _, a := range apps {
		steps := a.Steps(reasons...)
		if len(steps) == 0 {
			t.Errorf("%s: nothing to do about %s", a.Catalog.Language, verdict.Text(reasons))
		}
		for i, step := range steps {
			if j := slices.IndexFunc(steps[:i], func(other string) bool {
				return other == step || a.Catalog.Language == "en" && begin(other) == begin(step) && !strings.HasPrefix(step, "If ") && !slices.Contains(begins, begin(step))
			}); j >= 0 {
				t.Errorf("%s: %s says twice: %s\n%s", a.Catalog.Language, verdict.Text(reasons), steps[j], step)
			}
			if refused && strings.Contains(step, "p11bridge export OBJECT") {
				t.Errorf("%s: %s cannot leave, and: %s", a.Catalog.Language, verdict.Text(reasons), step)
			}
		}
		for _, row := range either {
			var there []string
			for _, id := range row {
				if slices.Contains(steps, a.Text(id, nil)) {
					there = append(there, id)
				}
			}
			if len(there) > 1 {
				t.Errorf("%s: %s leads to both of %q", a.Catalog.Language, verdict.Text(reasons), there)
			}
		}
		if permitted && slices.Contains(steps, a.Text("step.keep-token", nil)) {
			t.Errorf("%s: %s can leave, and the token is the only place", a.Catalog.Language, verdict.Text(reasons))
		}
	}
}

// TestEveryReasonIsShort is TestReasonsAreShort for every code by itself, with evidence as long as a URI: in at most twelve lines of 80
// columns, with what stands above and below it, and with a step that can be taken.
func TestEveryReasonIsShort(t *testing.T) {
	apps := appsOf(t)
	evidence := verdict.Evidence{
		{Name: "uri", Value: "pkcs11:token=Certificado%20de%20la%20FNMT;serial=0123456789abcdef;object=Firma%20digital;type=private;id=%01%02%03%04"},
		{Name: "problem", Value: "C_UnwrapKey with CKM_AES_KEY_WRAP_PAD: CKR_WRAPPED_KEY_INVALID"},
	}
	for _, entry := range verdict.Table() {
		for _, a := range apps {
			for _, reason := range []verdict.Reason{{Code: entry.Code}, {Code: entry.Code, Evidence: evidence}} {
				text := a.ReasonsText(reason)
				checkSteps(t, []*frame.App{a}, []verdict.Reason{reason})
				if lines := terminal.Lines(text, 80); lines > 10 {
					t.Errorf("%s %s: %d lines\n%s", a.Catalog.Language, entry.Code, lines, terminal.Wrap(text, 80))
				}
				if !strings.Contains(text, "    1. ") {
					t.Errorf("%s %s: nothing to do\n%s", a.Catalog.Language, entry.Code, text)
				}
			}
		}
	}
}

// TestReasonsAreShort: with the key and its verdict above and the next command below, what is said of a key has at most twelve lines of
// 80 columns, for every verdict and in every language, and it begins with the reason that decides.
func TestReasonsAreShort(t *testing.T) {
	apps := appsOf(t)
	for _, reasons := range togetherOf(t) {
		for _, a := range apps {
			text := a.ReasonsText(reasons...)
			if lines := terminal.Lines(text, 80); lines > 10 {
				t.Errorf("%s: %d lines\n%s", a.Catalog.Language, lines, terminal.Wrap(text, 80))
			}
			if !strings.HasPrefix(text, "  "+a.ReasonText(reasons[0], "summary")) || !strings.Contains(text, "    1. ") {
				t.Errorf("%s: no reason, or nothing to do\n%s", a.Catalog.Language, text)
			}
		}
	}
}
