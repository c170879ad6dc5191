package token

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Answer is what a token said when it was asked for one attribute: a value, or why not.
type Answer struct {
	Value []byte
	Code  CKR // CKR_OK where Value holds
}

// Attributes are one object's answers, in the order of their types. An attribute that was not asked for is absent. A copy does not
// change with what it was copied from, and the values that are given are not to be changed.
//
// A token may have a hundred thousand objects with fifteen answers each, so they stand in one piece of memory: for each its type, its
// return value and, for CKR_OK, the length of the value and the value.
type Attributes struct{ packed []byte }

// AttributesOf are the attributes with these answers.
func AttributesOf(answers map[Attribute]Answer) Attributes {
	var a gathered
	for _, attribute := range slices.Sorted(maps.Keys(answers)) {
		a = append(a, namedAnswer{attribute, answers[attribute]})
	}
	return a.attributes()
}

// namedAnswer is one attribute with its answer.
type namedAnswer struct {
	attribute Attribute
	answer    Answer
}

// gathered are an object's answers while they are gathered, each attribute once.
type gathered []namedAnswer

func (a gathered) has(attribute Attribute) bool {
	return slices.ContainsFunc(a, func(t namedAnswer) bool { return t.attribute == attribute })
}

// attributes packs the answers.
func (a gathered) attributes() Attributes {
	slices.SortFunc(a, func(x, y namedAnswer) int {
		if x.attribute < y.attribute {
			return -1
		}
		return 1
	})
	size := 0
	for _, t := range a {
		size += t.packedSize()
	}
	packed := make([]byte, 0, size)
	for _, t := range a {
		packed = t.pack(packed)
	}
	return Attributes{packed}
}

func (t namedAnswer) pack(to []byte) []byte {
	to = binary.AppendUvarint(to, uint64(t.attribute))
	to = binary.AppendUvarint(to, uint64(t.answer.Code))
	if t.answer.Code != CKROK {
		return to
	}
	return append(binary.AppendUvarint(to, uint64(len(t.answer.Value))), t.answer.Value...)
}

func (t namedAnswer) packedSize() int {
	var numbers [3 * binary.MaxVarintLen64]byte
	opened := namedAnswer{t.attribute, Answer{Code: t.answer.Code}}.pack(numbers[:0])
	if t.answer.Code != CKROK {
		return len(opened)
	}
	return len(binary.AppendUvarint(opened, uint64(len(t.answer.Value)))) + len(t.answer.Value)
}

// All gives every attribute with its answer, in the order of their types.
func (as Attributes) All() iter.Seq2[Attribute, Answer] {
	return func(yield func(Attribute, Answer) bool) {
		for rest := as.packed; len(rest) > 0; {
			var t namedAnswer
			if t, rest = unpack(rest); !yield(t.attribute, t.answer) {
				return
			}
		}
	}
}

// unpack takes the first answer off what pack has written.
func unpack(packed []byte) (t namedAnswer, rest []byte) {
	number := func() uint64 {
		n, size := binary.Uvarint(packed)
		packed = packed[size:]
		return n
	}
	t.attribute, t.answer.Code = Attribute(number()), CKR(number())
	if t.answer.Code != CKROK {
		return t, packed
	}
	length := number()
	t.answer.Value = packed[:length:length]
	return t, packed[length:]
}

// Len is the number of attributes that were asked for.
func (as Attributes) Len() int {
	n := 0
	for range as.All() {
		n++
	}
	return n
}

// Answer gives what the token said of an attribute. It is false where it was not asked.
func (as Attributes) Answer(a Attribute) (Answer, bool) {
	for rest := as.packed; len(rest) > 0; {
		var t namedAnswer
		if t, rest = unpack(rest); t.attribute == a {
			return t.answer, true
		}
	}
	return Answer{}, false
}

// Set puts an answer in the place of the one that is there, if there is one.
func (as *Attributes) Set(a Attribute, answer Answer) {
	*as = append(as.without(a), namedAnswer{a, answer}).attributes()
}

// Delete takes an answer away.
func (as *Attributes) Delete(a Attribute) { *as = as.without(a).attributes() }

// without are the answers but for one.
func (as Attributes) without(left Attribute) gathered {
	var others gathered
	for a, answer := range as.All() {
		if a != left {
			others = append(others, namedAnswer{a, answer})
		}
	}
	return others
}

// Lookup gives the value where the token gave one, which may be empty.
func (as Attributes) Lookup(a Attribute) ([]byte, bool) {
	answer, asked := as.Answer(a)
	return answer.Value, asked && answer.Code == CKROK
}

// Bytes gives the value, empty where it was not told.
func (as Attributes) Bytes(a Attribute) []byte {
	answer, _ := as.Answer(a)
	return answer.Value
}

// Text gives a string attribute (PKCS#11 v3.1 §3.1, RFC 2279 string) as valid UTF-8. It is untrusted.
func (as Attributes) Text(a Attribute) string {
	return strings.TrimRight(strings.ToValidUTF8(string(as.Bytes(a)), string(utf8.RuneError)), "\x00")
}

// Bool gives a CK_BBOOL. A value that is not one byte long counts as not told.
func (as Attributes) Bool(a Attribute) Bool {
	value, _ := as.Lookup(a)
	return boolOf(value)
}

// boolOf reads a CK_BBOOL.
func boolOf(value []byte) Bool {
	switch {
	case len(value) != 1:
		return NotGiven
	case value[0] == 0:
		return False
	}
	return True
}

// Ulong gives a CK_ULONG, which is 8 or 4 bytes long and in the machine's byte order. It is false for anything else.
func (as Attributes) Ulong(a Attribute) (uint64, bool) {
	value, _ := as.Lookup(a)
	return ulongOf(value)
}

// ulongOf reads a CK_ULONG.
func ulongOf(value []byte) (uint64, bool) {
	switch len(value) {
	case 8:
		return binary.NativeEndian.Uint64(value), true
	case 4:
		return uint64(binary.NativeEndian.Uint32(value)), true
	}
	return 0, false
}

// MarshalJSON writes the attributes under their names: booleans as true and false, numbers as numbers, text as text, bytes
// in hexadecimal. A value that does not have its kind's form is {"hex": "…"}; where the token gave no value, the return
// value stands instead: {"ckr": "CKR_…"}.
func (as Attributes) MarshalJSON() ([]byte, error) {
	plain := map[string]any{}
	for a, answer := range as.All() {
		plain[a.String()] = plainAnswer(a, answer)
	}
	return json.Marshal(plain)
}

func plainAnswer(a Attribute, answer Answer) any {
	if answer.Code != CKROK {
		return map[string]string{"ckr": answer.Code.String()}
	}
	switch attributeTable[a].kind {
	case kindBytes:
		return hex.EncodeToString(answer.Value)
	case kindBool:
		if len(answer.Value) == 1 && answer.Value[0] <= 1 {
			return answer.Value[0] == 1
		}
	case kindUlong:
		if n, ok := ulongOf(answer.Value); ok && len(answer.Value) == 8 {
			return n
		}
	case kindText:
		if exactText(answer.Value) {
			return string(answer.Value)
		}
	}
	return map[string]string{"hex": hex.EncodeToString(answer.Value)}
}
