package softhsmtests

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// TestThirdPartyIsWhole: every module that is linked in, on Linux or on Windows, stands in THIRD_PARTY with its version. scripts/third-party writes it.
func TestThirdPartyIsWhole(t *testing.T) {
	modules := map[string]bool{}
	for _, system := range []string{"linux", "windows"} {
		list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}}{{end}}{{end}}", "./cmd/p11bridge")
		list.Dir, list.Env = "..", append(os.Environ(), "GOOS="+system, "CGO_ENABLED=1")
		output, err := list.Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, module := range strings.Split(strings.TrimSpace(string(output)), "\n") {
			modules[module] = true
		}
	}
	delete(modules, "")
	text := string(mustRead(t, "../THIRD_PARTY"))
	if len(modules) < 8 {
		t.Fatalf("only %d modules", len(modules))
	}
	for module := range modules {
		if !strings.Contains(text, "\n"+module+"\n") {
			t.Errorf("THIRD_PARTY lacks %s: run scripts/third-party", module)
		}
	}
}
