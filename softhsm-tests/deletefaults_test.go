package softhsmtests

import (
	"bytes"
	"context"
	"errors"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestDeleteCommandFaults has the token fail, or lie, while a key is destroyed. What is said of the key is true.
func TestDeleteCommandFaults(t *testing.T) {
	t.Parallel()
	for _, row := range sampled(t, 3, []struct {
		name, faults string
		code         int
		there        bool // the key is still on the token
		says         string
	}{
		{"does nothing", "destroy-lies", 1, true, "STILL ON THE TOKEN"},
		{"refuses", "error:C_DestroyObject:0x1B", 1, true, "STILL ON THE TOKEN"},
		{"destroys and says no", "after:C_DestroyObject:0x5", 1, false, "is not known: C_DestroyObject"},
		{"is pulled", "pulled:C_DestroyObject:0x32", 1, false, "is not known"},
		{"is write-protected", "flags:+0x2", 1, true, "write-protected"},
		{"will not sign", "error:C_SignInit:0x54", 5, true, "C_SignInit with"},
		{"does not end a search", "error:C_FindObjectsFinal@2:0x70", 1, true, "C_FindObjectsFinal"},
		{"is sound", "no-wrap", 0, false, "no longer on the token"},
	}) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, "")
			file := r.single(t, "alice")
			if got := r.run(t, "", "restore", file, "--token", "test", "--json"); got.code != 0 {
				t.Fatal(got.stderr)
			}
			got := r.run(t, row.faults, "delete", "alice", "--copy", file, "--allow-volatile")
			if got.code != row.code || !strings.Contains(got.stdout+got.stderr, row.says) {
				t.Errorf("exit code %d instead of %d, or %q is not said", got.code, row.code, row.says)
			}
			if there := strings.Contains(r.objects(t), `"private_key":{`); there != row.there {
				t.Errorf("the key is there: %v", there)
			}
			if asked := strings.Contains(row.faults, "stroy"); asked && !namedKey.MatchString(got.stderr) {
				t.Error("it is not said which key")
			}
			if t.Failed() {
				t.Logf("[stdout]\n%s[stderr]\n%s[objects]\n%s", got.stdout, got.stderr, r.objects(t))
			}
		})
	}
}

// TestDeleteCommandFaultsLong has the other faults.
func TestDeleteCommandFaultsLong(t *testing.T) { TestDeleteCommandFaults(t) }

// namedKey is the key that a token was asked to destroy, as the text has it.
var namedKey = regexp.MustCompile(`private key pkcs11:token=test;\S*object=alice;type=private`)

const deletable = `label="alice" id=01 key=p256 policy=wrappable certificate=valid`

// TestDeleteFaults has the token fail while the key is to be destroyed. The file is a valid copy each time, and what is known
// of the key is told.
func TestDeleteFaults(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, faults, says string
		stays              bool
	}{
		{"destroy lies", "destroy-lies", "STILL ON THE TOKEN", true},
		{"destroy refused", "error:C_DestroyObject@2:0x1B", "STILL ON THE TOKEN", true}, // CKR_ACTION_PROHIBITED; the first was the one-time key
		{"destroyed and says no", "after:C_DestroyObject@2:0x5", "is not known: C_DestroyObject", false},
		{"no second session", "error:C_OpenSession@3:0xB1", "Nothing was done to the key", true}, // the second asks the key whose it is
		{"no proof of the key", "error:C_SignInit:0x5", "Nothing was done to the key", true},
		{"crash in the middle", "crash:C_DestroyObject@2", "C_DestroyObject", true}, // by then the file has its name
		{"write-protected", "flags:+0x2", "", true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := newRestorable(t, deletable)
			file := r.path("alice.pfx")
			got := r.run(t, row.faults, "export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json")
			if got.code != 1 || !strings.Contains(got.stderr, row.says) {
				t.Errorf("exit code %d", got.code)
			}
			if there := r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey != nil; there != row.stays {
				t.Errorf("the key is there: %v", there)
			}
			if asked := strings.Contains(row.says, "is not known") || strings.HasPrefix(row.says, "STILL"); asked && !namedKey.MatchString(got.stderr) {
				t.Error("it is not said which key")
			}
			if row.says != "" {
				if err := opensslOpens(file, r.path("password.txt"), false); err != nil {
					t.Error(err)
				}
			} else {
				absent(t, file)
			}
			if t.Failed() {
				t.Logf("[stdout]\n%s[stderr]\n%s", got.stdout, got.stderr)
			}
		})
	}
}

// TestDeleteUnproven has a token that shrouds and will neither unwrap nor sign. A file that nobody could prove costs no key.
func TestDeleteUnproven(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	got := r.run(t, "cbc-pad,error:C_UnwrapKey:0x54", "export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000", "--require-shroud", "--delete-key", "--allow-volatile", "--yes", "--json")
	if got.code != 5 || got.document.Proof != "structure" || !strings.Contains(got.stderr, "The key was not destroyed") {
		t.Errorf("exit code %d, proof %q\n%s%s", got.code, got.document.Proof, got.stdout, got.stderr)
	}
	if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey == nil {
		t.Error("the key is gone")
	}
}

// TestDeleteNotShown has a token with which the key cannot show itself. The copy is there and the key stays: that is done in part, and no failure.
func TestDeleteNotShown(t *testing.T) {
	t.Parallel()
	r := newRestorable(t, deletable)
	got := r.run(t, "error:C_SignInit:0x70", "export", "alice", "-o", r.path("alice.pfx"), "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes")
	if got.code != 5 || !strings.Contains(got.stderr, "Nothing was done to the key") || !strings.Contains(got.stderr, "CKR_MECHANISM_INVALID") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if err := opensslOpens(r.path("alice.pfx"), r.path("password.txt"), false); err != nil {
		t.Error(err)
	}
	if r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey == nil {
		t.Error("the key is gone")
	}
}

// TestDeleteTampered puts another file in the place of the proven one, before the key is destroyed. C_OpenSession of the second
// session comes after the file was proven anew, so the file is exchanged as soon as it has its name.
func TestDeleteTampered(t *testing.T) {
	t.Parallel()
	tampered := 0
	for range 150 {
		r := newRestorable(t, deletable)
		file := r.path("alice.pfx")
		stop := make(chan struct{})
		done := make(chan bool)
		go func() {
			for {
				select {
				case <-stop:
					done <- false
					return
				default:
				}
				if _, err := os.Lstat(file); err == nil {
					done <- os.WriteFile(file, []byte("not a PFX"), 0o600) == nil
					return
				}
			}
		}()
		got := r.run(t, "", "export", "alice", "-o", file, "--iterations", "1000", "--delete-key", "--allow-volatile", "--yes", "--json")
		close(stop)
		exchanged := <-done
		there := r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey != nil
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if exchanged && got.code == 1 {
			tampered++
		}
		if bytes.Equal(text, []byte("not a PFX")) && got.code == 1 && !there {
			t.Errorf("the key is gone, and the file with it: exit code %d\n%s", got.code, got.stderr)
		}
		// It was exchanged before the last look at the file, or already when it had just got its name.
		if got.code == 1 && !strings.Contains(got.stderr, "Nothing was done to the key") && !strings.Contains(got.stderr, "right after it got its name") {
			t.Errorf("exit code %d\n%s", got.code, got.stderr)
		}
		if tampered > 0 {
			return
		}
	}
	t.Error("the file was never exchanged in time")
}

// killExport kills an export that deletes at a moment within the time that a whole one takes, or shortly after the file was placed:
// there it matters most. It gives how long the export was let run at the last, and whether it still ran.
func (r *restorable) killExport(t *testing.T, file string, whole time.Duration, afterPlacing bool) (delay time.Duration, struck bool) {
	t.Helper()
	environment, args := r.args(t, "", "export", "alice", "-o", file, "--iterations", "50000", "--delete-key", "--allow-volatile", "--yes")
	ctx, cancel := context.WithDeadline(t.Context(), lastMoment())
	defer cancel()
	command := product(ctx, environment, args...)
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	delay = time.Duration(mathrand.Int64N(int64(whole * 11 / 10)))
	if afterPlacing {
		for time.Now().Before(lastMoment()) {
			if _, err := os.Lstat(file); err == nil {
				break
			}
		}
		delay = time.Duration(mathrand.Int64N(int64(60 * time.Millisecond)))
	}
	time.Sleep(delay)
	if err := syscall.Kill(-command.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := command.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return delay, command.ProcessState.ExitCode() == -1
}

// TestDeleteKilledLong kills the program, parent and child, at any moment. There is always the key or a valid copy. TestDeleteAllKilled kills it a
// few times.
func TestDeleteKilledLong(t *testing.T) {
	t.Parallel()
	const kills = 20
	rehearsal := newRestorable(t, deletable)
	start := time.Now()
	if got := rehearsal.run(t, "", "export", "alice", "-o", rehearsal.path("alice.pfx"), "--iterations", "50000", "--delete-key", "--allow-volatile", "--yes"); got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	whole := time.Since(start)
	var withKey, withCopy, withBoth int
	for i := range kills {
		r := newRestorable(t, deletable)
		file := r.path("alice.pfx")
		mend := tokenMender(t, r.directory)
		delay, struck := r.killExport(t, file, whole, i%2 == 1)
		if !struck && i%2 == 0 {
			whole = whole * 2 / 3 // machines are not always equally slow
		}
		mend(t)
		there := r.run(t, "", "list", "--json").identity(t, "alice").PrivateKey != nil
		_, err := os.Lstat(file)
		written := err == nil
		if written {
			if err := opensslOpens(file, r.path("password.txt"), false); err != nil {
				t.Errorf("killed after %s: a file under the final name that is no copy: %v", delay, err)
			}
		}
		if !there && !written {
			t.Errorf("killed after %s: neither the key nor a copy is left", delay)
		}
		if there {
			withKey++
		}
		if written {
			withCopy++
		}
		if there && written {
			withBoth++
		}
	}
	t.Logf("of %d runs killed within %s: %d times the key was there, %d times a copy, %d times both", kills, whole, withKey, withCopy, withBoth)
	if withKey == 0 || withCopy == 0 {
		t.Errorf("all kills came at the same stage: %d times the key, %d times a copy", withKey, withCopy)
	}
}
