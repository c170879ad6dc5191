package pfx

// RFC 7292 allows BER, and NSS and some Java versions write it. Everything is turned into the subset of DER that
// cryptobyte reads: definite and minimal lengths, minimal integers, string types in one piece. The order of sets is left alone.

const (
	tagInteger      = 0x02
	tagOctetString  = 0x04
	maskConstructed = 0x20
	maskClass       = 0xc0
	maskNumber      = 0x1f
	indefinite      = -1
)

// berStrings are the universal string types that BER may cut into pieces. BIT STRING is not among them: no PFX file
// needs one outside of an opaque value.
var berStrings = map[byte]bool{
	tagOctetString: true,
	12:             true, // UTF8String
	18:             true, 19: true, 20: true, 21: true, 22: true,
	25: true, 26: true, 27: true, 28: true, 30: true, // BMPString
}

// transcoder copies one BER element to DER in a single pass over the input. A length is put in front of its content
// when the content is there, so that time is at most length times depth and memory one buffer.
type transcoder struct {
	source  []byte
	at      int
	der     []byte
	changed bool
}

// toDER turns the BER element that source begins with into DER in a new buffer. It tells where the element ends, and whether
// it was DER already.
func toDER(source []byte, where string) (der []byte, end int, wasDER bool, err error) {
	// An element grows by two bytes at most, and only where its content is 64 KiB and more.
	room := len(source) + 2*maxDepth*(len(source)/0x10000+1)
	t := &transcoder{source: source, der: make([]byte, 0, room)}
	if err := t.element(len(source), 1, where); err != nil {
		clear(t.der)
		return nil, 0, false, err
	}
	return t.der, t.at, !t.changed, nil
}

// header is the identifier and length octets of one element.
type header struct {
	tag    []byte
	length int // or indefinite
}

func (t *transcoder) header(end int, where string) (header, error) {
	var h header
	start := t.at
	if t.at >= end {
		return h, damaged(where + ": truncated")
	}
	t.at++
	if t.source[start]&maskNumber == maskNumber {
		for {
			if t.at >= end || t.at-start > 5 {
				return h, damaged(where + ": tag")
			}
			t.at++
			if t.source[t.at-1]&0x80 == 0 {
				break
			}
		}
	}
	h.tag = t.source[start:t.at]
	if t.at >= end {
		return h, damaged(where + ": truncated")
	}
	first := t.source[t.at]
	t.at++
	switch {
	case first < 0x80:
		h.length = int(first)
	case first == 0x80:
		h.length = indefinite
		t.changed = true
		return h, nil
	default:
		count := int(first & 0x7f)
		if count > 8 || count > end-t.at {
			return h, damaged(where + ": length")
		}
		var length uint64
		for _, b := range t.source[t.at : t.at+count] {
			length = length<<8 | uint64(b)
		}
		t.at += count
		if length > uint64(end-t.at) {
			return h, damaged(where + ": truncated")
		}
		h.length = int(length)
		if lengthOctets(h.length) != 1+count {
			t.changed = true
		}
	}
	if h.length > end-t.at {
		return h, damaged(where + ": truncated")
	}
	return h, nil
}

func (t *transcoder) element(end, depth int, where string) error {
	if depth > maxDepth {
		return &LimitError{What: LimitDepth, Value: int64(depth), Bound: maxDepth}
	}
	h, err := t.header(end, where)
	if err != nil {
		return err
	}
	first := h.tag[0]
	if first == 0 {
		return damaged(where + ": end of contents out of place")
	}
	if first&maskConstructed == 0 {
		if h.length == indefinite {
			return damaged(where + ": indefinite length of a primitive element")
		}
		content := t.source[t.at : t.at+h.length]
		if first == tagInteger {
			content = minimal(content)
			t.changed = t.changed || len(content) < h.length
		}
		t.der = append(t.der, h.tag...)
		t.der = appendLength(t.der, len(content))
		t.der = append(t.der, content...)
		t.at += h.length
		return nil
	}

	stringType := first &^ maskConstructed
	pieces := berStrings[stringType]
	if pieces {
		t.changed = true
		t.der = append(t.der, stringType)
	} else {
		t.der = append(t.der, h.tag...)
	}
	content := len(t.der)
	if !pieces {
		stringType = 0
	}
	if err := t.children(h, stringType, end, depth, where); err != nil {
		return err
	}
	t.insertLength(content)
	return nil
}

// minimal drops the octets in front of an INTEGER that say nothing (X.690, section 8.3.2). Java reads them.
func minimal(content []byte) []byte {
	for len(content) > 1 && (content[0] == 0 && content[1] < 0x80 || content[0] == 0xff && content[1] >= 0x80) {
		content = content[1:]
	}
	return content
}

// children transcodes what a constructed element holds: elements, or pieces of a string if stringType is not zero.
func (t *transcoder) children(h header, stringType byte, end, depth int, where string) error {
	if h.length != indefinite {
		end = t.at + h.length
	}
	for {
		switch {
		case h.length != indefinite && t.at == end:
			return nil
		case h.length == indefinite && end-t.at < 2:
			return damaged(where + ": truncated")
		case h.length == indefinite && t.source[t.at] == 0 && t.source[t.at+1] == 0:
			t.at += 2
			return nil
		}
		var err error
		if stringType != 0 {
			err = t.piece(stringType, end, depth+1, where)
		} else {
			err = t.element(end, depth+1, where)
		}
		if err != nil {
			return err
		}
	}
}

// piece appends the content of one piece of a string, which may be in pieces itself.
func (t *transcoder) piece(stringType byte, end, depth int, where string) error {
	if depth > maxDepth {
		return &LimitError{What: LimitDepth, Value: int64(depth), Bound: maxDepth}
	}
	h, err := t.header(end, where)
	if err != nil {
		return err
	}
	switch first := h.tag[0]; {
	case first == stringType && h.length != indefinite:
		t.der = append(t.der, t.source[t.at:t.at+h.length]...)
		t.at += h.length
		return nil
	case first == stringType|maskConstructed:
		return t.children(h, stringType, end, depth, where)
	default:
		return damaged(where + ": piece of a string")
	}
}

// insertLength puts the length of all from content on in front of it.
func (t *transcoder) insertLength(content int) {
	length := len(t.der) - content
	octets := lengthOctets(length)
	t.der = append(t.der, make([]byte, octets)...)
	copy(t.der[content+octets:], t.der[content:content+length])
	appendLength(t.der[:content:content+octets], length)
}

func lengthOctets(length int) int {
	octets := 1
	if length >= 0x80 {
		for rest := length; rest > 0; rest >>= 8 {
			octets++
		}
	}
	return octets
}

func appendLength(der []byte, length int) []byte {
	octets := lengthOctets(length)
	if octets == 1 {
		return append(der, byte(length))
	}
	der = append(der, 0x80|byte(octets-1))
	for shift := 8 * (octets - 2); shift >= 0; shift -= 8 {
		der = append(der, byte(length>>shift))
	}
	return der
}
