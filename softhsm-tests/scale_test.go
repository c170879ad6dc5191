package softhsmtests

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestScaleDocumentLong runs what docs/scale.md has for GNU parallel, for Slurm and for a Kubernetes job as it stands there, with another token,
// directory and secrets: the line and the script by those programs, the container's command by a shell that is given each index in turn.
func TestScaleDocumentLong(t *testing.T) {
	t.Parallel()
	const keys, shares = 6, 16
	p := newPlace(t, manyKeys(keys))
	taken := func(what, pattern string) string { return scaleExample(t, p, what, pattern) }
	shell := func(line string, more ...string) bool {
		command := exec.CommandContext(t.Context(), "sh", "-c", line)
		command.Env = append(append(os.Environ(), p.environment...), more...)
		out, err := command.CombinedOutput()
		if err != nil { // SoftHSM2 gives half a file to whoever logs in while another process does
			t.Logf("%s: %v\n%s", line, err, out)
		}
		return err == nil
	}
	everyKey := func(t *testing.T, work func() bool) {
		if err := os.RemoveAll(p.path("backups")); err != nil {
			t.Fatal(err)
		}
		for tries := 0; !work(); tries++ {
			if tries == 20 {
				t.Fatal("the work is never done")
			}
		}
		if files, records, drafts := p.backups(t); len(files) != keys || len(records) != keys || len(drafts) != 0 {
			t.Errorf("%d files, %d records and the drafts %q for %d keys", len(files), len(records), drafts, keys)
		}
		p.completes(t, keys)
	}
	t.Run("parallel", func(t *testing.T) {
		line := taken("line for GNU parallel", `\n(seq 16 \| parallel -j 4 .*)\n`)
		everyKey(t, func() bool { return shell(line, "HOME="+t.TempDir()) })
	})
	t.Run("kubernetes", func(t *testing.T) {
		folded := taken("command for a container", `\n {10}args:\n {12}- ((?:.*\n {14})*.*)\n`)
		line := strings.Join(strings.Fields(folded), " ")
		everyKey(t, func() bool {
			for index := range shares {
				if !shell(line, "JOB_COMPLETION_INDEX="+strconv.Itoa(index)) {
					return false
				}
			}
			return true
		})
	})
	t.Run("slurm", func(t *testing.T) {
		s := newSlurm(t, p.environment)
		s.write(t, "export.sh", taken("script for Slurm", "```sh\n(#!/bin/sh\n(?:.*\n)*?)```"))
		everyKey(t, func() bool {
			job := s.run(t, "sbatch", "--parsable", "export.sh")
			until(t, "the array ends", func() bool { return s.run(t, "squeue", "--noheader", "--jobs="+job) == "" })
			outputs, err := filepath.Glob(filepath.Join(s.directory, "slurm-"+job+"_*.out"))
			files, _, _ := p.backups(t)
			return err == nil && len(outputs) == shares && len(files) == keys
		})
	})
}

// scaleExample is what docs/scale.md shows, for the token and the folder of the test.
func scaleExample(t *testing.T, p *place, what, pattern string) string {
	t.Helper()
	here := strings.NewReplacer("--dir /shared/backups", "--dir '"+p.path("backups")+"'", "--dir /backups", "--dir '"+p.path("backups")+"'",
		"file:pin.txt", p.pin, "file:password.txt", p.password, `file:"$HOME/pin.txt"`, p.pin, `file:"$HOME/password.txt"`, p.password, "file:/secrets/pin", p.pin, "file:/secrets/password", p.password,
		"--module /usr/lib/your-hsm/libpkcs11.so", "--module "+softHSM(t), "--token production", "--token test")
	found := regexp.MustCompile(pattern).FindStringSubmatch(string(mustRead(t, "../docs/scale.md")))
	if found == nil {
		t.Fatalf("docs/scale.md has no %s", what)
	}
	return here.Replace(found[1])
}
