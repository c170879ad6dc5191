package softhsmtests

import (
	"fmt"
	"path/filepath"
	"testing"
)

// TestSoftHSMMethod is about SoftHSM2 2.6, which lists CKM_AES_CBC_PAD for encryption and not for wrapping, and 2.7, which lists it
// for both. Where the token cannot shroud, the verdict and the export say wrap, and who insists on shroud is refused with the
// token's own answer. Where it can, they say shroud, and whoever wants the key wrapped gets it wrapped.
func TestSoftHSMMethod(t *testing.T) {
	t.Parallel()
	directory := t.TempDir()
	place := filepath.Join(directory, "token")
	specimens := write(t, directory, "specimens", []byte(`label="rsa" id=01 key=rsa2048 policy=wrappable certificate=valid
label="ec" id=02 key=p256 policy=wrappable certificate=valid
label="readable" id=03 key=p256 policy=readable certificate=valid
`))
	if err := runMktoken(specimens, place); err != nil {
		t.Fatal(err)
	}
	password := write(t, directory, "password.txt", []byte(testPassword+"\n"))
	args := func(command string, more ...string) []string {
		return append([]string{command, "--module", softHSM(t), "--token", "test", "--json", "--pin-source", "file:" + filepath.Join(place, "pin.txt")}, more...)
	}
	environment := []string{"SOFTHSM2_CONF=" + filepath.Join(place, "softhsm2.conf")}
	ability := softHSMCan(t)
	method, mechanism, proof := ability.method()
	listed := p11bridge(t, environment, args("list")...)
	for _, label := range []string{"rsa", "ec", "readable"} {
		t.Run(label, func(t *testing.T) {
			v := listed.identity(t, label).Verdict
			if !v.Exportable || v.Method != method || v.Mechanism != mechanism || v.Reasons[0].Code != "exportable-by-"+method {
				t.Errorf("the verdict is %+v", v)
			}
			export := func(name string, more ...string) (string, *result) {
				file := filepath.Join(directory, label+name+".pfx")
				return file, p11bridge(t, environment, args("export", append([]string{label, "-o", file, "--iterations", "1000", "--password-source", "file:" + password}, more...)...)...)
			}
			file, r := export("")
			r.exported(t, method, proof)
			if r.document.Mechanism != mechanism {
				t.Errorf("the mechanism is %s", r.document.Mechanism)
			}
			if err := opensslOpens(file, password, false); err != nil {
				t.Error(err)
			}
			for i, insists := range [][]string{{"--require-shroud"}, {"--method", "shroud"}, {"--require-shroud", "--profile", "pbmac1"}} {
				if ability.shrouds {
					file, r := export(fmt.Sprintf("-shroud-%d", i), insists...)
					r.exported(t, "shroud", proof)
					if verified := p11bridge(t, environment, "verify", file, "--password-source", "file:"+password, "--json"); verified.code != 0 {
						t.Errorf("verify: exit code %d\n%s", verified.code, verified.stdout)
					}
					continue
				}
				file, r := export("-shroud", insists...)
				r.methodRefused(t, file)
				if answers, _ := r.document.Reasons[0].Evidence["answers"].([]any); len(answers) != 1 || answers[0] != "CKM_AES_CBC_PAD: C_WrapKey: CKR_MECHANISM_INVALID" {
					t.Errorf("the evidence is %v", r.document.Reasons[0].Evidence)
				}
			}
			file, r = export("-wrap", "--method", "wrap")
			r.exported(t, "wrap", "independent-reader")
			if err := opensslOpens(file, password, false); err != nil {
				t.Error(err)
			}
		})
	}
}
