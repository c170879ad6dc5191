package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"

	"p11bridge/token/foreign"
	"p11bridge/token/secret"
)

// ageMagic begins an age file (age-encryption.org/v1).
const ageMagic = "age-encryption.org/v1\n"

// maxStanzas bounds how many recipients of an age file are read.
const maxStanzas = 1000

func encryptAge(content []byte, recipients []Recipient) ([]byte, error) {
	keys := make([]age.Recipient, len(recipients))
	hybrid := 0
	for i, r := range recipients {
		keys[i] = r.age
		if _, is := r.age.(*age.HybridRecipient); is {
			hybrid++
		}
	}
	if hybrid > 0 && hybrid < len(keys) { // age refuses the mixture: the weakest would decide
		return nil, &RecipientError{Given: string(recipients[0].Name), Fault: Incompatible}
	}
	var file bytes.Buffer
	w, err := age.Encrypt(&file, keys...)
	if err == nil {
		_, err = w.Write(content)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("seal the password: %w", err)
	}
	return file.Bytes(), nil
}

func decryptAge(file []byte, identity age.Identity) ([]byte, error) {
	r, err := age.Decrypt(bytes.NewReader(file), identity)
	var none *age.NoIdentityMatchError
	switch {
	case errors.As(err, &none):
		return nil, &OpenError{Fault: ForOthers}
	case err != nil:
		return nil, damaged("age: %w", err)
	}
	clear, err := io.ReadAll(io.LimitReader(r, maxPassword+1))
	if err != nil {
		secret.Wipe(clear)
		return nil, damaged("age: %w", err)
	}
	return clear, nil
}

// ageAddresses reads the recipient stanzas of an age file's header.
func ageAddresses(file []byte) ([]Address, error) {
	text, is := bytes.CutPrefix(file, []byte(ageMagic))
	if !is {
		return nil, damaged("age: no header")
	}
	var addresses []Address
	for {
		line, rest, more := bytes.Cut(text, []byte("\n"))
		switch {
		case !more:
			return nil, damaged("age: no end of the header")
		case bytes.HasPrefix(line, []byte("---")) && len(addresses) > 0:
			return addresses, nil
		case bytes.HasPrefix(line, []byte("-> ")):
			if len(addresses) == maxStanzas {
				return nil, damaged("age: more than %d recipients", maxStanzas)
			}
			fields := strings.Fields(string(line[3:]))
			if len(fields) == 0 {
				return nil, damaged("age: a recipient without a type")
			}
			address := Address{Kind: Age, Name: foreign.Text(fields[0])}
			if strings.HasPrefix(fields[0], "ssh-") && len(fields) > 1 {
				address.Kind, address.tag = SSH, fields[1]
			}
			addresses = append(addresses, address)
		}
		text = rest
	}
}

// sshTag is what the header of an age file calls an SSH key by: the first four bytes of its SHA-256.
func sshTag(digest [sha256.Size]byte) string { return base64.RawStdEncoding.EncodeToString(digest[:4]) }
