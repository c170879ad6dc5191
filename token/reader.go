package token

import (
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/miekg/pkcs11"
)

// What is asked for, by class and key type. CKA_VALUE is asked of certificates only: of a key it is the key.
var (
	commonAttributes      = []Attribute{CKAClass, CKALabel, CKAToken, CKAPrivate}
	certificateAttributes = []Attribute{CKAID, CKACertificateType, CKAValue}
	keyAttributes         = []Attribute{CKAID, CKAKeyType}
	secretKeyAttributes   = []Attribute{CKASensitive, CKAExtractable}
	privateKeyAttributes  = []Attribute{CKASensitive, CKAExtractable, CKAAlwaysSensitive, CKANeverExtractable, CKALocal, CKAWrapWithTrusted,
		CKAAlwaysAuthenticate, CKASign, CKADecrypt, CKADerive}
	rsaAttributes      = []Attribute{CKAModulus, CKAPublicExponent}
	ecPrivateAttribute = []Attribute{CKAECParams, CKAPublicKeyInfo}
	ecPublicAttributes = []Attribute{CKAECParams, CKAECPoint}
	dataAttributes     = []Attribute{CKAApplication}
)

// everyAttribute is the batch that every object is asked for at once: all of the above but CKA_VALUE.
var everyAttribute = slices.Concat(commonAttributes, keyAttributes, []Attribute{CKACertificateType}, privateKeyAttributes,
	rsaAttributes, []Attribute{CKAECParams, CKAPublicKeyInfo, CKAECPoint}, dataAttributes)

// kind is a set of objects for which a module supports the same attributes.
type kind struct {
	class   Class
	keyType KeyType // for keys
}

// wanted lists the attributes that an object of the kind is to have an answer for.
func (k kind) wanted() []Attribute {
	elliptic := k.keyType == CKKEC || k.keyType == CKKECEdwards
	switch {
	case k.class == CKOCertificate:
		return ofCertificate
	case k.class == CKOPrivateKey && k.keyType == CKKRSA:
		return ofRSAPrivateKey
	case k.class == CKOPrivateKey && elliptic:
		return ofECPrivateKey
	case k.class == CKOPrivateKey:
		return ofPrivateKey
	case k.class == CKOPublicKey && k.keyType == CKKRSA:
		return ofRSAPublicKey
	case k.class == CKOPublicKey && elliptic:
		return ofECPublicKey
	case k.class == CKOPublicKey:
		return ofKey
	case k.class == CKOSecretKey:
		return ofSecretKey
	case k.class == CKOData:
		return ofData
	}
	return commonAttributes
}

// What an object is to have an answer for. A token may have a hundred thousand: they are put together once.
var (
	ofCertificate   = slices.Concat(commonAttributes, certificateAttributes)
	ofKey           = slices.Concat(commonAttributes, keyAttributes)
	ofPrivateKey    = slices.Concat(ofKey, privateKeyAttributes)
	ofRSAPrivateKey = slices.Concat(ofPrivateKey, rsaAttributes)
	ofECPrivateKey  = slices.Concat(ofPrivateKey, ecPrivateAttribute)
	ofRSAPublicKey  = slices.Concat(ofKey, rsaAttributes)
	ofECPublicKey   = slices.Concat(ofKey, ecPublicAttributes)
	ofSecretKey     = slices.Concat(ofKey, secretKeyAttributes)
	ofData          = slices.Concat(commonAttributes, dataAttributes)
)

// critical attributes decide whether a key may leave: they are asked for anew of every object, whatever the module
// gathered for the one before.
var critical = map[Attribute]bool{CKASensitive: true, CKAExtractable: true, CKAValue: true}

// objectReader reads objects: one call for what every object may have, then what is still missing one by one. It learns
// for each kind what the module does not support, so that this is not asked twice.
type objectReader struct {
	session     *Session
	unsupported map[kind]map[Attribute]CKR

	certificates map[pkcs11.ObjectHandle]bool // what a search has found to be certificates: they are asked for CKA_VALUE at once
	took         []time.Duration              // of the first call for each of the first objects
}

// clone is a reader over another session that has learnt the same.
func (r *objectReader) clone(session *Session) *objectReader {
	learnt := map[kind]map[Attribute]CKR{}
	for k, codes := range r.unsupported {
		learnt[k] = maps.Clone(codes)
	}
	return &objectReader{session: session, unsupported: learnt, certificates: r.certificates}
}

// firstAnswers is what the first call for an object gives.
func (r *objectReader) firstAnswers(handle pkcs11.ObjectHandle) (givenValues, error) {
	batch := everyAttribute
	if r.certificates[handle] {
		batch = ofCertificate
	}
	start := time.Now()
	given, err := r.session.getGiven(handle, batch)
	if len(r.took) < sampled {
		r.took = append(r.took, time.Since(start))
	}
	if !r.certificates[handle] {
		return given, err
	}
	value, _ := given.value(CKAClass)
	if class, known := ulongOf(value); !known || Class(class) != CKOCertificate {
		given.forget(CKAValue) // the search was wrong about it, and it may be a key
	}
	return given, err
}

// unknownClass stands for a class that a token does not tell.
const unknownClass = Class(^uint(0))

func (r *objectReader) read(handle pkcs11.ObjectHandle) (*Object, error) {
	given, err := r.firstAnswers(handle)
	if err != nil {
		return nil, err
	}
	answers := make(gathered, 0, len(everyAttribute))
	answer := func(k kind, a Attribute) (Answer, error) {
		value, known := given.value(a)
		answer := Answer{Value: value}
		if !known {
			if answer, err = r.ask(handle, k, a); err != nil {
				return answer, err
			}
		}
		answers = append(answers, namedAnswer{a, answer})
		return answer, nil
	}
	k := kind{class: unknownClass}
	class, err := answer(k, CKAClass)
	if err != nil {
		return nil, err
	}
	if class.Code != CKROK { // every object has a class: this is no answer but a failure
		return nil, &Error{Function: "C_GetAttributeValue", Code: class.Code}
	}
	n, known := ulongOf(class.Value)
	if !known {
		return nil, &AnswerError{Function: "C_GetAttributeValue", Fault: AnswerData, Err: errors.New("CKA_CLASS is no number")}
	}
	k.class = Class(n)
	if k.class == CKOPrivateKey || k.class == CKOPublicKey || k.class == CKOSecretKey {
		keyType, err := answer(k, CKAKeyType)
		if err != nil {
			return nil, err
		}
		if n, known = ulongOf(keyType.Value); !known {
			n = ^uint64(0)
		}
		k.keyType = KeyType(n)
	}
	for _, a := range k.wanted() {
		if answers.has(a) {
			continue
		}
		if _, err := answer(k, a); err != nil {
			return nil, err
		}
	}
	object := &Object{Class: k.class, Attributes: answers.attributes(), handle: handle}
	object.parse()
	return object, nil
}

// ask asks for one attribute. Only a lost connection is an error.
func (r *objectReader) ask(handle pkcs11.ObjectHandle, k kind, a Attribute) (Answer, error) {
	if code, known := r.unsupported[k][a]; known {
		return Answer{Code: code}, nil
	}
	values, err := r.session.get(handle, []Attribute{a})
	code, refused := CodeOf(err)
	switch {
	case err == nil && values[0] != nil:
		return Answer{Value: values[0]}, nil
	case err == nil: // CK_UNAVAILABLE_INFORMATION with CKR_OK, or a length that cannot be
		return Answer{Code: CKRAttributeTypeInvalid}, nil
	case refused && connectionLost(code):
		return Answer{}, err
	case !refused: // the answer could not be used
		return Answer{Code: CKRGeneralError}, nil
	}
	if code == CKRAttributeTypeInvalid && !critical[a] {
		if r.unsupported == nil {
			r.unsupported = map[kind]map[Attribute]CKR{}
		}
		if r.unsupported[k] == nil {
			r.unsupported[k] = map[Attribute]CKR{}
		}
		r.unsupported[k][a] = code
	}
	return Answer{Code: code}, nil
}

// readObject reads one object.
func (s *Session) readObject(handle pkcs11.ObjectHandle) (*Object, error) {
	reader := objectReader{session: s}
	return reader.read(handle)
}
