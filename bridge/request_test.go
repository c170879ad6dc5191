package bridge

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
	"p11bridge/token/tokentest"
)

// zeroRequests ask for something, and say nothing else.
var zeroRequests = map[string]func(context.Context) error{
	"export":               func(ctx context.Context) error { _, err := Export(ctx, ExportRequest{}); return err },
	"export all":           func(ctx context.Context) error { return ExportAll(ctx, ExportAllRequest{}, nil) },
	"restore":              func(ctx context.Context) error { _, err := Restore(ctx, RestoreRequest{}); return err },
	"plan a restore":       func(ctx context.Context) error { _, err := RestoreRequest{}.Plan(ctx); return err },
	"install":              func(ctx context.Context) error { return Install(ctx, InstallRequest{}, nil) },
	"install a plan":       func(ctx context.Context) error { return Install(ctx, InstallRequest{}, &InstallPlan{}) },
	"plan an installation": func(ctx context.Context) error { _, err := InstallRequest{}.Plan(ctx); return err },
	"request":              func(ctx context.Context) error { _, err := CreateCSR(ctx, CSRRequest{}, nil); return err },
	"plan a request":       func(context.Context) error { _, err := CSRRequest{}.Plan(); return err },
	"check a deletion":     func(ctx context.Context) error { _, err := DeleteRequest{}.Check(ctx); return err },
}

// incompleteRequests leave out one thing that is needed.
func incompleteRequests(t *testing.T) map[string]func(context.Context) error {
	t.Helper()
	session, inventory, certificate := &token.Session{}, tokentest.InventoryOf(), tokentest.CertificateOf("a", nil).Certificate
	file := verifyRows(t)[0].file
	restore := func(r RestoreRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := Restore(ctx, r); return err }
	}
	install := func(certificates ...*pki.Certificate) func(context.Context) error {
		return func(ctx context.Context) error {
			return Install(ctx, InstallRequest{Session: session, Inventory: inventory, Certificates: certificates}, nil)
		}
	}
	request := func(r CSRRequest) func(context.Context) error {
		return func(ctx context.Context) error { _, err := CreateCSR(ctx, r, nil); return err }
	}
	return map[string]func(context.Context) error{
		"export all, no password":        func(ctx context.Context) error { return ExportAll(ctx, ExportAllRequest{Directory: "a"}, nil) },
		"restore, no copy":               restore(RestoreRequest{Session: session, Inventory: inventory}),
		"restore, no certificate":        restore(RestoreRequest{Session: session, Inventory: inventory, Copy: &Copy{}}),
		"restore, no session":            restore(RestoreRequest{Inventory: inventory, Copy: &Copy{Certificate: certificate}}),
		"restore, no inventory":          restore(RestoreRequest{Session: session, Copy: &Copy{Certificate: certificate}}),
		"install, no certificate":        install(),
		"install, a certificate missing": install(certificate, nil),
		"request, nobody to take it":     request(CSRRequest{Session: session, Inventory: inventory}),
		"request, no session":            request(CSRRequest{Inventory: inventory, Deliver: func(*CSRResult) error { return nil }}),
		"request, unknown type": func(context.Context) error {
			_, err := CSRRequest{Session: session, Inventory: inventory, KeyType: "rsa1"}.Plan()
			return err
		},
		"delete, a copy not judged": func(ctx context.Context) error {
			_, err := DeleteRequest{Session: session, Inventory: inventory, Copy: &KnownCopy{}}.Check(ctx)
			return err
		},
		"verify, no password": func(ctx context.Context) error { _, err := Verify(ctx, VerifyRequest{File: file}); return err },
		"open, no password":   func(ctx context.Context) error { _, err := OpenCopies(ctx, VerifyRequest{File: file}); return err },
	}
}

// TestZeroRequestsAreRefused: nothing that a caller leaves out is found out by a crash, or after the login.
func TestZeroRequestsAreRefused(t *testing.T) {
	for _, requests := range []map[string]func(context.Context) error{zeroRequests, incompleteRequests(t)} {
		for name, do := range requests {
			if err := do(t.Context()); !errors.Is(err, ErrRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestRequestsTakeWhatIsNotNamed: a random source, a time, a profile, a verdict and a plan.
func TestRequestsTakeWhatIsNotNamed(t *testing.T) {
	session, inventory := &token.Session{}, tokentest.InventoryOf(tokentest.PrivateKey("a", tokentest.Wrappable), tokentest.CertificateOf("a", nil))
	identity := inventory.Identities()[0]
	if r, err := (RestoreRequest{Session: session, Inventory: inventory, Copy: &Copy{Certificate: identity.Certificate.Parsed}}).validate(); err != nil {
		t.Errorf("restore: %v", err)
	} else if _, err := io.ReadFull(r.Random, make([]byte, 16)); err != nil {
		t.Errorf("restore: %v", err)
	}
	if r, err := (InstallRequest{Session: session, Inventory: inventory, Certificates: []*pki.Certificate{identity.Certificate.Parsed}}).validate(); err != nil || time.Since(r.Now) > time.Hour {
		t.Errorf("install: %v, %v", r.Now, err)
	}
	if r, err := (DeleteRequest{Session: session, Inventory: inventory, Identity: identity}).validate(); err != nil || !r.Verdict.Exportable {
		t.Errorf("delete: %+v, %v", r.Verdict, err)
	}
	given := verdict.Verdict{Reasons: []verdict.Reason{verdict.Because(verdict.WrapRefused)}}
	if r, err := (DeleteRequest{Session: session, Inventory: inventory, Identity: identity, Verdict: given}).validate(); err != nil || r.Verdict.Exportable {
		t.Errorf("delete, judged before: %+v, %v", r.Verdict, err)
	}
	var noKey *NoKeyError
	if _, err := (DeleteRequest{Session: session, Inventory: inventory}).Check(t.Context()); !errors.As(err, &noKey) || noKey.Verdict.Empty() {
		t.Errorf("delete without a key: %v", err)
	}
	each := ExportRequest{Password: secret.New([]byte("Sturm und Drang 1774"))}
	if r, err := (ExportAllRequest{Directory: "a", Each: each}).validate(); err != nil || r.Each.Profile != ProfileModern || r.Each.Random == nil || r.Now == nil || r.Began == nil || r.Ended == nil {
		t.Errorf("export all: %+v, %v", r, err)
	}
	if v, err := Verify(t.Context(), VerifyRequest{}); err != nil || len(v.Reasons) != 1 || v.Reasons[0].Code != verdict.FileEmpty {
		t.Errorf("verify nothing: %+v, %v", v, err)
	}
	// A file without a request for it names nothing to check: the plan is worked out first.
	_, err := CreateCSR(t.Context(), CSRRequest{Session: session, Inventory: tokentest.InventoryOf(), Target: archive.Target{Path: t.TempDir() + "/a.csr"}}, nil)
	if !errors.Is(err, ErrNoSubject) {
		t.Errorf("request: %v", err)
	}
}

// TestPlanOfANewKey is about what is known of a new key before it is made: whether the token makes such keys, and whether it lets
// them go.
func TestPlanOfANewKey(t *testing.T) {
	generates, wraps := token.Mechanism{Type: 0}, token.Mechanism{Type: token.CKMAESKeyWrapPad, Wrap: true}
	subject, err := pki.ParseNameText("CN=a")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name        string
		listed      []token.Mechanism
		extractable bool
		err         error
		want        bool
	}{
		{"it generates and wraps", []token.Mechanism{generates, wraps}, true, nil, true},
		{"the key is to stay", []token.Mechanism{generates, wraps}, false, nil, false},
		{"it wraps nothing", []token.Mechanism{generates}, true, nil, false},
		{"it generates nothing", []token.Mechanism{wraps}, true, ErrGeneratesNothing, false},
		{"it generates keys of another kind", []token.Mechanism{wraps, {Type: 0x1040}}, true, ErrGeneratesNoKeys, false},
	} {
		inventory := tokentest.InventoryOf()
		inventory.Mechanisms = row.listed
		request := CSRRequest{Session: &token.Session{}, Inventory: inventory, Subject: subject, KeyType: "rsa2048", Exportable: row.extractable}
		plan, err := request.Plan()
		if !errors.Is(err, row.err) {
			t.Errorf("%s: %v", row.name, err)
		}
		if err == nil && request.Judge(plan).Exportable != row.want {
			t.Errorf("%s: the verdict is %+v", row.name, request.Judge(plan))
		}
	}
}
