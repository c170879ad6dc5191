package token

import (
	"context"
	"slices"

	"github.com/miekg/pkcs11"
)

// Inventory is everything that a token tells without giving up a secret: plain values, good without the token.
// Every object that was enumerated is in it.
type Inventory struct {
	Module     ModuleInfo  `json:"module"`
	Token      Info        `json:"token"`
	LoggedIn   bool        `json:"logged_in"`
	Mechanisms []Mechanism `json:"mechanisms"`
	Objects    []*Object   `json:"objects"`
}

// kind is a set of objects that are read with one list of attributes, because a token answers alike for all of them.
type kind struct {
	class   Class
	keyType KeyType
	typed   bool // keyType holds
	wanted  []Attribute
}

var (
	certificateAttributes = []Attribute{CKALabel, CKAID, CKACertificateType, CKAValue, CKAToken, CKAPrivate}
	privateKeyAttributes  = []Attribute{CKALabel, CKAID, CKAKeyType, CKAToken, CKAPrivate, CKASensitive, CKAExtractable, CKAAlwaysSensitive,
		CKANeverExtractable, CKALocal, CKAWrapWithTrusted, CKAAlwaysAuthenticate, CKASign, CKADecrypt, CKADerive}
	publicKeyAttributes = []Attribute{CKALabel, CKAID, CKAKeyType, CKAToken, CKAPrivate}
	secretKeyAttributes = []Attribute{CKALabel, CKAID, CKAKeyType, CKAToken, CKAPrivate, CKASensitive, CKAExtractable}
	dataAttributes      = []Attribute{CKALabel, CKAApplication, CKAToken, CKAPrivate}
	otherAttributes     = []Attribute{CKALabel, CKAClass, CKAToken, CKAPrivate}
)

// kinds is the order of the searches. What an earlier search found, a later and wider one passes over, so the last one
// finds the objects of classes not named here.
func kinds() []kind {
	join := func(as []Attribute, more ...Attribute) []Attribute { return slices.Concat(as, more) }
	return []kind{
		{class: CKOCertificate, wanted: certificateAttributes},
		{class: CKOPrivateKey, keyType: CKKRSA, typed: true, wanted: join(privateKeyAttributes, CKAModulus, CKAPublicExponent)},
		{class: CKOPrivateKey, keyType: CKKEC, typed: true, wanted: join(privateKeyAttributes, CKAECParams, CKAPublicKeyInfo)},
		{class: CKOPrivateKey, keyType: CKKECEdwards, typed: true, wanted: join(privateKeyAttributes, CKAECParams, CKAPublicKeyInfo)},
		{class: CKOPrivateKey, wanted: join(privateKeyAttributes, CKAPublicKeyInfo)},
		{class: CKOPublicKey, keyType: CKKRSA, typed: true, wanted: join(publicKeyAttributes, CKAModulus, CKAPublicExponent)},
		{class: CKOPublicKey, keyType: CKKEC, typed: true, wanted: join(publicKeyAttributes, CKAECParams, CKAECPoint)},
		{class: CKOPublicKey, keyType: CKKECEdwards, typed: true, wanted: join(publicKeyAttributes, CKAECParams, CKAECPoint)},
		{class: CKOPublicKey, wanted: publicKeyAttributes},
		{class: CKOSecretKey, wanted: secretKeyAttributes},
		{class: CKOData, wanted: dataAttributes},
	}
}

// Inventory reads the token's description, mechanisms and objects, as far as the session's login state shows them.
// Attributes that a token does not tell are in the result with the return value that it gave instead.
func (s *Session) Inventory(ctx context.Context) (*Inventory, error) {
	info, err := s.module.tokenInfo(s.Slot.ID) // anew: the login changes the flags
	if err != nil {
		return nil, err
	}
	mechanisms, err := s.module.mechanisms(s.Slot.ID)
	if err != nil {
		return nil, err
	}
	objects, err := s.objects(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.settle(ctx, objects); err != nil {
		return nil, err
	}
	return &Inventory{Module: s.module.Info, Token: *info, LoggedIn: s.LoggedIn, Mechanisms: mechanisms, Objects: objects}, nil
}

func (s *Session) objects(ctx context.Context) ([]*Object, error) {
	var objects []*Object
	seen := map[pkcs11.ObjectHandle]bool{}
	take := func(k kind, template ...*pkcs11.Attribute) error {
		handles, err := s.find(k.String(), template...)
		if err != nil {
			return err
		}
		reader := attributeReader{session: s, kind: k}
		for _, handle := range handles {
			if err := ctx.Err(); err != nil {
				return err
			}
			if seen[handle] {
				continue
			}
			seen[handle] = true
			attributes, err := reader.read(handle)
			if err != nil {
				return err
			}
			objects = append(objects, &Object{Class: k.classOf(attributes), Attributes: attributes, handle: handle})
		}
		return nil
	}
	for _, k := range kinds() {
		template := []*pkcs11.Attribute{ulong(CKAClass, uint(k.class))}
		if k.typed {
			template = append(template, ulong(CKAKeyType, uint(k.keyType)))
		}
		if err := take(k, template...); err != nil {
			return nil, err
		}
	}
	return objects, take(kind{class: classUnknown, wanted: otherAttributes})
}

// classUnknown marks the search for everything: the class is then an attribute like any other.
const classUnknown = Class(^uint(0))

func (k kind) classOf(as Attributes) Class {
	if k.class != classUnknown {
		return k.class
	}
	if class, ok := as.Ulong(CKAClass); ok {
		return Class(class)
	}
	return classUnknown
}

// String names the search for the observer.
func (k kind) String() string {
	switch {
	case k.class == classUnknown:
		return "all objects"
	case k.typed:
		return k.class.String() + " " + k.keyType.String()
	}
	return k.class.String()
}

// attributeReader reads the objects of one kind and learns what the module does not support for them, so that the next
// object costs one batch again.
type attributeReader struct {
	session     *Session
	kind        kind
	unsupported map[Attribute]CKR
}

// critical attributes decide whether a key may leave: they are asked for anew of every object, whatever the module
// answered for the one before.
var critical = map[Attribute]bool{CKASensitive: true, CKAExtractable: true, CKAValue: true}

func (r *attributeReader) read(handle pkcs11.ObjectHandle) (Attributes, error) {
	attributes := make(Attributes, len(r.kind.wanted))
	wanted := make([]Attribute, 0, len(r.kind.wanted))
	for _, a := range r.kind.wanted {
		if code, known := r.unsupported[a]; known {
			attributes[a] = Answer{Code: code}
		} else {
			wanted = append(wanted, a)
		}
	}
	return attributes, r.batch(handle, wanted, attributes)
}

// batch asks for all attributes at once and, where that fails, for each half, down to the attribute at fault.
func (r *attributeReader) batch(handle pkcs11.ObjectHandle, wanted []Attribute, into Attributes) error {
	if len(wanted) == 0 {
		return nil
	}
	values, err := r.session.get(handle, wanted)
	code, refused := CodeOf(err)
	switch {
	case err == nil:
		for i, a := range wanted {
			into[a] = Answer{Value: values[i].Value}
			if values[i].Value == nil { // CK_UNAVAILABLE_INFORMATION with CKR_OK
				into[a] = Answer{Code: CKRAttributeTypeInvalid}
			}
		}
		return nil
	case refused && connectionLost(code):
		return err
	case len(wanted) > 1:
		half := len(wanted) / 2
		if err := r.batch(handle, wanted[:half], into); err != nil {
			return err
		}
		return r.batch(handle, wanted[half:], into)
	}
	if !refused { // the binding could not use the answer
		code = CKRGeneralError
	}
	into[wanted[0]] = Answer{Code: code}
	if code == CKRAttributeTypeInvalid && !critical[wanted[0]] {
		if r.unsupported == nil {
			r.unsupported = map[Attribute]CKR{}
		}
		r.unsupported[wanted[0]] = code
	}
	return nil
}
