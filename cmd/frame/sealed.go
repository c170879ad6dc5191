package frame

import (
	"context"
	"crypto"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"p11bridge/bridge"
	"p11bridge/bridge/archive"
	"p11bridge/bridge/seal"
	"p11bridge/cmd/messages"
	"p11bridge/token"
	"p11bridge/token/foreign"
	"p11bridge/token/pki"
	"p11bridge/token/secret"
)

// sealedKind is the source of a password that was sealed: "sealed:FILE", or "sealed" for the one beside each PFX file.
const sealedKind = "sealed"

// maxKeyFile bounds what is read as a key to sealed passwords, or as a recipient, in bytes.
const maxKeyFile = 1 << 20

// unsealing opens sealed passwords with the keys that the command line names, or that a token has. One goroutine at a time.
type unsealing struct {
	with  []string // files, and names of objects on a token
	mutex sync.Mutex
	named []seal.Key // those of with, once they were sought
	ready bool
	found []seal.Key // of certificates on a token that nobody named
}

// UnsealFlag adds the flag that names the keys which open sealed passwords.
func (a *App) UnsealFlag(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.unsealing.with, "unseal-with", nil, "flag.unseal-with")
}

// UnsealGiven reports whether a key was named.
func (a *App) UnsealGiven() bool { return len(a.unsealing.with) > 0 }

// IsSealed reports whether a source gives passwords that are sealed.
func IsSealed(source string) bool {
	kind, _, _ := strings.Cut(source, ":")
	return kind == sealedKind
}

// OpenSealed opens the sealed password of a PFX file: the one that the source names, or the one beside the file. Whoever calls it erases
// what the keys left (secret.Erase), once for many files.
func (a *App) OpenSealed(ctx context.Context, source, file string) (*secret.Text, error) {
	_, path, _ := strings.Cut(source, ":")
	if path == "" {
		path = file + archive.PasswordExtension
	}
	parsed, err := bridge.ReadSealed(path)
	if err != nil {
		return nil, bridge.SealedIn(path, err)
	}
	a.unsealing.mutex.Lock()
	defer a.unsealing.mutex.Unlock()
	keys, err := a.keysTo(ctx, parsed)
	if err != nil {
		return nil, err
	}
	var password *secret.Text
	secret.Forget(func() { password, err = parsed.Open(keys...) })
	var fault *seal.OpenError
	if errors.As(err, &fault) && (fault.Fault == seal.ForOthers || fault.Fault == seal.NotDecrypted) && archive.NotTheSealed(file, path) {
		err = &seal.OpenError{Fault: seal.Damaged, Err: errNotTheSealed} // a key cannot tell somebody else's from an altered one
	}
	return password, bridge.SealedIn(path, err)
}

var errNotTheSealed = errors.New("its SHA-256 is not the one in the record of the file")

// UnsealKeys are the keys that were named, for a command that proves what it seals.
func (a *App) UnsealKeys(ctx context.Context) ([]seal.Key, error) {
	a.unsealing.mutex.Lock()
	defer a.unsealing.mutex.Unlock()
	return a.namedKeys(ctx)
}

// keysTo are the keys that were named, else those of certificates on a token that the password is sealed to.
func (a *App) keysTo(ctx context.Context, s *seal.Sealed) ([]seal.Key, error) {
	if a.UnsealGiven() {
		return a.namedKeys(ctx)
	}
	if a.worker == nil || slices.ContainsFunc(a.unsealing.found, func(k seal.Key) bool { return s.IsFor(k.Certificate) }) {
		return a.unsealing.found, nil
	}
	key, err := a.worker.keyTo(ctx, s)
	var noModule noModuleError
	var noToken *noTokenError
	switch {
	case errors.As(err, &noModule) || errors.As(err, &noToken): // there is no key
	case err != nil:
		return nil, err
	case key.Decrypter != nil:
		a.unsealing.found = append(a.unsealing.found, key)
	}
	return a.unsealing.found, nil
}

func (a *App) namedKeys(ctx context.Context) ([]seal.Key, error) {
	u := &a.unsealing
	if u.ready {
		return u.named, nil
	}
	for _, with := range u.with {
		info, err := os.Stat(with)
		if err != nil || info.IsDir() || token.IsURI(with) {
			key, err := a.worker.namedKey(ctx, with)
			if err != nil {
				return nil, err
			}
			u.named = append(u.named, key)
			continue
		}
		contents, _, err := readFile(with, maxKeyFile, pipePatience)
		if err != nil {
			return nil, &inputError{with, withoutPath(err)}
		}
		keys, err := seal.ReadKeys(contents)
		secret.Wipe(contents)
		if err != nil {
			return nil, &inputError{with, err}
		}
		u.named = append(u.named, keys...)
	}
	u.ready = true
	return u.named, nil
}

// namedKey is a key on a token, by its name. A URI speaks for itself: it may be another token than --token's, with another PIN.
func (w *Worker) namedKey(ctx context.Context, name string) (seal.Key, error) {
	if w == nil {
		return seal.Key{}, &inputError{name, os.ErrNotExist}
	}
	label, source := w.TokenLabel, w.PinSource
	defer func() { w.TokenLabel, w.PinSource = label, source }()
	if uri, err := token.ParseURI(name); err == nil {
		w.TokenLabel = ""
		if uri.Query["pin-source"] != "" {
			w.PinSource = ""
		}
	}
	w.keeping = true
	defer func() { w.keeping = false }()
	found, err := w.Identity(ctx, name, false)
	if err != nil {
		return seal.Key{}, err
	}
	return keyOf(found)
}

// keyTo is the key of a certificate that a password is sealed to, without a Decrypter where no token shows such a certificate.
func (w *Worker) keyTo(ctx context.Context, s *seal.Sealed) (seal.Key, error) {
	if !s.ForCertificates() {
		return seal.Key{}, nil
	}
	slots, err := w.slots(ctx, nil)
	if err != nil {
		return seal.Key{}, err
	}
	w.keeping = true
	defer func() { w.keeping = false }()
	for _, slot := range slots {
		open, err := w.read(ctx, slot, nil, false, true)
		if err != nil {
			return seal.Key{}, err
		}
		if !slices.ContainsFunc(open.Inventory.Identities(), func(i token.Identity) bool { return s.IsFor(certificateIn(i)) }) {
			continue
		}
		inventory, pin, err := w.Read(ctx, open.Session, nil, false)
		if err != nil {
			return seal.Key{}, err
		}
		pin.Wipe()
		for _, identity := range inventory.Identities() {
			if identity.PrivateKey != nil && s.IsFor(certificateIn(identity)) {
				open.Inventory = inventory
				return keyOf(Identity{open, identity})
			}
		}
	}
	return seal.Key{}, nil
}

func certificateIn(identity token.Identity) *pki.Certificate {
	if identity.Certificate == nil {
		return nil
	}
	return identity.Certificate.Parsed
}

// keyOf is the private key of an identity as one that opens sealed passwords.
func keyOf(found Identity) (seal.Key, error) {
	if found.PrivateKey == nil {
		return seal.Key{}, &noDecryptingKeyError{}
	}
	public := found.Public
	certificate := certificateIn(found.Identity)
	if certificate != nil {
		public = certificate.PublicKey
	}
	return seal.Key{Decrypter: &oneAtATime{Decrypter: found.Session.Decrypter(found.PrivateKey, public)}, Certificate: certificate}, nil
}

// noDecryptingKeyError means that a name means an identity whose private key is not there.
type noDecryptingKeyError struct{}

// Error says so.
func (*noDecryptingKeyError) Error() string {
	return "the key to the sealed password has no private part on the token"
}

// keptPIN is the PIN of a token with a key that opens sealed passwords: a command may use the same token once more, and most sources give
// what they have once.
type keptPIN struct {
	slot token.Slot
	pin  *secret.Text
}

// keepPIN keeps a copy of the PIN where a key to sealed passwords is looked for. It is wiped with what was opened.
func (w *Worker) keepPIN(slot token.Slot, pin *secret.Text) {
	if !w.keeping {
		return
	}
	kept := keptPIN{slot, nil}
	if pin != nil {
		kept.pin = secret.New(slices.Clone(pin.Bytes()))
	}
	w.kept = append(w.kept, kept)
	w.Opened(func() error {
		kept.pin.Wipe()
		w.kept = nil
		return nil
	})
}

// shareLogin takes part in the login to a token with a key to sealed passwords. The caller wipes the PIN.
func (w *Worker) shareLogin(s *token.Session) (*secret.Text, bool) {
	for _, kept := range w.kept {
		if kept.slot.ID != s.Slot.ID || kept.slot.Token.Serial != s.Slot.Token.Serial || kept.slot.Token.Label != s.Slot.Token.Label || s.ShareLogin() != nil {
			continue
		}
		if kept.pin == nil {
			return nil, true
		}
		return secret.New(slices.Clone(kept.pin.Bytes())), true
	}
	return nil, false
}

// oneAtATime lets one goroutine at a time use the session of a key.
type oneAtATime struct {
	crypto.Decrypter
	mutex sync.Mutex
}

// Decrypt implements crypto.Decrypter.
func (d *oneAtATime) Decrypt(random io.Reader, ciphertext []byte, opts crypto.DecrypterOpts) ([]byte, error) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.Decrypter.Decrypt(random, ciphertext, opts)
}

// Recipients reads what --seal-to names: files with a certificate or with public keys, or age and SSH public keys themselves.
func (a *App) Recipients(given []string) ([]seal.Recipient, error) {
	var recipients []seal.Recipient
	for _, text := range given {
		contents := []byte(text)
		if !seal.PublicKeyText(text) {
			var err error
			if contents, _, err = readFile(text, maxKeyFile, pipePatience); err != nil {
				return nil, &inputError{text, withoutPath(err)}
			}
		}
		read, err := seal.ReadRecipients(text, contents)
		secret.Wipe(contents)
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, read...)
	}
	return recipients, seal.CheckRecipients(recipients, a.Now())
}

// EndsUnsealing reports whether the next sealed password would meet the error as well: of the key, and not of what is sealed.
func EndsUnsealing(err error) bool { return !errors.As(err, new(*bridge.SealedError)) }

// sealErrors are about sealed passwords, those who shall open them, and the keys that do.
func sealErrors() []Description {
	return []Description{
		As(func(a *App, e *seal.RecipientError) Failure {
			f := Failure{ID: "error.recipient." + string(e.Fault), Args: messages.Args{"Recipient": foreign.Text(e.Given), "Detail": e.Detail}, Code: ExitFailed}
			if slices.Contains(usageErrors, f.ID) {
				f.Code = exitUsage
			}
			return f
		}),
		As(describeSealed),
		Is(bridge.ErrNotOpened, exitUsage, "error.delete-needs-unseal"),
		As(func(_ *App, _ *noDecryptingKeyError) Failure {
			return Failure{ID: "error.unseal-no-key", Code: ExitFailed}
		}),
	}
}

// describeSealed has the words for a sealed password that does not open.
func describeSealed(a *App, e *bridge.SealedError) Failure {
	args := messages.Args{"Path": foreign.Text(e.Path), "Problem": messages.Own(a.sourceProblem(e.Err)), "Recipients": messages.Own("")}
	var open *seal.OpenError
	if !errors.As(e.Err, &open) {
		if login := new(token.LoginError); errors.As(e.Err, &login) {
			return a.Describe(login)
		}
		return Failure{ID: "error.sealed.unreadable", Args: args, Code: ExitFailed}
	}
	f := Failure{ID: "error.sealed." + string(open.Fault), Args: args, Code: ExitFailed}
	if open.Err != nil {
		args["Problem"] = messages.Own(a.Problem(open.Err))
	}
	var names []string
	for _, address := range open.Recipients {
		names = append(names, string(address.Kind)+": "+string(address.Name))
	}
	if len(names) > 0 {
		f.More = a.Text("sealed.for", nil) + "\n" + PrintableList(names)
	}
	return f
}
