package pki

import (
	"crypto/x509"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// maxOID bounds an OBJECT IDENTIFIER's encoded length: turning long arcs into decimal text takes quadratic time.
const maxOID = 128

// met remembers what was made of object identifiers: the same few stand in every certificate.
type met struct {
	mu   sync.RWMutex
	made map[string]string
}

var textsMet, contentsMet met

func (m *met) find(key string) (string, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	made, known := m.made[key]
	return made, known
}

// keep has a bound: whoever writes certificates can invent as many as he likes.
func (m *met) keep(key, made string) {
	const most = 256
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made == nil {
		m.made = map[string]string{}
	}
	if len(m.made) < most {
		m.made[key] = made
	}
}

// oidText is the dotted form of an OBJECT IDENTIFIER's content bytes, with arcs of any size (2.25 carries UUIDs).
func oidText(content []byte) (string, bool) {
	key := string(content)
	if text, known := textsMet.find(key); known {
		return text, true
	}
	if len(content) > maxOID {
		return "", false
	}
	var oid x509.OID
	if err := oid.UnmarshalBinary(content); err != nil {
		return "", false
	}
	text := oid.String()
	textsMet.keep(key, text)
	return text, true
}

// oidContent is the content of a dotted OBJECT IDENTIFIER. x509.ParseOID would take it with numbers of any
// size.
func oidContent(dotted string) ([]byte, error) {
	var arcs []uint64
	for arc := range strings.SplitSeq(dotted, ".") {
		number, err := strconv.ParseUint(arc, 10, 32) // x509.OIDFromInts goes wrong near the end of 64
		if err != nil || strconv.FormatUint(number, 10) != arc {
			break
		}
		arcs = append(arcs, number)
	}
	oid, err := x509.OIDFromInts(arcs)
	if err != nil || len(arcs) != 1+strings.Count(dotted, ".") {
		oid, err = x509.ParseOID(dotted)
	}
	if err != nil {
		return nil, err
	}
	return oid.MarshalBinary()
}

// readOID reads an OBJECT IDENTIFIER as its dotted form.
func readOID(s *cryptobyte.String) (string, bool) {
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.OBJECT_IDENTIFIER) {
		return "", false
	}
	return oidText(content)
}

// addOID writes a dotted OID of one of our own tables.
func addOID(b *cryptobyte.Builder, dotted string) {
	content, known := contentsMet.find(dotted)
	if !known {
		made, err := oidContent(dotted)
		if err != nil {
			b.SetError(err)
			return
		}
		content = string(made)
		contentsMet.keep(dotted, content)
	}
	b.AddASN1(cbasn1.OBJECT_IDENTIFIER, func(c *cryptobyte.Builder) { c.AddBytes([]byte(content)) })
}

// algorithmIdentifier is X.509's AlgorithmIdentifier (RFC 5280 section 4.1.1.2).
type algorithmIdentifier struct {
	raw        []byte // the whole element
	oid        string
	parameters []byte // the whole parameters element; nil when absent
}

var derNull = []byte{0x05, 0x00}

// absent reports whether the parameters carry nothing: both ways of saying so occur in the wild for every algorithm.
func (a algorithmIdentifier) absent() bool {
	return a.parameters == nil || slices.Equal(a.parameters, derNull)
}

func readAlgorithm(s *cryptobyte.String, out *algorithmIdentifier) bool {
	var element, content cryptobyte.String
	if !s.ReadASN1Element(&element, cbasn1.SEQUENCE) {
		return false
	}
	out.raw = element
	if !element.ReadASN1(&content, cbasn1.SEQUENCE) {
		return false
	}
	oid, ok := readOID(&content)
	if !ok {
		return false
	}
	out.oid = oid
	if content.Empty() {
		return true
	}
	var parameters cryptobyte.String
	var tag cbasn1.Tag
	if !content.ReadAnyASN1Element(&parameters, &tag) || !content.Empty() {
		return false
	}
	out.parameters = parameters
	return true
}

// readUnsigned reads an INTEGER as a magnitude. Some writers forget the zero octet before a set top bit, others
// put too many: every number in a key is positive, so the octets are its magnitude whatever DER thinks of them.
func readUnsigned(s *cryptobyte.String, out *big.Int) bool {
	var content cryptobyte.String
	if !s.ReadASN1(&content, cbasn1.INTEGER) || len(content) == 0 {
		return false
	}
	out.SetBytes(content)
	return true
}

// addUnsigned writes a non-negative INTEGER and leaves no copy of it outside the builder.
func addUnsigned(b *cryptobyte.Builder, n *big.Int) {
	magnitude := n.Bytes()
	defer clear(magnitude)
	b.AddASN1(cbasn1.INTEGER, func(c *cryptobyte.Builder) {
		if len(magnitude) == 0 || magnitude[0]&0x80 != 0 {
			c.AddUint8(0)
		}
		c.AddBytes(magnitude)
	})
}

// outerElement splits data into its first DER element and what stands behind it.
func outerElement(data []byte) (element, rest []byte, ok bool) {
	s := cryptobyte.String(data)
	var first cryptobyte.String
	if !s.ReadASN1Element(&first, cbasn1.SEQUENCE) {
		return nil, nil, false
	}
	return first, s, true
}
