package pfx

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// safe is one ContentInfo of the AuthenticatedSafe (RFC 7292, section 4.1).
type safe struct {
	// bags are those of a safe in clear, at once, and of an encrypted one once it was opened.
	bags bags
	// pbe is nil for a safe in clear and for one that is not supported, whose name is unsupported.
	pbe         *pbe
	unsupported string
	ciphertext  []byte
	derivation  *derivation
	opened      bool
}

func (s *safe) protection() Protection {
	switch {
	case s.unsupported != "":
		return Protection{Algorithm: s.unsupported}
	case s.pbe != nil:
		return Protection{Algorithm: s.pbe.name, Iterations: s.pbe.iterations}
	default:
		return Protection{Algorithm: Clear}
	}
}

// container is a PFX (RFC 7292, section 4) as it can be read without a password.
type container struct {
	// content is what the MAC is made over.
	content []byte
	mac     *mac // nil if there is none
	safes   []*safe
	wasDER  bool
	// trailing counts the bytes behind the file.
	trailing int
	// another means that they begin as a PFX does.
	another bool
	count   bagCount
	// broken is what is wrong with the content that the MAC is made over: only the MAC reports whether it is damage.
	broken error
	// exposed means that a private key stands in clear, in what is not encrypted.
	exposed bool
	// copies hold everything that the structures above point into. They may hold a key in clear.
	copies [][]byte
}

func (c *container) wipe() {
	for _, buffer := range c.copies {
		clear(buffer)
	}
}

// toDER keeps the copy for wipe. rest counts the bytes behind the element.
func (c *container) toDER(source []byte, where string) (der cryptobyte.String, rest int, err error) {
	copied, end, wasDER, err := toDER(source, where)
	if err != nil {
		return nil, 0, err
	}
	c.copies = append(c.copies, copied)
	c.wasDER = c.wasDER && wasDER
	return copied, len(source) - end, nil
}

// wholeDER is toDER for an element that fills source, but for zero bytes behind it: some programs pad.
func (c *container) wholeDER(source []byte, where string) (cryptobyte.String, error) {
	der, rest, err := c.toDER(source, where)
	if err == nil && !onlyZeros(source[len(source)-rest:]) {
		return nil, damaged(where + ": trailing data")
	}
	return der, err
}

// readContainer reads all that needs no password. What it returns is to be wiped, even where there is an error.
func readContainer(file []byte) (*container, error) {
	c := &container{wasDER: true}
	if err := checkSize(len(file)); err != nil {
		return c, err
	}
	der, rest, err := c.toDER(file, "PFX")
	if err != nil {
		return c, err
	}
	c.trailing, c.another = rest, LooksLikePFX(file[len(file)-rest:])
	var sequence, info, content cryptobyte.String
	var version int64
	if !der.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&version) || version != 3 ||
		!sequence.ReadASN1(&info, asn1.SEQUENCE) {
		return c, damaged("PFX")
	}
	oid, ok := readOID(&info)
	if !ok {
		return c, damaged("PFX: authSafe")
	}
	if oid != oidData {
		return c, &UnsupportedError{Algorithm: algorithmName(oid)}
	}
	if content, ok = readData(&info); !ok {
		return c, damaged("PFX: authSafe")
	}
	c.content = content
	if !sequence.Empty() {
		if c.mac, err = readMAC(&sequence); err != nil {
			return c, err
		}
	}
	if !sequence.Empty() {
		return c, damaged("PFX")
	}
	err = c.readSafes()
	if c.mac != nil && errors.As(err, new(*DamagedError)) {
		c.broken, err = err, nil
	}
	return c, err
}

// readData reads the content of a ContentInfo of type data.
func readData(info *cryptobyte.String) (cryptobyte.String, bool) {
	var explicit, content cryptobyte.String
	ok := info.ReadASN1(&explicit, tagExplicit0) && info.Empty() &&
		explicit.ReadASN1(&content, asn1.OCTET_STRING) && explicit.Empty()
	return content, ok
}

func (c *container) readSafes() error {
	const where = "AuthenticatedSafe"
	der, err := c.wholeDER(c.content, where)
	if err != nil {
		return err
	}
	var infos cryptobyte.String
	if !der.ReadASN1(&infos, asn1.SEQUENCE) {
		return damaged(where)
	}
	for !infos.Empty() {
		if len(c.safes) >= maxSafes {
			return &LimitError{What: LimitSafes, Value: maxSafes + 1, Bound: maxSafes}
		}
		var info cryptobyte.String
		if !infos.ReadASN1(&info, asn1.SEQUENCE) {
			return damaged(where)
		}
		s, err := c.readSafe(info)
		c.exposed = c.exposed || s != nil && s.bags.exposed() // nothing is decrypted yet
		if err != nil {
			return err
		}
		c.safes = append(c.safes, s)
	}
	return nil
}

func (c *container) readSafe(info cryptobyte.String) (*safe, error) {
	s := &safe{bags: bags{count: &c.count}}
	oid, ok := readOID(&info)
	if !ok {
		return nil, damaged("AuthenticatedSafe")
	}
	switch oid {
	case oidData:
		content, ok := readData(&info)
		if !ok {
			return nil, damaged("data")
		}
		der, err := c.wholeDER(content, "SafeContents")
		if err != nil {
			return nil, err
		}
		return s, s.bags.read(der, 1)
	case oidEncryptedData:
		return s, s.readEncrypted(info)
	default:
		s.unsupported = algorithmName(oid)
		return s, nil
	}
}

// readEncrypted reads an EncryptedData (RFC 5652, section 8).
func (s *safe) readEncrypted(info cryptobyte.String) error {
	const where = "encryptedData"
	var explicit, data, content cryptobyte.String
	var version int64
	if !info.ReadASN1(&explicit, tagExplicit0) || !info.Empty() || !explicit.ReadASN1(&data, asn1.SEQUENCE) ||
		!explicit.Empty() || !data.ReadASN1Integer(&version) || !data.ReadASN1(&content, asn1.SEQUENCE) {
		return damaged(where)
	}
	if !data.Empty() && (!data.SkipASN1(tagImplicitAttrs1) || !data.Empty()) {
		return damaged(where)
	}
	if oid, ok := readOID(&content); !ok || oid != oidData {
		return damaged(where)
	}
	var err error
	if s.pbe, err = readPBE(&content); err != nil {
		return err
	}
	// The octet string is implicitly tagged, so that the transcoder could not know that these are its pieces.
	var ciphertext, pieces cryptobyte.String
	if content.PeekASN1Tag(tagImplicit0) {
		if !content.ReadASN1(&ciphertext, tagImplicit0) || !content.Empty() {
			return damaged(where)
		}
		s.ciphertext = ciphertext
		return nil
	}
	if !content.ReadASN1(&pieces, tagExplicit0) || !content.Empty() {
		return damaged(where)
	}
	s.ciphertext = make([]byte, 0, len(pieces))
	for !pieces.Empty() {
		var piece cryptobyte.String
		if !pieces.ReadASN1(&piece, asn1.OCTET_STRING) {
			return damaged(where)
		}
		s.ciphertext = append(s.ciphertext, piece...)
	}
	return nil
}
