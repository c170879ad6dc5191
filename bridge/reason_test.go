package bridge

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"p11bridge/bridge/verdict"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
	"p11bridge/token/tokentest"
)

func (row verifyRow) verify(t *testing.T) *VerifyResult {
	t.Helper()
	v, err := Verify(t.Context(), VerifyRequest{File: row.file, Password: func() (*secret.Text, error) { return secret.New([]byte(row.password())), nil }, Now: rowTime(row)})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// rowTime is within the validity of the certificates of files that others made.
func rowTime(row verifyRow) time.Time {
	if strings.HasPrefix(row.name, "an old cipher") || strings.HasPrefix(row.name, "a key in clear") || strings.HasPrefix(row.name, "a secret key") {
		return time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return tokentest.Now
}

func TestVerify(t *testing.T) {
	for _, row := range verifyRows(t) {
		t.Run(row.name, func(t *testing.T) {
			v := row.verify(t)
			code, _, _ := strings.Cut(row.want, " ")
			unjudged := slices.Contains([]string{"format-unsupported", "iteration-count-too-large", "file-too-large", "file-beyond-limits"}, code)
			if got := verdict.Text(v.Reasons); got != row.want || v.Valid != row.valid || v.Unjudged != unjudged {
				t.Errorf("valid is %v, %s\nnot %v, %s", v.Valid, got, row.valid, row.want)
			}
			if v.Valid && (!v.HasPrivateKey || !v.HasCertificate || v.KeyMatches == nil || !*v.KeyMatches || v.Certificate == nil) {
				t.Errorf("a valid copy lacks something: %+v", v)
			}
			for _, reason := range v.Reasons {
				if err := reason.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestVerifyAsksForNoPasswordInVain has files that no password opens, and one that opens without any.
func TestVerifyAsksForNoPasswordInVain(t *testing.T) {
	asked := errors.New("asked")
	for _, row := range verifyRows(t) {
		_, err := Verify(t.Context(), VerifyRequest{File: row.file, Password: func() (*secret.Text, error) { return nil, asked }, Now: tokentest.Now})
		code, _, _ := strings.Cut(row.want, " ")
		looked := slices.Contains([]string{"not-a-pfx", "certificate-only", "file-too-large", "iteration-count-too-large", "format-unsupported", "file-empty",
			"file-beyond-limits", "java-key-store", "private-key-unprotected", "private-key-alone"}, code) || row.name == "cut off" || row.name == "a key in clear and no MAC"
		if looked == errors.Is(err, asked) && row.name != "a key of an unknown kind" && !strings.HasSuffix(row.name, "that cannot be read") {
			t.Errorf("%s: asked for the password: %v", row.name, err)
		}
	}
}

func TestVerifyIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, VerifyRequest{File: verifyRows(t)[0].file, Password: func() (*secret.Text, error) { return secret.New([]byte("test")), nil }, Now: tokentest.Now}); !errors.Is(err, context.Canceled) {
		t.Errorf("the error is %v", err)
	}
}

// chainReasons is what an export says of a chain that ends before its root.
func chainReasons(t *testing.T) []verdict.Reason {
	t.Helper()
	der, err := os.ReadFile(filepath.Join("..", "token", "pki", "testdata", "leaf.crt"))
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	result := &ExportResult{Certificate: leaf}
	ExportRequest{shared: issuersOn(tokentest.InventoryOf(), nil)}.chain(result)
	return result.Notices
}

func TestChainIncomplete(t *testing.T) {
	reasons := chainReasons(t)
	if got, want := verdict.Text(reasons), `chain-incomplete {"missing_issuer":"CN=twin"}`; got != want {
		t.Errorf("%s\nnot\n%s", got, want)
	}
	for _, reason := range reasons {
		if err := reason.Validate(); err != nil {
			t.Error(err)
		}
	}
}

// producedHere are the codes of files, backups and chains, which bridge/verdict's own rows do not produce.
var producedHere = []verdict.Code{
	verdict.NoCertificate, verdict.CertificateOnly, verdict.KeyOfAnotherCert, verdict.PasswordIncorrect, verdict.SeveralKeys,
	verdict.IntegrityNotProtected, verdict.WeakProtection, verdict.KeyNotProtected, verdict.IterationCountTooLarge, verdict.NoPrivateKey, verdict.FileDamaged, verdict.FormatUnsupported, verdict.NotAPFX, verdict.FileTooLarge,
	verdict.ChainIncomplete, verdict.FileEmpty, verdict.FileBeyondLimits, verdict.FileAsText, verdict.TrailingData, verdict.JavaKeyStore, verdict.PrivateKeyUnprotected, verdict.PrivateKeyAlone,
	verdict.PasswordEncoding, verdict.PasswordEmpty, verdict.InnerPasswordDiffers, verdict.KeyNotSound, verdict.KeyNotForTokens, verdict.FurtherKeyIncomplete, verdict.FurtherCertUnreadable, verdict.OtherContents,
	verdict.FileNotCertain, verdict.FilePutBack, verdict.FileMayNotLast,
}

// awaiting are the codes of acts that need a token: scripts and tests on real tokens produce them, and no plain values do.
// Whoever produces one in a row here moves it to producedHere.
var awaiting = []verdict.Code{
	verdict.BackupOfAnotherKey, verdict.NoKeyForCertificate,
	verdict.AlreadyOnToken, verdict.TokenFull, verdict.RestoreRefused, verdict.RestoredDifferently, verdict.PublicKeyNotStored, verdict.RestoredUnproven,
	verdict.TokenCouldNotProve, verdict.OtherMethodUsed, verdict.MethodRefused, verdict.BackupNotAsRecorded, verdict.SealedNotOpened,
	verdict.SealedPasswordUnused,
}

// TestCodesProducedHere holds the two lists against the rows.
func TestCodesProducedHere(t *testing.T) {
	produced := map[verdict.Code]bool{}
	count := func(reasons []verdict.Reason) {
		for _, reason := range reasons {
			produced[reason.Code] = true
		}
	}
	for _, row := range verifyRows(t) {
		count(row.verify(t).Reasons)
	}
	count(chainReasons(t))
	count(savedReasons(t))
	for _, code := range producedHere {
		if !produced[code] {
			t.Errorf("no row produces %s", code)
		}
	}
	for _, code := range awaiting {
		if _, known := verdict.Lookup(code); !known || produced[code] {
			t.Errorf("%s stands among those awaited, and is produced or gone", code)
		}
	}
}
