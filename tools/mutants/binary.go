package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// endToEnd is the package whose tests try the program, which they build from the tree that they stand in. Their own test binary, built
// of the tree as it is, runs them on every mutation: to build it anew takes longer than most tests.
const endToEnd = "./softhsm-tests"

// compile builds the test binary of each package of the tree as it is, and gives their paths.
func (t *tree) compile(ctx context.Context, tests []test) (map[string]string, error) {
	binaries := map[string]string{}
	for _, which := range tests {
		if binaries[which.pkg] != "" {
			continue
		}
		binary := filepath.Join(t.directory, strings.ReplaceAll(which.pkg, "/", "_")+".test")
		command := exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-o", binary, which.pkg)
		command.Dir, command.Env = t.directory, environment()
		if out, err := command.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w\n%s", command, err, out)
		}
		binaries[which.pkg] = binary
	}
	return binaries, nil
}

// environment has the trees share what is compiled, by what a test builds, too.
func environment() []string { return append(os.Environ(), "GOFLAGS=-trimpath "+os.Getenv("GOFLAGS")) }
