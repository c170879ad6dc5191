package softhsmtests

import (
	"strings"
	"testing"
)

// TestExportAllFaulty runs it on a token that gives fewer sessions than there are workers, and on one that is pulled.
func TestExportAllFaulty(t *testing.T) {
	t.Parallel()
	const keys = 12
	module := faultyModule(t)
	run := func(t *testing.T, fault string) (*place, *result, allCounts) {
		p := newPlace(t, manyKeys(keys))
		p.environment = append(p.environment, "P11BRIDGE_MODULE="+module, "P11FAULT="+fault, "GOMAXPROCS=2") // one worker would need no further session
		r := p11bridge(t, p.environment, p.exportAll("--iterations", "2000", "--json")...)
		counts := countsOf(t, r.stdout)
		if _, _, drafts := p.backups(t); len(drafts) > 0 {
			t.Errorf("there is %q", drafts)
		}
		p.whole(t)
		return p, r, counts
	}
	t.Run("one session", func(t *testing.T) {
		const sessionCount = "0xB1"
		if _, r, counts := run(t, "error:C_OpenSession@2:"+sessionCount); r.code != 0 || counts.Counts.Exported != keys {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("sessions do not close", func(t *testing.T) { // the files stand: they are told
		const generalError = "0x5"
		if _, r, counts := run(t, "error:C_CloseSession:"+generalError); r.code != 1 || counts.Counts.Exported != keys || !strings.Contains(r.stderr, "C_CloseSession") {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
	t.Run("pulled", func(t *testing.T) {
		const deviceRemoved = "0x32"
		p, r, counts := run(t, "error:C_WrapKey@5:"+deviceRemoved)
		if r.code != 5 || counts.Counts.Failed < keys/2 || counts.Counts.Exported+counts.Counts.Failed != keys {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
		for _, failed := range counts.Failed {
			if failed.Error != "C_WrapKey: CKR_DEVICE_REMOVED" {
				t.Errorf("it failed with %q", failed.Error)
			}
		}
		files, records, _ := p.backups(t)
		if len(files) != counts.Counts.Exported || len(records) != len(files) {
			t.Errorf("%d files and %d records for %d exports", len(files), len(records), counts.Counts.Exported)
		}
	})
	t.Run("one refuses", func(t *testing.T) {
		const notWrappable = "0x69"
		if _, r, counts := run(t, "error:C_WrapKey@3:"+notWrappable); r.code != 0 || counts.Counts.Exported != keys-1 || counts.Counts.Refused != 1 {
			t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
		}
	})
}

// TestExportAllOutlivesCrash has the module take its process along: what was written is whole, and nothing unfinished is left.
func TestExportAllOutlivesCrash(t *testing.T) {
	t.Parallel()
	p := newPlace(t, manyKeys(12))
	p.environment = append(p.environment, "P11BRIDGE_MODULE="+faultyModule(t), "P11FAULT=crash:C_WrapKey@5")
	r := p11bridge(t, p.environment, p.exportAll("--iterations", "2000")...)
	if r.code != 1 || !strings.Contains(r.stderr, "crashed (SIGSEGV)") { // the other worker's call may be named, which was longer under way
		t.Errorf("exit code %d\n%s", r.code, r.stderr)
	}
	if _, _, drafts := p.backups(t); len(drafts) > 0 {
		t.Errorf("the parent left %q", drafts)
	}
	p.whole(t)
}
