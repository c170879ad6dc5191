package softhsmtests

import (
	"crypto"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// sweptCommand is a command line of the sweep, and what its exit code 0 promises.
type sweptCommand struct {
	name   string
	scene  string
	faults string // of the module, beside the one that is swept: what the token is like
	args   []string
	reads  bool                  // changes nothing: with exit code 0 it says what it says without a fault, or names what failed
	makes  bool                  // puts objects on the token
	leaves bool                  // takes keys off the token
	does   func(a *after) string // what was promised and is not there
}

func exportTo(file, label string, more ...string) []string {
	return append([]string{"export", label, "-o", file, passwordArgument, fewIterations}, more...)
}

// sweptCommands are all commands that call a module.
func sweptCommands() []sweptCommand {
	const shroud, noUnwrap = "cbc-pad", "error:C_UnwrapKey:0x54"
	all := []string{"export", "--all", "--dir", "new", passwordArgument, fewIterations}
	everything := []string{"Schwertlilie", "Akelei", "Lavendel"}
	restore := func(label string, more ...string) []string {
		return append([]string{"restore", "copies/" + label + ".pfx", passwordArgument}, more...)
	}
	return []sweptCommand{
		{name: "list", scene: "full", args: []string{"list"}, reads: true},
		{name: "diagnose", scene: "full", args: []string{"diagnose"}, reads: true},
		{name: "diagnose --probe", scene: "full", args: []string{"diagnose", "Akelei", "--probe"}, reads: true},
		{name: "snapshot", scene: "full", args: []string{"snapshot", "-o", "snapshot.json"}, does: written("snapshot.json")},
		{name: "status", scene: "full", args: []string{"status", "--dir", "backups"}, reads: true},
		{name: "verify --against RSA", scene: "full", args: []string{"verify", "copies/Schwertlilie.pfx", passwordArgument, "--against", "Schwertlilie"}, reads: true},
		{name: "verify --against EC", scene: "full", args: []string{"verify", "copies/Akelei.pfx", passwordArgument, "--against", "Akelei"}, reads: true},
		{name: "export wrap RSA", scene: "alone", args: exportTo("new.pfx", "Schwertlilie"), does: copied("Schwertlilie")},
		{name: "export wrap EC", scene: "alone", args: exportTo("new.pfx", "Akelei"), does: copied("Akelei")},
		{name: "export attributes", scene: "alone", args: exportTo("new.pfx", "Lavendel", "--method=attributes"), does: copied("Lavendel")},
		{name: "export shroud RSA", scene: "alone", faults: shroud, args: exportTo("new.pfx", "Schwertlilie", "--require-shroud"), does: copied("Schwertlilie")},
		{name: "export shroud EC", scene: "alone", faults: shroud, args: exportTo("new.pfx", "Akelei"), does: copied("Akelei")},
		{name: "export --certificate-only", scene: "alone", args: []string{"export", "Akelei", "--certificate-only", "-o", "new.cer"}, does: written("new.cer")},
		{name: "export --all", scene: "alone", args: all, does: copied(everything...)},
		{name: "export --delete-key RSA", scene: "alone", args: exportTo("new.pfx", "Schwertlilie", "--delete-key", "--allow-volatile", "--yes"), leaves: true, does: moved("Schwertlilie")},
		{name: "export --delete-key EC", scene: "alone", args: exportTo("new.pfx", "Akelei", "--delete-key", "--allow-volatile", "--yes"), leaves: true, does: moved("Akelei")},
		{name: "export --delete-key shroud", scene: "alone", faults: shroud, args: exportTo("new.pfx", "Akelei", "--delete-key", "--allow-volatile", "--yes"), leaves: true, does: moved("Akelei")},
		{name: "export --all --delete-key", scene: "alone", args: append(slices.Clone(all), "--delete-key", "--allow-volatile", "--yes"), leaves: true, does: moved(everything...)},
		{name: "restore unwrap RSA", scene: "empty", args: restore("Schwertlilie"), makes: true, does: restored("Schwertlilie")},
		{name: "restore unwrap EC", scene: "missing", args: restore("Akelei", "--exportable"), makes: true, does: restored("Akelei")},
		{name: "restore create RSA", scene: "empty", faults: noUnwrap, args: restore("Schwertlilie", "--exportable"), makes: true, does: restored("Schwertlilie")},
		{name: "restore create EC", scene: "missing", faults: noUnwrap, args: restore("Akelei"), makes: true, does: restored("Akelei")},
		{name: "restore shroud RSA", scene: "empty", faults: shroud, args: restore("Schwertlilie"), makes: true, does: restored("Schwertlilie")},
		{name: "request", scene: "full", args: []string{"request", "Akelei", "-o", "new.csr"}, makes: true, does: requested},
		{name: "request --same-key", scene: "full", args: []string{"request", "Akelei", "--same-key", "-o", "new.csr"}, makes: true, does: requested},
		{name: "install", scene: "asked", args: []string{"install", "issued.pem"}, makes: true, does: installed},
		{name: "delete", scene: "full", args: []string{"delete", "Akelei", "--copy", "copies/Akelei.pfx", "--allow-volatile", passwordArgument, "--yes"}, leaves: true, does: offToken("Akelei")},
	}
}

// sampled are those whose faults a sample is taken of: where it is a small one, one in three, and others each time.
func (s *stage) sampled() []sweptCommand {
	all := s.commands()
	if s.oneOf == 1 || os.Getenv("SWEEP")+os.Getenv("SWEEP_COMMAND")+os.Getenv("SWEEP_FAULT") != "" {
		return all
	}
	var some []sweptCommand
	s.samples++
	for i := s.samples % 3; i < len(all); i += 3 {
		some = append(some, all[i])
	}
	return some
}

// commands are those that the product has, and that SWEEP_COMMAND lets through.
func (s *stage) commands() (commands []sweptCommand) {
	for _, c := range sweptCommands() {
		help := s.run(s.directory, nil, c.args[0], "--help")
		if help.code != 0 || !strings.Contains(help.stdout, "p11bridge "+c.args[0]) || !strings.HasPrefix(c.name, os.Getenv("SWEEP_COMMAND")) {
			continue
		}
		// The scenes are in memory, which is no place for an only copy.
		if volatile := "--allow-volatile"; slices.Contains(c.args, "--delete-key") && strings.Contains(help.stdout, volatile) {
			c.args = append(c.args, volatile)
		}
		commands = append(commands, c)
	}
	return commands
}

func written(name string) func(*after) string {
	return func(a *after) string {
		if len(a.files[name]) == 0 {
			return name + " is not there"
		}
		return ""
	}
}

// copied wants each key in a new PFX.
func copied(labels ...string) func(*after) string {
	return func(a *after) string {
		for _, label := range labels {
			if !slices.Contains(a.newCopies(), label) {
				return "there is no copy of " + label
			}
		}
		return ""
	}
}

// newCopies are the labels of the keys that openssl finds in the run's own files.
func (a *after) newCopies() (labels []string) {
	for name := range a.files {
		if _, there := a.scene.files[name]; there || filepath.Ext(name) != ".pfx" {
			continue
		}
		opened, err := openPFX(filepath.Join(a.directory, name), filepath.Join(a.directory, "password.txt"))
		if err != nil {
			continue
		}
		for label, key := range a.stage.keys {
			if samePublic(opened.key.Public(), key.Public()) {
				labels = append(labels, label)
			}
		}
	}
	return labels
}

// moved wants each key in a new PFX and not on the token.
func moved(labels ...string) func(*after) string {
	return func(a *after) string {
		if missing := copied(labels...)(a); missing != "" {
			return missing
		}
		return offToken(labels...)(a)
	}
}

func offToken(labels ...string) func(*after) string {
	return func(a *after) string {
		for _, label := range labels {
			if held(a.objects, a.public(label)) {
				return label + " is still on the token"
			}
		}
		return ""
	}
}

func (a *after) public(label string) crypto.PublicKey { return a.stage.keys[label].Public() }

// restored wants the key on the token once, and its certificate.
func restored(label string) func(*after) string {
	return func(a *after) string {
		keys, certificates := 0, 0
		for _, o := range a.objects {
			if o.isPrivate(a.public(label)) {
				keys++
			}
			if o.class == "certificate" && o.label == label {
				certificates++
			}
		}
		if keys != 1 || certificates != 1 {
			return label + " is on the token a wrong number of times"
		}
		return ""
	}
}

// requested wants a request that openssl verifies.
func requested(a *after) string {
	if _, there := a.files["new.csr"]; !there {
		return "there is no request"
	}
	if _, err := openssl("", "req", "-in", filepath.Join(a.directory, "new.csr"), "-noout", "-verify"); err != nil {
		return err.Error()
	}
	return ""
}

// installed wants the issued certificate on the token, once.
func installed(a *after) string {
	added := a.added()
	if len(added) != 1 || added[0].class != "certificate" {
		return "the certificate is not the one object that was added"
	}
	return ""
}
