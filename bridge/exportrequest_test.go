package bridge

import (
	"errors"
	"testing"

	"p11bridge/bridge/archive"
	"p11bridge/bridge/verdict"
	"p11bridge/token"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
	"p11bridge/token/tokentest"
)

// leaving is a request that can be carried out, changed by change.
func leaving(change func(*ExportRequest)) ExportRequest {
	r := ExportRequest{
		Session: &token.Session{}, Inventory: tokentest.InventoryOf(tokentest.PrivateKey("a", tokentest.Wrappable), tokentest.CertificateOf("a", nil)),
		Password: secret.New([]byte("Sturm und Drang 1774")), Target: archive.Target{Path: "a.pfx"},
	}
	r.Identity = r.Inventory.Identities()[0]
	change(&r)
	return r
}

// TestExportRequestTakesDefaults: an empty verdict is no verdict, and what is not named is taken.
func TestExportRequestTakesDefaults(t *testing.T) {
	r, err := leaving(func(*ExportRequest) {}).validate()
	if err != nil || !r.Verdict.Exportable || r.Random == nil || r.Profile != ProfileModern {
		t.Errorf("%+v, %v", r, err)
	}
	refused := verdict.Verdict{Reasons: []verdict.Reason{verdict.Because(verdict.WrapRefused)}}
	if r, err := leaving(func(r *ExportRequest) { r.Verdict, r.Profile = refused, ProfileLegacy }).validate(); err != nil || r.Verdict.Exportable || r.Profile != ProfileLegacy {
		t.Errorf("%+v, %v", r, err)
	}
	if r, err := leaving(func(r *ExportRequest) { r.Identity.PrivateKey, r.Verdict.Exportable = nil, true }).validate(); err != nil || !r.Verdict.Final() {
		t.Errorf("no key leaves: %+v, %v", r.Verdict, err)
	}
	if _, err := leaving(func(r *ExportRequest) { r.Identity.PrivateKey = nil }).validate(); err != nil {
		t.Error(err)
	}
}

func TestExportRequestIsRefused(t *testing.T) {
	for name, change := range map[string]func(*ExportRequest){
		"no session":            func(r *ExportRequest) { r.Session = nil },
		"no inventory":          func(r *ExportRequest) { r.Inventory = nil },
		"no password":           func(r *ExportRequest) { r.Password = nil },
		"no file":               func(r *ExportRequest) { r.Target.Path = "" },
		"an unknown profile":    func(r *ExportRequest) { r.Profile = "best" },
		"an unknown method":     func(r *ExportRequest) { r.Method = "carry" },
		"an unknown prover":     func(r *ExportRequest) { r.Prover = "me" },
		"too many iterations":   func(r *ExportRequest) { r.Iterations = MaxIterations + 1 },
		"less than none":        func(r *ExportRequest) { r.Iterations = -1 },
		"a password of rubbish": func(r *ExportRequest) { r.Password = secret.New([]byte{0xFF}) },
	} {
		if _, err := leaving(change).validate(); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	var file *archive.FileError
	if _, err := leaving(func(r *ExportRequest) { r.Target.Path = "a.cer" }).validate(); !errors.As(err, &file) || file.Fault != archive.FileNamedCert {
		t.Errorf("a key in a certificate's file: %v", err)
	}
	if _, err := WriteCertificate(CertificateRequest{Target: archive.Target{Path: "a.pfx"}, Certificate: &pki.Certificate{}}); !errors.As(err, &file) || file.Fault != archive.FileNamedBackup {
		t.Errorf("a certificate in a backup's file: %v", err)
	}
	for _, r := range []CertificateRequest{
		{Target: archive.Target{Path: "a.pem"}, Certificate: &pki.Certificate{}, Format: CertificateDER}, {Target: archive.Target{Path: "a.cer"}, Certificate: &pki.Certificate{}, Format: "xml"},
		{Target: archive.Target{Path: "a.cer"}}, {Certificate: &pki.Certificate{}},
	} {
		if _, err := WriteCertificate(r); !errors.Is(err, ErrRequest) {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
