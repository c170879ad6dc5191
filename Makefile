# `make demo` shows what p11bridge does, `make test` proves it. Both install the Debian packages that they need.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := build

GO ?= go
# INSTALL=: leaves the packages alone.
INSTALL ?= scripts/install-packages
FUZZTIME ?= 20s
KEEP ?= 0

# The version comes from git, where there is a git that can read this repository.
VCS := $(shell git rev-parse --verify HEAD >/dev/null 2>&1 && echo true || echo false)

# PKCS#11 modules are C libraries.
export CGO_ENABLED := 1
# Go overwrites what a private key left behind in memory (runtime/secret, Linux on amd64 and arm64). A build without it works.
export GOEXPERIMENT := runtimesecret
# What one target, or one copy of the sources, has compiled, the next one uses.
export GOFLAGS ?= -trimpath

DEMO_PACKAGES := softhsm2
# libnss3-tools brings libsoftokn3, opensc pkcs11-tool; the third and the fourth line are a TPM 2.0 in software, behind tpm2-pkcs11.
TEST_PACKAGES := softhsm2 opensc opensc-pkcs11 libnss3-tools gnutls-bin openssl p11-kit p11-kit-modules \
	openjdk-17-jre-headless|default-jre-headless gcc libc6-dev \
	zsh fish swtpm tpm2-abrmd tpm2-tools libtpm2-pkcs11-1 libtpm2-pkcs11-tools dbus-daemon \
	libtss2-tcti-swtpm0|libtss2-tcti-swtpm0t64 libtss2-tcti-tabrmd0 \
	opencryptoki mount openssh-client
# A browser and pdftotext look at the HTML pages; Slurm and GNU parallel run several workers; gnome-keyring has tokens of its own; from gpgsm on, programs that take PFX files; xca is compared with; the last line is for arm64.
LONG_PACKAGES := $(TEST_PACKAGES) chromium poppler-utils xca slurm-wlm munge parallel gnome-keyring gnome-keyring-pkcs11 \
	gpgsm gpg-agent curl openvpn strongswan-pki libstrongswan-standard-plugins nginx python3-cryptography \
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user debian-archive-keyring
# What builds the program for Windows, and runs it.
WINDOWS_PACKAGES := $(TEST_PACKAGES) gcc-mingw-w64-x86-64 wine wine64
BENCH_PACKAGES := softhsm2 opensc opensc-pkcs11 libnss3-tools openssl time gcc libc6-dev

# `go test`, run so that a skipped test fails, and with what it printed kept short. `make lint` has what go vet says, and nobody
# debugs these test binaries, which are linked faster without what a debugger reads.
TESTED := CI=true $(GO) test -json -count=1 -vet=off -ldflags='-s -w' -timeout 45m

.PHONY: build demo test test-long test-windows test-windows-sample sweep mutants packages lint bench bench-quick fuzz clean help toolchain namespaces

build: toolchain ## Build bin/p11bridge
	$(GO) build -trimpath -buildvcs=$(VCS) -o bin/p11bridge ./cmd/p11bridge

demo: ## Make a throw-away SoftHSM2 token and do the main job on it
	$(INSTALL) $(DEMO_PACKAGES)
	$(MAKE) --no-print-directory build
	bin/p11bridge demo
	@echo 'To have p11bridge at hand in this shell:'
	@echo 'export PATH="$(CURDIR)/bin:$$PATH"'

# The program lives for a tenth of a second, a sixth of which its collector of garbage takes otherwise. make test-long runs it as it is.
test: export GOGC := 400
test: toolchain build/testreport ## Run the tests; a skipped one is a failure
	$(INSTALL) $(foreach package,$(TEST_PACKAGES),'$(package)')
	$(MAKE) --no-print-directory namespaces
	$(GO) test -C tools ./...
	$(TESTED) -parallel 6 -skip 'Long$$' ./... | build/testreport

test-long: toolchain packages namespaces build/testreport ## Run the tests that take minutes: many kills, a browser, the memory of processes
	$(TESTED) -parallel 4 -run 'Long$$' ./... | build/testreport

test-windows: toolchain build/testreport ## Build the program for Windows and run the scripts on it under wine
	$(INSTALL) $(foreach package,$(WINDOWS_PACKAGES),'$(package)')
	$(TESTED) -tags wine -parallel 4 -run '^TestWindows' -skip '$(SKIP)' ./softhsm-tests | build/testreport

test-windows-sample: ## Some of its scripts, faults and rows: what .ci/run has time for
	$(MAKE) --no-print-directory test-windows SKIP='Long$$'

mutants: export GOGC := 400
mutants: toolchain ## Break the lines that decide, one at a time: a test has to notice each
	mkdir -p build
	$(GO) build -C tools -o ../build/mutants ./mutants
	build/mutants tools/mutants/list.txt

packages: ## Install the Debian packages that all tests need
	$(INSTALL) $(foreach package,$(LONG_PACKAGES),'$(package)')

build/testreport: $(wildcard tools/testreport/*.go)
	mkdir -p build
	$(GO) build -C tools -o ../build/testreport ./testreport

sweep: toolchain packages ## Fail every PKCS#11 call and every system call of every command, and look for lost keys
	SWEEP=full $(GO) test -count=1 -timeout 120m -v -run '^TestSweep$$' ./softhsm-tests

# What needs no PKCS#11 module and no C compiler keeps building for systems on which the program does not run yet.
PURE_PACKAGES := ./token/secret ./token/keywrap ./token/foreign ./bridge/pfx/...

lint: toolchain ## gofmt, go vet, staticcheck, the modules, and known vulnerabilities
	unformatted=$$(gofmt -l .); if [[ $$unformatted ]]; then echo "gofmt -w is needed for:"; echo "$$unformatted"; exit 1; fi
	$(GO) mod tidy -diff
	$(GO) mod verify
	$(GO) mod tidy -C tools -diff
	$(GO) mod verify -C tools
	$(GO) mod tidy -C packaging/dist -diff
	$(GO) vet ./...
	$(GO) vet -C tools ./...
	$(GO) vet -C packaging/dist ./...
	$(GO) tool -modfile=tools/go.mod staticcheck ./...
	GO='$(GO)' scripts/govulncheck
	GOEXPERIMENT= GOOS=darwin CGO_ENABLED=0 $(GO) vet $(PURE_PACKAGES) ./token/pki
	GOEXPERIMENT= GOOS=windows CGO_ENABLED=0 $(GO) vet $(PURE_PACKAGES) ./cmd/terminal
	GOEXPERIMENT= GOOS=windows CGO_ENABLED=0 $(GO) build ./token/pki ./cmd/messages
	$(GO) vet -tags wine ./softhsm-tests

bench: ## Measure against pkcs11-tool and openssl, as ratios
	$(INSTALL) $(BENCH_PACKAGES)
	$(MAKE) --no-print-directory build
	mkdir -p build
	$(GO) build -o build/bench ./scripts/bench
	build/bench $(BENCH) bin/p11bridge

bench-quick: ## The same in about a minute, on a smaller token and with fewer runs
	$(MAKE) --no-print-directory bench BENCH=-quick

fuzz: toolchain ## Run every fuzz target for FUZZTIME (20s); KEEP=N makes N interesting inputs of each a seed
	mkdir -p build
	$(GO) build -C tools -o ../build/fuzz ./fuzz
	build/fuzz -time $(FUZZTIME) -keep $(KEEP) .

clean: ## Remove what was built
	rm -rf bin build

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)$$/make \1\t\2/' | expand -t 14

# A missing compiler shows otherwise as an error about cgo that nobody understands.
toolchain:
	@[[ -e /proc/self/exe ]] || { echo "/proc is not mounted, and Go needs it: mount -t proc proc /proc"; exit 1; }
	@command -v $(GO) >/dev/null || { echo "Go is missing: https://go.dev/doc/install (1.26 or later)"; exit 1; }
	@command -v "$$($(GO) env CC | cut -d' ' -f1)" >/dev/null || { echo "The C compiler is missing (Debian: apt install gcc libc6-dev)"; exit 1; }

# Some tests mount what only they see, or are root among themselves.
namespaces:
	@unshare --user --map-root-user --mount true 2>/dev/null || { echo "The tests need user namespaces, which this machine forbids: \
	allow them (sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0; docker run --privileged)"; exit 1; }

# The packages, and their tests. prometheus brings promtool, rpm reads what no dpkg does, groff-base the man pages; documents go into postgresql.
DIST_PACKAGES := softhsm2 binutils groff-base gcc libc6-dev xz-utils zip gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-mingw-w64-x86-64
DIST_TEST_PACKAGES := $(DIST_PACKAGES) rpm prometheus systemd opensc mmdebstrap debian-archive-keyring postgresql

.PHONY: dist test-dist

dist: toolchain ## Make the packages in build/dist: .deb, .rpm, archives for Linux (amd64, arm64) and Windows, SBOMs
	$(INSTALL) $(DIST_PACKAGES)
	GO='$(GO)' scripts/packages

test-dist: toolchain ## Make the packages, make them again, install them in a minimal Debian (as root)
	$(INSTALL) $(DIST_TEST_PACKAGES)
	CI=true $(GO) test -C packaging/dist -count=1 -timeout 45m -v ./...
