package softhsmtests

import (
	"path/filepath"
	"slices"
	"testing"
)

// TestDoctorPageLong opens doctor's page as a person would: of a module that works, of one that hangs, and of a file that is
// none.
func TestDoctorPageLong(t *testing.T) {
	t.Parallel()
	p := newPlace(t, hostileSpecimens)
	b := newBrowser(t)
	for _, row := range []struct {
		name, module, fault string
		code                int
		says                []string
	}{
		{"works", softHSM(t), "", 0, []string{"SoftHSM", "CKM_AES_KEY_WRAP"}},
		{"hangs", faultyModule(t), "hang:C_GetSlotList", 1, []string{"C_GetSlotList", "module-hung"}},
		{"none", "../go.mod", "", 1, []string{"go.mod"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			module, err := filepath.Abs(row.module)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "doctor.html")
			environment := append(slices.Clone(p.environment), "P11FAULT="+row.fault, "P11FAULT_MODULE="+softHSM(t))
			r := p11bridge(t, environment, "doctor", "--module", module, "--timeout", "2s", "--html", file)
			if r.code != row.code {
				t.Fatalf("exit code %d\n%s", r.code, r.stderr)
			}
			b.open(t, file)
			b.checkPage(t, "commands take the focus", "parts are whole") // it has none
			for _, text := range row.says {
				b.findings(t, text, shown+"looked++; if (!shown.some(s => s.text.includes("+quoted(t, text)+"))) findings.push('is not shown')")
			}
		})
	}
}
